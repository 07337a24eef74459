import os
import socket
import tempfile
from pathlib import Path
from time import process_time

import pytest

from reconciler.manifests.source import Source, Unreadable
from reconciler.manifests.walk import Walk
from tests.unit.reconciler.manifests.builders import config_map
from tests.unit.reconciler.manifests.looking import Named, look, messages, write


def test_manifests_are_found_in_nested_folders_and_nothing_else_is(tmp_path: Path) -> None:
    for file in ("a.yaml", "b/c.yml", "b/d/e.json", ".git/x.yaml", ".hidden.yaml", "README.md", "b/Makefile"):
        write(tmp_path, file, "{}" if file.endswith("json") else "")
    watch = Named()
    found = look(Source(tmp_path), watch)
    assert set(found.changed) == {"a.yaml", "b/c.yml", "b/d/e.json"}
    assert set(watch.directories) >= {str(tmp_path / place) for place in ("", "b", "b/d")}


def test_the_ignore_file_reads_as_gitignore_does(tmp_path: Path) -> None:
    for file in ("a.yaml", "drafts/b.yaml", "c/d.yaml", "c/keep.yaml"):
        write(tmp_path, file)
    (tmp_path / ".wherryignore").write_text("# not yet\ndrafts/\nc/*\n!c/keep.yaml\n")
    assert set(look(Source(tmp_path)).changed) == {"a.yaml", "c/keep.yaml"}


def test_a_symlink_that_leaves_the_folder_is_refused_and_one_inside_is_followed(tmp_path: Path) -> None:
    outside = write(tmp_path / "outside", "secret.yaml")
    folder = tmp_path / "folder"
    write(folder, "real/a.yaml")
    (folder / "out.yaml").symlink_to(outside)
    (folder / "away").symlink_to(outside.parent)
    (folder / "again").symlink_to(folder / "real")
    (folder / "in.yaml").symlink_to("real/a.yaml")
    (folder / "gone.yaml").symlink_to("nothing")
    (folder / "loop").symlink_to(folder)
    found = look(Source(folder))
    assert messages(found) == {
        "out.yaml": "this symlink leaves the folder; copy here what it points to",
        "away": "this symlink leaves the folder; copy here what it points to",
        "gone.yaml": "points to nothing; mend it, or take it out of the folder",
    }
    assert found.changed.keys() - messages(found) == {"in.yaml", "real/a.yaml"}


def test_files_that_are_no_files_or_too_large_are_faults(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    with open(tmp_path / "large.yaml", "wb") as large:
        large.truncate(100 * 1024 * 1024)
    source = Source(tmp_path)
    found = messages(look(source))
    assert "no regular file" in found["pipe.yaml"]
    assert "more than" in found["large.yaml"]
    assert look(source).changed == {}
    (tmp_path / "pipe.yaml").unlink()
    assert look(source).changed == {"pipe.yaml": None}


@pytest.mark.parametrize("what", ["missing", "file"])
def test_a_folder_that_is_none_cannot_be_seen(tmp_path: Path, what: str) -> None:
    place = tmp_path / "folder"
    if what == "file":
        place.write_text("")
    with pytest.raises(Unreadable, match="folder"):
        look(Source(place))


def test_too_many_files_are_refused_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconciler.manifests.walk.MAX_FILES", 3)
    for number in range(4):
        write(tmp_path, f"{number}.yaml")
    with pytest.raises(Unreadable, match=r"more than 3 manifests.*\.wherryignore"):
        look(Source(tmp_path))


def test_a_file_of_a_hundred_megabytes_is_not_read(tmp_path: Path) -> None:
    with open(tmp_path / "large.yaml", "wb") as large:
        large.truncate(100 * 1024 * 1024)
    source = Source(tmp_path)
    assert "104857600 bytes, more than" in messages(look(source))["large.yaml"]
    assert source.reads == 0


def test_sockets_and_links_to_devices_are_faults_and_nobody_waits_for_them(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as short, socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"{short}/s")
        os.rename(f"{short}/s", tmp_path / "socket.yaml")
        (tmp_path / "null.yaml").symlink_to("/dev/null")
        os.mkfifo(tmp_path / "pipe.json")
        found = messages(look(Source(tmp_path)))
    assert found == {
        "socket.yaml": "this is no regular file; replace it with one",
        "null.yaml": "this symlink leaves the folder; copy here what it points to",
        "pipe.json": "this is no regular file; replace it with one",
    }


def test_a_name_that_is_not_utf8_is_a_fault_that_can_be_printed(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.yaml")).write_text(config_map("a"))
    write(tmp_path, "café.yaml", config_map("b"))
    found = look(Source(tmp_path))
    assert messages(found) == {"caf\ufffd.yaml": "the name is not UTF-8; rename it"}
    assert set(found.changed) == {"caf\ufffd.yaml", "café.yaml"}
    for path in found.changed:
        path.encode()


@pytest.mark.parametrize("name", ["a.yaml", "sub"])
def test_what_may_not_be_read_is_a_fault_and_the_rest_goes_on(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As any user but root would see it."""
    write(tmp_path, "sub/b.yaml")
    for file in ("a.yaml", "c.yaml"):
        write(tmp_path, file)
    closed = str(tmp_path / name)
    scandir, opened = os.scandir, os.open

    def refusing(path: str) -> object:
        if path == closed:
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    def refusing_to_open(path: str, flags: int) -> int:
        if path == closed:
            raise PermissionError(13, "Permission denied")
        return opened(path, flags)

    monkeypatch.setattr("os.scandir", refusing)
    monkeypatch.setattr("os.open", refusing_to_open)
    found = look(Source(tmp_path))
    assert messages(found) == {name: "cannot be read: Permission denied; mend it, or take it out of the folder"}
    assert "c.yaml" in found.changed


def test_a_file_replaced_by_a_directory_and_back_is_followed(tmp_path: Path) -> None:
    source, path = Source(tmp_path), write(tmp_path, "a.yaml")
    look(source)
    path.unlink()
    write(tmp_path, "a.yaml/b.yaml")
    assert look(source).changed.keys() == {"a.yaml", "a.yaml/b.yaml"}
    (path / "b.yaml").unlink()
    path.rmdir()
    write(tmp_path, "a.yaml")
    assert look(source).changed.keys() == {"a.yaml", "a.yaml/b.yaml"}


def test_a_rename_of_case_alone_is_another_file(tmp_path: Path) -> None:
    source, path = Source(tmp_path), write(tmp_path, "a.yaml")
    look(source)
    path.rename(tmp_path / "A.yaml")
    found = look(source).changed
    assert found["a.yaml"] is None
    assert found["A.yaml"] is not None


def test_a_folder_that_is_a_circle_of_links_cannot_be_seen(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(Unreadable, match=r"a: .*; create the folder"):
        look(Source(tmp_path / "a"))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        pytest.param(lambda path: path.write_bytes(b"caf\xe9"), "cannot be read", id="not UTF-8"),
        pytest.param(lambda path: path.mkdir(), "no file", id="a directory"),
        pytest.param(os.mkfifo, "no file", id="a pipe"),
        pytest.param(lambda path: path.write_text("!"), "syntax is that of .gitignore", id="bad pattern"),
    ],
)
def test_an_ignore_file_that_says_nothing_sound_makes_the_folder_unreadable(
    tmp_path: Path, make: object, words: str
) -> None:
    write(tmp_path, "a.yaml")
    assert callable(make)
    make(tmp_path / ".wherryignore")
    with pytest.raises(Unreadable, match=words):
        look(Source(tmp_path))


def test_ten_thousand_files_are_walked_in_bounded_time_and_one_more_is_refused(tmp_path: Path) -> None:
    for folder in range(100):
        (tmp_path / f"{folder}").mkdir()
        for number in range(100):
            os.close(os.open(tmp_path / f"{folder}" / f"{number}.yaml", os.O_CREAT))
    walk = Walk(str(tmp_path), lambda _: None, None)
    started = process_time()
    walk.run()
    assert len(walk.files) == 10_000
    assert process_time() - started < 10
    (tmp_path / "more.yaml").touch()
    assert walk.after([str(tmp_path / "1" / "1.yaml")]) == frozenset({"1/1.yaml"})
    with pytest.raises(Unreadable, match="more than 10000"):
        walk.after([str(tmp_path / "more.yaml")])
