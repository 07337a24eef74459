"""Volumes on a real file system, as far as nothing has to be mounted."""

import os
from pathlib import Path

import pytest

from nodeagent.pods.node import Directories
from nodeagent.volumes.plan import Content, EmptyDir, File, HostPath, VolumeFault
from nodeagent.volumes.preparing import Volumes
from nodeagent.volumes.subpath import open_within


@pytest.fixture
def volumes(tmp_path: Path) -> Volumes:
    return Volumes(Directories(tmp_path / "data", tmp_path / "run", tmp_path / "logs"), may_mount=False)


def test_content_lies_in_the_run_directory_and_scratch_space_on_disk(volumes: Volumes, tmp_path: Path) -> None:
    content, scratch = Content("c", {"a": File(b"1")}), EmptyDir("e")
    assert volumes.prepare("u", content)
    assert volumes.prepare("u", scratch)
    assert not volumes.prepare("u", content)
    assert not volumes.prepare("u", scratch)
    assert volumes.path("u", content).is_relative_to(tmp_path / "run")
    assert volumes.path("u", scratch).is_relative_to(tmp_path / "data")
    assert volumes.path("u", scratch).stat().st_mode & 0o777 == 0o777


def test_nothing_is_left_after_removal_and_it_may_be_repeated(volumes: Volumes, tmp_path: Path) -> None:
    volumes.prepare("u", Content("c", {"a": File(b"1")}))
    volumes.prepare("u", EmptyDir("e"))
    assert volumes.known() == {"u"}
    volumes.remove("u")
    volumes.remove("u")
    assert volumes.known() == set()


@pytest.mark.parametrize(
    ("kind", "there", "fault"),
    [
        pytest.param("", "nothing", "", id="no check"),
        pytest.param("DirectoryOrCreate", "nothing", "", id="directory is made"),
        pytest.param("FileOrCreate", "nothing", "", id="file is made"),
        pytest.param("Directory", "nothing", "is not a directory", id="directory is missing"),
        pytest.param("Directory", "file", "is not a directory", id="a file is no directory"),
        pytest.param("File", "file", "", id="a file"),
        pytest.param("File", "directory", "is not a file", id="a directory is no file"),
        pytest.param("Socket", "file", "is not a socket", id="a file is no socket"),
        pytest.param("CharDevice", "file", "is not a character device", id="a file is no device"),
        pytest.param("Colour", "file", "Colour is not a type of hostPath", id="unknown type"),
    ],
)
def test_host_paths_are_checked_as_the_kubelet_does(
    volumes: Volumes, tmp_path: Path, kind: str, there: str, fault: str
) -> None:
    path = tmp_path / "there"
    if there == "file":
        path.touch()
    elif there == "directory":
        path.mkdir()
    planned = HostPath("h", str(path), kind)
    if fault:
        with pytest.raises(VolumeFault, match=fault):
            volumes.prepare("u", planned)
    else:
        volumes.prepare("u", planned)
        assert path.exists() == (kind != "")
    if kind == "CharDevice":
        volumes.prepare("u", HostPath("h", "/dev/null", kind))


def test_a_missing_sub_path_is_made_with_the_volumes_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o775)
    os.close(open_within("v", tmp_path, "deep/er"))
    assert (tmp_path / "deep" / "er").stat().st_mode & 0o777 == 0o775


def test_a_link_that_stays_within_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    descriptor = open_within("v", tmp_path, "link")
    assert os.readlink(f"/proc/self/fd/{descriptor}") == str(tmp_path / "real")
    os.close(descriptor)


@pytest.mark.parametrize("sub_path", ["../x", "/etc", "out", "out/passwd", "a/../../b"])
def test_a_sub_path_that_leads_out_is_refused(tmp_path: Path, sub_path: str) -> None:
    (tmp_path / "out").symlink_to("/etc")
    with pytest.raises(VolumeFault):
        open_within("v", tmp_path, sub_path)


def test_a_sub_path_through_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(VolumeFault):
        open_within("v", tmp_path, "file/inner")
