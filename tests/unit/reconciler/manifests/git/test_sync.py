"""A git source on real repositories: what it shows, and what it keeps when something goes wrong."""

import asyncio
import os
import subprocess
from pathlib import Path

import pytest

from reconciler.manifests.checkout import checkout_of
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
