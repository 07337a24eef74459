import os
import subprocess
from pathlib import Path

import pytest

from reconciler.manifests.documents import FileState, load
from reconciler.manifests.source import Look, Source, Unreadable, Unsettled
from tests.unit.reconciler.manifests.builders import config_map


class Named:
    """Remembers which directories a scan named."""

    def __init__(self) -> None:
        self.directories: list[str] = []
        self.inputs: list[str] = []

    def add(self, directory: str) -> None:
        self.directories.append(directory)

    def add_git(self, directory: Path) -> None:
        self.directories.append(str(directory))

    def start_round(self, folder: Path) -> None:
        self.directories.clear()
        self.inputs.clear()

    def add_input(self, directory: str, name: str) -> None:
        self.inputs.append(os.path.join(directory, name))

    def add_tree(self, directory: str) -> None:
        self.inputs.append(f"{directory}/")


def look(source: Source, watch: Named | None = None, writing: frozenset[str] = frozenset()) -> Look:
    return source.read(source.scan(watch or Named(), writing))


def write(folder: Path, file: str, text: str = "", age_seconds: int = 60) -> Path:
    """A file written a while ago, so that its time stamp can be trusted."""
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text or config_map(path.stem.strip(".")))
    then = path.stat().st_mtime_ns - age_seconds * 10**9
    os.utime(path, ns=(then, then))
    return path


def git(folder: Path, *command: str) -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main")
    done = subprocess.run(["git", *identity, *command], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def messages(found: Look) -> dict[str, str]:
    return {path: state.faults[0].message for path, state in found.changed.items() if state and state.faults}


def test_manifests_are_found_in_nested_folders_and_nothing_else_is(tmp_path: Path) -> None:
    for file in ("a.yaml", "b/c.yml", "b/d/e.json", ".git/x.yaml", ".hidden.yaml", "README.md", "b/Makefile"):
        write(tmp_path, file, "{}" if file.endswith("json") else "")
    watch = Named()
    found = look(Source(tmp_path), watch)
    assert set(found.changed) == {"a.yaml", "b/c.yml", "b/d/e.json"}
    assert set(watch.directories) >= {str(tmp_path / place) for place in ("", "b", "b/d")}


def test_only_what_changed_is_read_and_only_new_content_is_parsed(tmp_path: Path) -> None:
    source = Source(tmp_path)
    for name in "abc":
        path = write(tmp_path, f"{name}.yaml")
        os.utime(path, ns=(10**18, 10**18))
    assert set(look(source).changed) == {"a.yaml", "b.yaml", "c.yaml"}
    (tmp_path / "a.yaml").write_text(config_map("a", "2"))
    os.utime(tmp_path / "b.yaml", ns=(2 * 10**18, 2 * 10**18))
    (tmp_path / "c.yaml").unlink()
    found = look(source)
    assert set(found.changed) == {"a.yaml", "c.yaml"}
    assert found.changed["c.yaml"] is None
    assert source.parses == 4


def test_a_file_just_written_is_read_again_since_its_time_stamp_may_stand_still(tmp_path: Path) -> None:
    source = Source(tmp_path)
    path = write(tmp_path, "a.yaml", config_map("a", "1"), age_seconds=0)
    look(source)
    stamps = path.stat()
    path.write_text(config_map("a", "2"))
    os.utime(path, ns=(stamps.st_atime_ns, stamps.st_mtime_ns))
    assert set(look(source).changed) == {"a.yaml"}


def test_a_file_that_is_being_written_stays_as_it_was(tmp_path: Path) -> None:
    source = Source(tmp_path)
    half, new = write(tmp_path, "a.yaml"), tmp_path / "b.yaml"
    look(source)
    half.write_text("a")
    new.write_text("a")
    found = look(source, writing=frozenset({str(half), str(new)}))
    assert found.changed == {}
    assert set(look(source).changed) == {"a.yaml", "b.yaml"}


def test_a_file_that_is_written_while_it_is_read_unsettles_the_look(tmp_path: Path) -> None:
    source, path = Source(tmp_path), write(tmp_path, "a.yaml")
    with pytest.raises(Unsettled, match=r"a\.yaml is being written"):
        source.read(source.scan(Named()), lambda: frozenset({str(path)}))
    assert set(look(source).changed) == {"a.yaml"}


def test_a_file_emptied_just_now_is_as_before_and_empty_when_it_stays_so(tmp_path: Path) -> None:
    source, path = Source(tmp_path), write(tmp_path, "a.yaml")
    look(source)
    path.write_text("")
    found = look(source)
    assert (found.changed, found.is_early) == ({}, True)
    write(tmp_path, "a.yaml", "#")
    path.write_text("")
    os.utime(path, (1, 1))
    found = look(source)
    assert (found.changed["a.yaml"], found.is_early) == (FileState(), False)


def read_at_once(source: Source, path: Path, *texts: str) -> None:
    """Versions that the watching thread sees, the last one being what stays."""
    for text in texts:
        path.write_text(text)
        source.versions.read(str(path))
        source.versions.confirm()


def test_a_good_version_overwritten_by_a_broken_one_is_told_with_it(tmp_path: Path) -> None:
    source, path = Source(tmp_path), write(tmp_path, "a.yaml")
    look(source)
    good, broken = config_map("a", "2"), "a: ["
    read_at_once(source, path, good, broken)
    found = look(source)
    assert found.earlier["a.yaml"].claims == load("a.yaml", good.encode()).claims
    read_at_once(source, path, good, broken)
    found = look(source)
    assert (set(found.changed), set(found.earlier)) == ({"a.yaml"}, {"a.yaml"})
    read_at_once(source, path, broken, good)
    assert look(source).earlier == {}
    assert source.versions.held == 0


def test_versions_of_what_is_no_manifest_are_forgotten(tmp_path: Path) -> None:
    source, path = Source(tmp_path), write(tmp_path, "drafts/a.yaml")
    write(tmp_path, ".wherryignore", "drafts/\n")
    look(source)
    read_at_once(source, path, "1", "2")
    look(source)
    assert source.versions.held == 0


def test_only_what_a_checkout_leaves_counts_and_not_what_was_there_before_it(tmp_path: Path) -> None:
    path = write(tmp_path, "a.yaml")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "one")
    source = Source(tmp_path)
    look(source)
    read_at_once(source, path, config_map("a", "2"), "a: [")
    git(tmp_path, "commit", "-qam", "two")
    found = look(source)
    assert (set(found.changed), found.earlier, source.versions.held) == ({"a.yaml"}, {}, 0)


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


def test_a_file_that_vanishes_between_the_walk_and_the_reading_unsettles_the_look(tmp_path: Path) -> None:
    source = Source(tmp_path)
    write(tmp_path, "a.yaml")
    scan = source.scan(Named())
    (tmp_path / "a.yaml").unlink()
    with pytest.raises(Unsettled, match=r"a\.yaml was there"):
        source.read(scan)
    assert look(source).changed == {}


def test_a_folder_swapped_during_the_look_unsettles_it_and_is_followed_by_the_next(tmp_path: Path) -> None:
    write(tmp_path, "one/a.yaml")
    write(tmp_path, "two/b.yaml")
    link = tmp_path / "link"
    link.symlink_to("one")
    source = Source(link)
    look(source)
    scan = source.scan(Named())
    (tmp_path / "new").symlink_to("two")
    (tmp_path / "new").rename(link)
    with pytest.raises(Unsettled, match="changed while"):
        source.read(scan)
    assert look(source).changed.keys() == {"a.yaml", "b.yaml"}


def test_a_checkout_names_its_commit_and_is_not_read_while_git_is_at_work(tmp_path: Path) -> None:
    folder = tmp_path / "deploy" / "manifests"
    write(folder, "a.yaml")
    git(tmp_path, "init", "-q")
    source = Source(folder)
    assert look(source).commit == ""
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "one")
    head = git(tmp_path, "rev-parse", "HEAD")
    assert look(source).commit == head
    lock = tmp_path / ".git" / "index.lock"
    lock.touch()
    with pytest.raises(Unsettled, match=r"index\.lock exists"):
        look(source)
    lock.unlink()
    git(tmp_path, "pack-refs", "--all")
    assert look(source).commit == head
    git(tmp_path, "checkout", "-q", "--detach")
    assert look(source).commit == head


def test_a_worktree_has_its_own_commit(tmp_path: Path) -> None:
    main = tmp_path / "main"
    write(main, "a.yaml")
    git(main, "init", "-q")
    git(main, "add", ".")
    git(main, "commit", "-qm", "one")
    git(main, "worktree", "add", "-q", "-b", "other", str(tmp_path / "tree"))
    write(tmp_path / "tree", "b.yaml")
    git(tmp_path / "tree", "add", ".")
    git(tmp_path / "tree", "commit", "-qm", "two")
    watch = Named()
    assert look(Source(tmp_path / "tree"), watch).commit == git(tmp_path / "tree", "rev-parse", "HEAD")
    assert str(main / ".git" / "worktrees" / "tree") in watch.directories


def test_a_checkout_that_moves_during_the_look_unsettles_it(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "one")
    source = Source(tmp_path)
    scan = source.scan(Named())
    write(tmp_path, "b.yaml")
    git(tmp_path, "add", ".")
    with pytest.raises(Unsettled, match="changed while"):
        source.read(scan)
