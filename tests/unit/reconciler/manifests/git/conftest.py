from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from reconciler.manifests.git import rounds
from reconciler.store.cluster import Cluster
from tests.unit.reconciler.manifests.builders import cluster_in
from tests.unit.reconciler.manifests.git.builders import Remote


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test does not wait for what keeps a forge from being asked too often."""
    monkeypatch.setattr(rounds, "POKE_GAP_SECONDS", 0.0)
    monkeypatch.setattr(rounds, "RETRY_SECONDS", 0.05)
    monkeypatch.setattr(rounds, "LONGEST_RETRY_SECONDS", 0.2)


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    return Remote(tmp_path / "remote")


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with cluster_in(tmp_path / "data") as opened:
        yield opened
