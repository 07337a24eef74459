"""How the rooms are joined: the fleet hears nothing too early, and nothing is loaded that is not needed yet."""

import asyncio
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from reconciler import rooms
from reconciler.controllers.loop import ControllerLoop
from reconciler.link.link import Link
from reconciler.manifests.sync import ManifestSync
from reconciler.store.changes import Create
from tests.unit.reconciler.controllers.builders import node
from tests.unit.reconciler.running import open_cluster, running


class Recorded:
    """A link of which only its start counts."""

    started = False

    async def run(self) -> None:
        self.started = True
        await asyncio.Event().wait()


async def test_a_store_without_nodes_tells_the_fleet_nothing_before_the_folder_is_in_it(tmp_path: Path) -> None:
    link, folder = Recorded(), SimpleNamespace(seen=asyncio.Event())
    async with open_cluster(tmp_path) as cluster:
        loop = ControllerLoop(cluster, ())
        waiting = rooms._link(cast(Link, link), cluster, cast(ManifestSync, folder), loop)
        async with running(loop.run(), waiting):
            await cluster.apply([Create(node("n1"))])  # even should one become known meanwhile
            assert not link.started
            folder.seen.set()
            async with asyncio.timeout(60):
                while not link.started:
                    await asyncio.sleep(0)


async def test_a_store_that_knows_its_nodes_does_not_wait_for_the_folder(tmp_path: Path) -> None:
    link, folder = Recorded(), SimpleNamespace(seen=asyncio.Event())
    async with open_cluster(tmp_path) as cluster:
        await cluster.apply([Create(node("n1"))])
        loop = ControllerLoop(cluster, ())
        async with running(rooms._link(cast(Link, link), cluster, cast(ManifestSync, folder), loop)):
            await asyncio.sleep(0)
            assert link.started


RARE = ("amqtt", "cryptography", "jinja2", "jsonschema", "kubernetes_validate", "prometheus_client", "websockets")
"""What a reconciler with a broker apart may never need: each costs it time at a start, and memory for good."""
LATER = ("aiohttp", "aiomqtt", "paho", "reconciler.api.server", "reconciler.link.link", "reconciler.scheduler.loop")
"""What the folder need not wait for."""


@pytest.mark.parametrize(
    ("module", "unneeded"),
    [
        pytest.param("reconciler.daemon", (*RARE, *LATER), id="until the folder is taken in"),
        pytest.param("reconciler.rooms", RARE, id="after that"),
    ],
)
def test_a_start_loads_what_it_needs_and_no_more(module: str, unneeded: tuple[str, ...]) -> None:
    program = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not set(unneeded) & set(done.stdout.split())
