"""A git source whose disk is full: what is in force stays, and it goes on once there is room."""

import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from reconciler.manifests.git import rounds
from reconciler.store.cluster import Cluster
from tests.unit.reconciler.manifests.builders import cluster_in
from tests.unit.reconciler.manifests.git.builders import Remote, following, settings

pytestmark = pytest.mark.lab


@pytest.fixture
def card(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MiB."""
    place = tmp_path / "card"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)], check=True)
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with cluster_in(tmp_path / "data") as opened:
        yield opened


async def test_a_full_disk_leaves_the_last_good_commit(
    cluster: Cluster, card: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "RETRY_SECONDS", 0.05)
    remote = Remote(tmp_path / "remote")
    first = remote.commit({"a.yaml": "a: 1\n"})
    async with following(cluster, card / "git", settings(remote)) as source:
        await source.shows(first)
        (remote.directory / "big").write_bytes(os.urandom(3 * 1024 * 1024))
        remote.commit({"a.yaml": "a: 2\n"})
        await source.says("the disk is full")
        assert (source.commit, source.read("a.yaml")) == (first, "a: 1\n")
    async with following(cluster, card / "git", settings(remote)) as source:
        await source.says("the disk is full")
        assert (source.commit, source.read("a.yaml")) == (first, "a: 1\n")
        (remote.directory / "big").unlink()
        second = remote.commit({"a.yaml": "a: 2\n"}, "--amend")
        await source.shows(second)
        await source.until(lambda: not source.error)
