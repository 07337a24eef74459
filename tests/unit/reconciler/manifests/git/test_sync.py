"""A git source on real repositories: what it shows, and what it keeps when something goes wrong."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.manifests.checkout import checkout_of
from reconciler.manifests.git.program import hold
from reconciler.store.cluster import Cluster
from tests.unit.reconciler.manifests.git.builders import Remote, following, settings


async def test_a_commit_is_shown_and_so_is_the_next_one(cluster: Cluster, remote: Remote, tmp_path: Path) -> None:
    first = remote.commit({"a.yaml": "a: 1\n"})
    async with following(cluster, tmp_path / "git", settings(remote)) as source:
        await source.shows(first)
        assert source.read("a.yaml") == "a: 1\n"
        second = remote.commit({"a.yaml": "a: 2\n", "b/c.yaml": "c: 1\n"})
        await source.shows(second)
        assert (source.read("a.yaml"), source.read("b/c.yaml")) == ("a: 2\n", "c: 1\n")
        checkout = checkout_of(source.sync.folder.resolve())
        assert checkout is not None
        assert checkout.commit() == second
        status = source.sync.status
        assert (status.url, status.ref, status.error, status.failures) == (remote.url, "branch main", "", 0)
        assert status.fetched is not None


async def test_nothing_is_written_while_nothing_changes(cluster: Cluster, remote: Remote, tmp_path: Path) -> None:
    commit = remote.commit({"a.yaml": "a: 1\n"})
    async with following(cluster, tmp_path / "git", settings(remote)) as source:
        await source.shows(commit)
        await source.rounds(1)
        before = source.on_disk()
        await source.rounds(3)
        assert source.on_disk() == before


async def test_rewritten_history_is_taken_as_it_is_now(cluster: Cluster, remote: Remote, tmp_path: Path) -> None:
    remote.commit({"a.yaml": "a: 1\n"})
    second = remote.commit({"a.yaml": "a: 2\n"})
    async with following(cluster, tmp_path / "git", settings(remote)) as source:
        await source.shows(second)
        amended = remote.commit({"a.yaml": "a: 3\n"}, "--amend")
        await source.shows(amended)
        assert source.read("a.yaml") == "a: 3\n"


async def test_a_branch_that_goes_leaves_what_it_held_and_counts_again_when_it_is_back(
    cluster: Cluster, remote: Remote, tmp_path: Path
) -> None:
    first = remote.commit({"a.yaml": "a: 1\n"})
    remote.git("checkout", "--quiet", "-b", "fleet")
    async with following(cluster, tmp_path / "git", settings(remote, ref="refs/heads/fleet")) as source:
        await source.shows(first)
        remote.git("checkout", "--quiet", "main")
        remote.git("branch", "-D", "fleet")
        await source.says("the repository has no branch fleet")
        assert (source.commit, source.read("a.yaml")) == (first, "a: 1\n")
        await source.until(lambda: source.events("SourceFailed") == [f"{remote.url}: {source.error}"])
        remote.git("checkout", "--quiet", "-b", "fleet")
        second = remote.commit({"a.yaml": "a: 2\n"})
        await source.shows(second)
        await source.until(lambda: not source.error)


@pytest.mark.parametrize("options", [pytest.param((), id="light"), pytest.param(("-m", "x"), id="annotated")])
async def test_a_tag_that_moves_takes_the_folder_along(
    cluster: Cluster, remote: Remote, tmp_path: Path, options: tuple[str, ...]
) -> None:
    first = remote.commit({"a.yaml": "a: 1\n"})
    remote.git("tag", *options, "v1")
    async with following(cluster, tmp_path / "git", settings(remote, ref="refs/tags/v1")) as source:
        await source.shows(first)
        assert source.sync.status.ref == "tag v1"
        second = remote.commit({"a.yaml": "a: 2\n"})
        await source.rounds()
        assert source.commit == first
        remote.git("tag", "--force", *options, "v1")
        await source.shows(second)


async def test_a_repository_that_is_away_leaves_what_it_held_over_a_restart(
    cluster: Cluster, remote: Remote, tmp_path: Path
) -> None:
    first = remote.commit({"a.yaml": "a: 1\n"})
    async with following(cluster, tmp_path / "git", settings(remote)) as source:
        await source.shows(first)
    away = remote.directory.rename(tmp_path / "away")
    async with following(cluster, tmp_path / "git", settings(remote)) as source:
        await asyncio.wait_for(source.sync.ready.wait(), 60)
        await source.says("no repository is there: check the URL")
        assert (source.commit, source.read("a.yaml")) == (first, "a: 1\n")
        assert source.sync.status.fetched is not None
        away.rename(remote.directory)
        second = remote.commit({"a.yaml": "a: 2\n"})
        await source.shows(second)


async def test_a_repository_without_a_commit_is_said(cluster: Cluster, remote: Remote, tmp_path: Path) -> None:
    async with following(cluster, tmp_path / "git", settings(remote)) as source:
        await source.says("the repository has no commit yet")
        assert not source.sync.ready.is_set()
        await source.shows(remote.commit({"a.yaml": "a: 1\n"}))


async def test_a_path_that_a_commit_lacks_is_said_and_shown_as_gone(
    cluster: Cluster, remote: Remote, tmp_path: Path
) -> None:
    remote.commit({"quay/a.yaml": "a: 1\n"})
    async with following(cluster, tmp_path / "git", settings(remote, path="quay")) as source:
        await source.shows(remote.head)
        assert source.read("a.yaml") == "a: 1\n"
        remote.git("mv", "quay", "pier")
        await source.shows(remote.commit({}))
        await source.says("there is no folder quay in commit")
        assert not source.sync.folder.exists()
        remote.git("mv", "pier", "quay")
        await source.shows(remote.commit({}))
        await source.until(lambda: not source.error)


async def test_a_commit_whose_path_leaves_the_repository_is_not_taken(
    cluster: Cluster, remote: Remote, tmp_path: Path
) -> None:
    first = remote.commit({"quay/a.yaml": "a: 1\n"})
    async with following(cluster, tmp_path / "git", settings(remote, path="quay")) as source:
        await source.shows(first)
        remote.git("rm", "-r", "--quiet", "quay")
        (remote.directory / "quay").symlink_to("/etc")
        remote.commit({})
        await source.says("its quay is a symlink that leaves the repository")
        await source.rounds()
        before = source.on_disk()
        await source.rounds()
        assert source.on_disk() == before
        assert (source.commit, source.read("a.yaml")) == (first, "a: 1\n")
        await source.until(lambda: len(source.events("CommitRefused")) == 1)


async def test_other_settings_count_for_the_commit_that_is_there(
    cluster: Cluster, remote: Remote, tmp_path: Path
) -> None:
    commit = remote.commit({"quay/a.yaml": "a: 1\n", "b.yaml": "b: 1\n"})
    async with following(cluster, tmp_path / "git", settings(remote)) as source:
        await source.shows(commit)
    remote.directory.rename(tmp_path / "away")
    async with following(cluster, tmp_path / "git", settings(remote, path="quay")) as source:
        await source.shows(commit)
        assert source.read("a.yaml") == "a: 1\n"


async def test_old_checkouts_are_removed_once_nobody_reads_them(
    cluster: Cluster, remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.manifests.git.sync._READING_SECONDS", 0.2)
    async with following(cluster, tmp_path / "git", settings(remote)) as source:
        for number in range(4):
            await source.shows(remote.commit({"a.yaml": f"a: {number}\n"}))
        for place in ("checkouts", "repository/worktrees"):
            await source.until(lambda: os.listdir(tmp_path / "git" / place) == [source.commit])  # noqa: B023


async def test_the_repository_is_packed_anew_now_and_then(
    cluster: Cluster, remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.manifests.git.steps.MOST_PACKS", 2)
    async with following(cluster, tmp_path / "git", settings(remote)) as source:
        for number in range(4):
            await source.shows(remote.commit({"a.yaml": f"a: {number}\n"}))
            await source.rounds()
        packs = list((tmp_path / "git" / "repository" / "objects" / "pack").glob("*.pack"))
        assert len(packs) <= 2


async def test_a_damaged_repository_is_made_anew_with_what_is_shown_in_place(
    cluster: Cluster, remote: Remote, tmp_path: Path
) -> None:
    first = remote.commit({"a.yaml": "a: 1\n"})
    async with following(cluster, tmp_path / "git", settings(remote)) as source:
        await source.shows(first)
        for pack in (tmp_path / "git" / "repository" / "objects" / "pack").iterdir():
            pack.chmod(0o600)
            pack.write_bytes(b"")
        second = remote.commit({"a.yaml": "a: 2\n"})
        await source.until(lambda: source.commit == second)
        assert source.read("a.yaml") == "a: 2\n"


async def test_what_a_killed_git_left_does_not_hold_up_the_next_one(
    cluster: Cluster, remote: Remote, tmp_path: Path
) -> None:
    first = remote.commit({"a.yaml": "a: 1\n"})
    git = tmp_path / "git"
    async with following(cluster, git, settings(remote)) as source:
        await source.shows(first)
    repository = git / "repository"
    leftovers = [
        repository / "shallow.lock",
        repository / "packed-refs.lock",
        repository / "config.lock",
        repository / "refs" / "wherry" / "fetched.lock",
        repository / "worktrees" / first / "index.lock",
        repository / "objects" / "pack" / "tmp_pack_Xy12",
    ]
    for path in leftovers:
        path.write_text("")
    second = remote.commit({"a.yaml": "a: 2\n"})
    half = git / "checkouts" / second
    half.mkdir()
    (half / "a.yaml").write_text("a:")
    async with following(cluster, git, settings(remote)) as source:
        await source.shows(second)
        assert source.read("a.yaml") == "a: 2\n"
        assert not any(path.exists() for path in leftovers)


@pytest.fixture
def earlier_git(tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A child of a reconciler that was killed."""
    (tmp_path / "git").mkdir()
    with hold(tmp_path / "git" / "lock") as held:
        at_work = subprocess.Popen(["sleep", "60"], pass_fds=(held.fileno(),))
    yield at_work
    at_work.kill()
    at_work.wait()


async def test_a_git_of_an_earlier_life_is_waited_for(
    cluster: Cluster, remote: Remote, tmp_path: Path, earlier_git: "subprocess.Popen[bytes]"
) -> None:
    commit = remote.commit({"a.yaml": "a: 1\n"})
    async with following(cluster, tmp_path / "git", settings(remote)) as source:
        await source.says("still at work")
        earlier_git.kill()
        await source.shows(commit)


async def test_a_file_too_large_for_the_disk_ends_the_fetch_and_leaves_nothing_of_it(
    cluster: Cluster, remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.manifests.git.commands.MOST_BYTES", 64 * 1024)
    first = remote.commit({"a.yaml": "a: 1\n"})
    async with following(cluster, tmp_path / "git", settings(remote)) as source:
        await source.shows(first)
        (remote.directory / "big").write_bytes(os.urandom(1024 * 1024))
        remote.commit({"a.yaml": "a: 2\n"})
        await source.says("too large for manifests")
        assert (source.commit, source.read("a.yaml")) == (first, "a: 1\n")
        await source.until(lambda: not list((tmp_path / "git" / "repository" / "objects" / "pack").glob("tmp_*")))
        (remote.directory / "big").unlink()
        await source.shows(remote.commit({}, "--amend"))


async def test_a_bundle_on_a_stick_is_a_repository_too(cluster: Cluster, remote: Remote, tmp_path: Path) -> None:
    first = remote.commit({"a.yaml": "a: 1\n"})
    stick = tmp_path / "fleet.bundle"
    remote.git("bundle", "create", "--quiet", str(stick), "HEAD", "main")
    async with following(cluster, tmp_path / "git", settings(f"file://{stick}", ref="refs/heads/main")) as source:
        await source.shows(first)
        stick.unlink()
        await source.says("no repository is there")
        second = remote.commit({"a.yaml": "a: 2\n"})
        remote.git("bundle", "create", "--quiet", str(stick), "HEAD", "main")
        await source.shows(second)
        await source.rounds(1)
        before = source.on_disk()
        await source.rounds()
        assert source.on_disk() == before
