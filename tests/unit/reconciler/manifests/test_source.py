import os
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.manifests.documents import FileState, load
from reconciler.manifests.source import Look, Source, Unsettled
from tests.unit.reconciler.manifests.builders import config_map
from tests.unit.reconciler.manifests.looking import Named, look, write


def git(folder: Path, *command: str) -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main")
    done = subprocess.run(["git", *identity, *command], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


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


def whole(source: Source) -> dict[str, FileState | None]:
    """A look by walking the folder, with what the source had made of it."""
    return look(source).changed


def fast(source: Source, *touched: Path) -> Look:
    watch = Named()
    found = source.read(source.scan(watch, touched=frozenset(map(str, touched))))
    assert watch.directories == [], "the folder was walked"
    return found


def test_a_look_after_an_edit_goes_by_what_was_touched_and_walks_nothing(tmp_path: Path) -> None:
    source = Source(tmp_path)
    paths = {name: write(tmp_path, f"sub/{name}.yaml") for name in "abc"}
    look(source)
    reads = source.reads
    paths["a"].write_text(config_map("a", "2"))
    paths["b"].unlink()
    new = write(tmp_path, "sub/d.yml")
    found = fast(source, paths["a"], paths["b"], new, tmp_path / "sub" / "notes.txt")
    assert found.changed.keys() == {"sub/a.yaml", "sub/b.yaml", "sub/d.yml"}
    assert found.changed["sub/b.yaml"] is None
    assert (found.files, source.reads) == (3, reads + 2)
    assert fast(source, paths["a"]).changed == {}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda place: place.with_suffix("").mkdir(), id="a directory made"),
        pytest.param(lambda place: place.with_name("link.yaml").symlink_to(place), id="a symlink made"),
        pytest.param(lambda place: place.unlink() or write(place, "b.yaml"), id="a directory in place of a file"),
    ],
)
def test_what_may_be_more_than_an_edit_is_walked(tmp_path: Path, change: object) -> None:
    source, path = Source(tmp_path), write(tmp_path, "a.yaml")
    look(source)
    assert callable(change)
    change(path)
    watch = Named()
    touched = frozenset(str(tmp_path / name) for name in os.listdir(tmp_path))
    source.read(source.scan(watch, touched=touched))
    assert watch.directories != []


def test_a_link_is_looked_at_whenever_something_is_touched(tmp_path: Path) -> None:
    target = write(tmp_path, ".data/a.yaml")
    (tmp_path / "a.yaml").symlink_to(".data/a.yaml")
    source = Source(tmp_path)
    look(source)
    target.write_text(config_map("a", "2"))
    assert fast(source).changed.keys() == {"a.yaml"}


def test_after_a_look_that_came_to_nothing_the_folder_is_walked(tmp_path: Path) -> None:
    source, path = Source(tmp_path), write(tmp_path, "a.yaml")
    look(source)
    path.write_text(config_map("a", "2"))
    with pytest.raises(Unsettled):
        source.read(source.scan(Named(), touched=frozenset({str(path)})), lambda: frozenset({str(path)}))
    watch = Named()
    assert source.read(source.scan(watch, touched=frozenset())).changed.keys() == {"a.yaml"}
    assert watch.directories != []


def test_a_file_that_cannot_be_read_is_tried_again_by_every_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, path = Source(tmp_path), write(tmp_path, "a.yaml")
    look(source)
    take = source.versions.take

    def refusing(place: str) -> tuple[list[bytes], bytes]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(source.versions, "take", refusing)
    state = fast(source, path).changed["a.yaml"] if path.write_text("x") else None
    assert state is not None
    assert "Permission denied" in state.faults[0].message
    assert fast(source).changed == {}
    monkeypatch.setattr(source.versions, "take", take)
    path.write_text(config_map("a"))
    assert fast(source).changed.keys() == {"a.yaml"}


NAMES = st.sampled_from(("a.yaml", "b.yml", "sub/a.yaml", "sub/c.json", "notes.txt", "sub/compose.yaml"))
TEXTS = st.sampled_from(("", "# nothing\n", config_map("a"), config_map("b"), "a: ["))
STEPS = st.lists(st.tuples(NAMES, st.none() | TEXTS), min_size=1, max_size=3)


@settings(max_examples=40, deadline=None)
@given(st.lists(STEPS, min_size=1, max_size=5))
def test_looks_by_what_was_touched_find_what_walks_find(history: list[list[tuple[str, str | None]]]) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write(folder, "sub/first.yaml")
        touching, walking = Source(folder), Source(folder)
        assert whole(touching) == whole(walking)
        for steps in history:
            for name, text in steps:
                if text is None:
                    (folder / name).unlink(missing_ok=True)
                else:
                    (folder / name).write_text(text)
                    os.utime(folder / name, (1, 1))
            touched = {folder / name for name, _ in steps}
            assert fast(touching, *touched).changed == whole(walking)


def test_a_file_with_conflict_markers_is_one_fault_that_says_so(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", f"<<<<<<< HEAD\n{config_map('a')}=======\n{config_map('a', '2')}>>>>>>> other\n")
    state = look(Source(tmp_path)).changed["a.yaml"]
    assert state is not None
    assert [(fault.line, fault.message) for fault in state.faults] == [
        (1, "a merge conflict of git is not resolved here; resolve it")
    ]
    assert state.hides


def test_a_partial_checkout_is_one_file_the_less_and_no_fault(tmp_path: Path) -> None:
    """As `git sparse-checkout` leaves it: what is not there is gone, and the prune guards have their say."""
    for name in ("in/a.yaml", "out/b.yaml"):
        write(tmp_path, name)
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "one")
    source = Source(tmp_path)
    assert look(source).changed.keys() == {"in/a.yaml", "out/b.yaml"}
    git(tmp_path, "sparse-checkout", "set", "in")
    assert look(source).changed == {"out/b.yaml": None}
