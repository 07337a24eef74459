"""Files of volumes on a real file system: swapped at once, untouched when equal, whole after any interruption."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodeagent.volumes import writer
from nodeagent.volumes.plan import File
from nodeagent.volumes.writer import write

NAMES = st.sampled_from(["a", "b", "dir/a", "dir/b", "dir/in/c", ".hidden"])
FILES = st.dictionaries(NAMES, st.builds(File, st.binary(max_size=20), st.sampled_from([0o644, 0o400, 0o755])))


def shown(directory: Path) -> dict[str, File]:
    """What a container finds, by the names that it knows."""
    found = {}
    for top in directory.iterdir():
        if top.name.startswith(".."):
            continue
        for path in [top, *top.rglob("*")]:
            if path.is_file():
                found[str(path.relative_to(directory))] = File(path.read_bytes(), path.stat().st_mode & 0o7777)
    return found


def touched(directory: Path) -> dict[str, int]:
    return {str(path): path.lstat().st_mtime_ns for path in [directory, *directory.rglob("*")]}


def test_files_are_shown_by_links_to_the_current_version(tmp_path: Path) -> None:
    assert write(tmp_path, {"a": File(b"1"), "dir/b": File(b"2", 0o600)})
    assert os.readlink(tmp_path / "a") == "..data/a"
    assert os.readlink(tmp_path / "dir") == "..data/dir"
    assert shown(tmp_path) == {"a": File(b"1"), "dir/b": File(b"2", 0o600)}


def test_equal_content_writes_nothing(tmp_path: Path) -> None:
    files = {"a": File(b"1"), "dir/b": File(b"2", 0o600)}
    write(tmp_path, files)
    before = touched(tmp_path)
    assert not write(tmp_path, files)
    assert touched(tmp_path) == before


def test_a_reader_that_stays_with_a_version_is_not_disturbed(tmp_path: Path) -> None:
    write(tmp_path, {"a": File(b"old")})
    with (tmp_path / "a").open("rb") as file:
        write(tmp_path, {"a": File(b"new")})
        assert file.read() == b"old"
    assert (tmp_path / "a").read_bytes() == b"new"


@settings(max_examples=60, deadline=None)
@given(st.lists(FILES, min_size=1, max_size=4))
def test_the_last_content_is_what_is_shown(versions: list[dict[str, File]]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        for files in versions:
            write(directory, files)
            assert shown(directory) == files
            assert len([path for path in directory.iterdir() if path.name.startswith("..2")]) == 1


@pytest.mark.parametrize("step", ["_write_version", "_link", "_tidy"])
def test_a_write_that_is_cut_short_shows_old_or_new_and_is_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    old: Mapping[str, File] = {"a": File(b"old"), "gone": File(b"x")}
    new = {"a": File(b"new"), "come": File(b"y")}
    write(tmp_path, old)

    class Killed(Exception):
        pass

    def killed(*arguments: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(writer, step, killed)
        with pytest.raises(Killed):
            write(tmp_path, new)
    assert (tmp_path / "a").read_bytes() in (b"old", b"new")
    assert write(tmp_path, new)
    assert shown(tmp_path) == new
    assert not write(tmp_path, new)
