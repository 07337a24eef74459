import tomllib
from pathlib import Path

import pytest

from nodeagent.runtime.containerd import OwnContainerd
from nodeagent.runtime.containerd_cleanup import mounts_below
from nodeagent.runtime.containerd_config import Layout, config_toml

LAYOUT = Layout(Path('/data "x"/containerd'))


def test_everything_lies_below_the_directory() -> None:
    text = config_toml(LAYOUT, cni_bin=Path("/usr/lib/cni"), pause_image="p:1", restrict_oom_score=True)
    config = tomllib.loads(text)
    cri = config["plugins"]["io.containerd.grpc.v1.cri"]
    runc = cri["containerd"]["runtimes"]["runc"]
    places = [
        config["root"],
        config["state"],
        config["grpc"]["address"],
        cri["cni"]["conf_dir"],
        cri["registry"]["config_path"],
        runc["options"]["Root"],
    ]
    assert all(Path(place).is_relative_to(LAYOUT.root) for place in places)
    assert (cri["sandbox_image"], cri["restrict_oom_score_adj"]) == ("p:1", True)
    assert runc["options"]["SystemdCgroup"] is False


def test_two_directories_share_no_name(tmp_path: Path) -> None:
    first, second = OwnContainerd(tmp_path / "a"), OwnContainerd(tmp_path / "b")
    assert first.bridge != second.bridge
    assert len(first.bridge) <= 15
    assert first.cgroup_root != second.cgroup_root


def test_a_directory_too_deep_for_a_socket_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="use a shorter one"):
        OwnContainerd(tmp_path / ("x" * 100))


def test_mounts_are_found_the_innermost_first() -> None:
    found = mounts_below(Path("/proc"))
    assert found[-1] == Path("/proc")
    assert mounts_below(Path("/no/such/folder")) == []
