"""Directories of deleted volumes go, and are told to be gone."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from nodeagent.pods.node import Directories
from nodeagent.volumes import discards
from nodeagent.volumes.discards import Discards
from nodeagent.volumes.preparing import Volumes
from tests.unit.nodeagent.pods.virtual import until


class Told:
    def __init__(self, tmp_path: Path) -> None:
        self.mounted: set[str] = set()
        self.gone: list[tuple[str, ...]] = []
        volumes = Volumes(Directories(tmp_path / "data", tmp_path / "run", tmp_path / "logs"))
        self.discards = Discards(volumes, lambda: self.mounted, self.gone.append)


@pytest.fixture
async def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Told]:
    monkeypatch.setattr(discards, "RETRY_SECONDS", 0.01)
    made = Told(tmp_path)
    running = asyncio.create_task(made.discards.run())
    yield made
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


async def test_what_the_digest_discards_is_removed_told_and_forgotten(told: Told, tmp_path: Path) -> None:
    made = tmp_path / "pvc-1_default_data"
    (made / "deep").mkdir(parents=True)
    told.discards.want({"u1": str(made), "u2": str(tmp_path / "pvc-2_never_made")})
    await until(lambda: told.gone[-1:] == [("u1", "u2")])
    assert not made.exists()
    told.discards.want({})
    await until(lambda: told.gone[-1:] == [()])


async def test_a_directory_that_a_pod_still_uses_goes_with_the_pod(told: Told, tmp_path: Path) -> None:
    made = tmp_path / "pvc-1_default_data"
    made.mkdir()
    told.mounted = {str(made)}
    told.discards.want({"u1": str(made)})
    await until(lambda: len(told.gone) > 2)
    assert made.exists()
    assert set(told.gone) == {()}
    told.mounted = set()
    await until(lambda: told.gone[-1:] == [("u1",)])
    assert not made.exists()
