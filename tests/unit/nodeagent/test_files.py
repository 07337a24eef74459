from pathlib import Path

from nodeagent.files import write_if_changed


def test_nothing_is_written_where_nothing_changed(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    assert write_if_changed(path, "one")
    before = path.stat()
    assert not write_if_changed(path, "one")
    after = path.stat()
    # Reading may move the access time; a write would move one of these.
    assert (after.st_ino, after.st_mtime_ns, after.st_ctime_ns) == (
        before.st_ino,
        before.st_mtime_ns,
        before.st_ctime_ns,
    )
    assert write_if_changed(path, "two")
    assert path.read_text() == "two"
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]
