import os
from pathlib import Path

import pytest

from reconciler.manifests import survey as surveying
from reconciler.manifests.parse import MAX_BYTES
from reconciler.manifests.survey import NoSuchPath, survey
from tests.unit.reconciler.manifests.builders import config_map


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("a/one.yaml", "a/more/two.yml", "a/drafts/three.yaml", "a/notes.txt", "a/.hidden/four.yaml"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(config_map(path.stem))
    return tmp_path


def faults(*paths: str) -> list[str]:
    return [f"{fault.file}: {fault.message}" for state in survey(paths).values() for fault in state.faults]


def test_a_folder_is_walked_as_the_daemon_walks_it(folder: Path) -> None:
    (folder / "a/.wherryignore").write_text("drafts/\n")
    (folder / "a/out.yaml").symlink_to("/etc/hostname")
    assert set(survey(["a"])) == {"a/one.yaml", "a/more/two.yml", "a/out.yaml"}
    assert faults("a") == ["a/out.yaml: this symlink leaves the folder; copy here what it points to"]


def test_a_file_that_is_named_is_read_whatever_it_is_called(folder: Path) -> None:
    assert [claim.ref.name for state in survey(["./a/notes.txt"]).values() for claim in state.claims] == ["notes"]


def test_a_file_reached_by_several_paths_is_read_once(folder: Path) -> None:
    os.symlink("a", "again")
    assert set(survey(["a/one.yaml", "a", "again", "a"])) == {"a/one.yaml", "a/more/two.yml", "a/drafts/three.yaml"}


def test_a_path_that_does_not_exist_is_said(folder: Path) -> None:
    with pytest.raises(NoSuchPath, match="b does not exist"):
        survey(["a", "b"])


def test_what_cannot_be_read_is_a_fault_like_any_other(folder: Path) -> None:
    (folder / "big.yaml").write_bytes(b" " * (MAX_BYTES + 5))
    (folder / "a/.wherryignore").write_bytes(b"\xff")
    assert [one.partition(";")[0] for one in faults("big.yaml", "/dev/null")] == [
        f"big.yaml: the file has {MAX_BYTES + 5} bytes, more than the {MAX_BYTES} allowed",
        "/dev/null: this is no regular file",
    ]
    assert ".wherryignore cannot be read" in faults("a")[0]


def test_git_at_work_is_no_matter(folder: Path) -> None:
    """A hook runs while git holds its lock."""
    (folder / "a/.git").mkdir()
    (folder / "a/.git/index.lock").touch()
    assert not faults("a")


def test_several_processes_say_what_one_says(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(20):
        (folder / f"a/{number}.yaml").write_text(config_map(f"m{number}") + ("x: 1\n" if number % 3 else ""))
    alone = survey(["a"])
    monkeypatch.setattr(surveying, "MANY", 10)
    assert survey(["a"]) == alone
