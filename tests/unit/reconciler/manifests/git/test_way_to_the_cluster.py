"""From a push to the objects: the source and the manifests' part together, in one process."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from reconciler.manifests.git.program import Failed, hold
from reconciler.manifests.git.settings import GitSettings
from reconciler.manifests.prune import Limits
from reconciler.provenance import COMMIT, SOURCE
from reconciler.store.cluster import Cluster
from tests.unit.reconciler.manifests.builders import Lab, config_map, config_ref, syncing
from tests.unit.reconciler.manifests.git.builders import Follower, Remote, following, settings


@asynccontextmanager
async def reconciling(cluster: Cluster, directory: Path, chosen: GitSettings) -> AsyncIterator[tuple[Follower, Lab]]:
    async with following(cluster, directory / "git", chosen) as source:
        await asyncio.wait_for(source.sync.ready.wait(), 60)
        memory = directory / "memory.json"
        async with syncing(cluster, source.sync.folder, memory=memory, limits=Limits(count=2)) as lab:
            yield source, lab


def annotations(lab: Lab, name: str) -> dict[str, str]:
    found = lab.cluster.cache.find(config_ref(name))
    return dict(found.metadata.annotations) if found else {}


async def test_git_revert_is_the_way_back(cluster: Cluster, remote: Remote, tmp_path: Path) -> None:
    first = remote.commit({"a.yaml": config_map("a", "1"), "b.yaml": config_map("b")})
    async with reconciling(cluster, tmp_path, settings(remote)) as (_, lab):
        await lab.until(lambda: lab.value("a") == "1" and lab.value("b"))
        assert annotations(lab, "a") == {SOURCE: "a.yaml:1", COMMIT: first}
        second = remote.commit({"a.yaml": config_map("a", "2"), "b.yaml": None, "c.yaml": config_map("c")})
        await lab.until(lambda: lab.value("a") == "2" and lab.value("c") and not lab.value("b"))
        assert annotations(lab, "a")[COMMIT] == second
        remote.git("revert", "--no-edit", "HEAD")
        await lab.until(lambda: lab.value("a") == "1" and lab.value("b") and not lab.value("c"))
        assert annotations(lab, "b")[COMMIT] == remote.head
        assert lab.sync.status.commit == remote.head


async def test_all_files_of_a_commit_enter_in_one_transaction(cluster: Cluster, remote: Remote, tmp_path: Path) -> None:
    remote.commit({f"{name}.yaml": config_map(name) for name in "abc"})
    async with reconciling(cluster, tmp_path, settings(remote)) as (_, lab):
        await lab.until(lambda: lab.value("c"))
        batches: list[int] = []
        cluster.cache.subscribe(lambda batch: batches.append(sum(one.object.kind == "ConfigMap" for one in batch)))
        remote.commit({f"{name}.yaml": config_map(name, "2") for name in "abc"})
        await lab.until(lambda: lab.value("a") == "2")
        assert [number for number in batches if number] == [3]


async def test_conflict_markers_and_links_that_lead_out_are_faults_of_their_file_alone(
    cluster: Cluster, remote: Remote, tmp_path: Path
) -> None:
    remote.commit({"a.yaml": config_map("a"), "b.yaml": config_map("b"), "l.yaml": config_map("l")})
    async with reconciling(cluster, tmp_path, settings(remote)) as (_, lab):
        await lab.until(lambda: lab.value("a"))
        (remote.directory / "l.yaml").unlink()
        (remote.directory / "l.yaml").symlink_to("/etc/passwd")
        mine, theirs = config_map("a", "2"), config_map("a", "3")
        remote.commit(
            {"a.yaml": f"<<<<<<< HEAD\n{mine}=======\n{theirs}>>>>>>> theirs\n", "b.yaml": config_map("b", "2")}
        )
        await lab.until(lambda: lab.value("b") == "2")
        assert (lab.value("a"), lab.value("l")) == ("1", "1")
        faults = {fault.file: fault.message for fault in lab.sync.status.faults}
        assert set(faults) == {"a.yaml", "l.yaml"}
        assert "leaves the folder" in faults["l.yaml"]


async def test_an_empty_commit_a_lost_path_and_a_lost_remote_delete_nothing(
    cluster: Cluster, remote: Remote, tmp_path: Path
) -> None:
    remote.commit({f"quay/{name}.yaml": config_map(name) for name in "abc"})
    async with reconciling(cluster, tmp_path, settings(remote, path="quay")) as (source, lab):
        await lab.until(lambda: lab.value("c"))
        remote.git("mv", "quay", "pier")
        await source.shows(remote.commit({}))
        await lab.until(lambda: lab.sync.status.holding)
        assert lab.value("a")
        remote.git("rm", "-r", "--quiet", "pier")
        await source.shows(remote.commit({}))
        remote.commit({"quay/.keep": ""})
        await source.shows(remote.head)
        await lab.until(lambda: len(lab.sync.status.held_back) == 3)
        remote.directory.rename(tmp_path / "away")
        await source.says("no repository is there")
        assert [lab.value(name) for name in "abc"] == ["1", "1", "1"]


async def test_after_a_restart_without_the_remote_the_folder_is_as_it_was(
    cluster: Cluster, remote: Remote, tmp_path: Path
) -> None:
    first = remote.commit({"a.yaml": config_map("a")})
    async with reconciling(cluster, tmp_path, settings(remote)) as (_, lab):
        await lab.until(lambda: lab.value("a"))
    remote.directory.rename(tmp_path / "away")
    revision = cluster.cache.revision
    async with reconciling(cluster, tmp_path, settings(remote)) as (source, lab):
        await lab.until(lambda: lab.sync.status.commit == first)
        await source.says("no repository is there")
        assert lab.value("a") == "1"
        live = lab.cluster.cache.find(config_ref("a"))
        assert live is not None
        assert int(live.metadata.resource_version) <= revision


class Counted:
    """Counts the programs that are started, and tells when there have been so many."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left, self.reached = 0, asyncio.Event()
        start = asyncio.create_subprocess_exec

        async def counted(*command: str, **options: Any) -> asyncio.subprocess.Process:  # noqa: ANN401
            process = await start(*command, **options)
            self.left -= 1
            if self.left == 0:
                self.reached.set()
            return process

        monkeypatch.setattr(asyncio, "create_subprocess_exec", counted)

    def begin(self, number: int) -> None:
        self.left, self.reached = number, asyncio.Event()


async def test_killed_at_any_step_it_shows_whole_commits_and_goes_on(
    cluster: Cluster, remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each life ends during one of its programs, the next one later: first from nothing, then from a commit."""
    git, counted = tmp_path / "git", Counted(monkeypatch)
    for life in (*range(1, 10), *range(1, 10)):
        text = f"a: {life}\n"
        remote.commit({"a.yaml": text, "b.yaml": text})
        counted.begin(life)
        async with following(cluster, git, settings(remote)):
            await asyncio.wait_for(counted.reached.wait(), 60)
        if (git / "shown").exists():
            assert (git / "shown" / "a.yaml").read_text() == (git / "shown" / "b.yaml").read_text()
    assert (git / "shown").exists()
    async with following(cluster, git, settings(remote)) as source:
        await source.shows(remote.head)


async def test_a_git_that_is_killed_alone_is_a_failure_like_any_other(
    cluster: Cluster, remote: Remote, tmp_path: Path
) -> None:
    first = remote.commit({"a.yaml": "a: 1\n"})
    slow = tmp_path / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text(
        f'#!/bin/sh\ncase "$*" in *fetch*) echo $$ > {tmp_path}/pid; exec sleep 60;; esac\nexec /usr/bin/git "$@"\n'
    )
    slow.chmod(0o755)
    async with following(cluster, tmp_path / "git", settings(remote)) as source:
        await source.shows(first)
    path = os.environ["PATH"]
    os.environ["PATH"] = f"{slow.parent}:{path}"
    try:
        async with following(cluster, tmp_path / "git", settings(remote)) as source:
            remote_head = remote.commit({"a.yaml": "a: 2\n"})
            await source.until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip())
            os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
            await source.says("it cannot be fetched")
            assert source.commit == first
            slow.write_text('#!/bin/sh\nexec /usr/bin/git "$@"\n')
            await source.shows(remote_head)
    finally:
        os.environ["PATH"] = path


async def test_its_programs_end_with_it(cluster: Cluster, remote: Remote, tmp_path: Path) -> None:
    """What holds the lock is gone: a fetch that is under way does not outlive its reconciler."""
    remote.commit({"a.yaml": "a: 1\n"})
    async with following(cluster, tmp_path / "git", settings(remote)) as source:
        await source.until(lambda: (tmp_path / "git" / "repository").exists())
    with contextlib.suppress(Failed), hold(tmp_path / "git" / "lock"):
        return
    raise AssertionError("a program still runs")
