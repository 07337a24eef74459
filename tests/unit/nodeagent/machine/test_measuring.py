"""What files take of a disk."""

import os
from pathlib import Path

from nodeagent.machine.measuring import layers, processes, tree

MIB = 1024**2


def test_a_tree_is_what_its_blocks_are(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "file").write_bytes(b"x" * MIB)
    use = tree(tmp_path)
    assert MIB <= use.storage < MIB + 64 * 1024
    assert use.inodes == 3


def test_a_hole_takes_nothing(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1024 * MIB)
    assert tree(tmp_path).storage < MIB


def test_a_file_of_two_names_counts_once(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"x" * MIB)
    os.link(tmp_path / "one", tmp_path / "two")
    assert tree(tmp_path).storage < 2 * MIB
    assert tree(tmp_path).inodes == 2


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path)
    assert tree(tmp_path).inodes == 2


def test_what_is_not_there_takes_nothing(tmp_path: Path) -> None:
    assert tree(tmp_path / "gone").storage == 0


def test_what_a_container_writes_lies_where_its_root_is_mounted_from() -> None:
    mounts = (
        "/dev/vda / ext4 rw 0 0\n"
        "overlay /run/containerd/io.containerd.runtime.v2.task/k8s.io/abc/rootfs overlay "
        "rw,lowerdir=/l,upperdir=/var/lib/containerd/snapshots/7/fs,workdir=/w 0 0\n"
        "overlay /merged overlay rw,lowerdir=/l,upperdir=/u,workdir=/w 0 0\n"
    )
    assert layers(mounts) == {"abc": Path("/var/lib/containerd/snapshots/7/fs")}


def test_processes_are_counted_by_the_cgroups_of_either_driver(tmp_path: Path) -> None:
    for name, count in (("kubepods/podx/abc", "3"), ("wherry.slice/cri-containerd-def.scope", "5"), ("other", "9")):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "pids.current").write_text(f"{count}\n")
    found = processes([tmp_path])
    assert (found["abc"], found["def"]) == (3, 5)
