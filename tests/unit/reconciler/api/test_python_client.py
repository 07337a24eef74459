"""The official Python client, which many operators and scripts are built on."""

import asyncio
import contextlib
import random
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import pytest
import urllib3
from kubernetes import client, config, watch
from kubernetes.client.exceptions import ApiException
from kubernetes.leaderelection.electionconfig import Config
from kubernetes.leaderelection.leaderelection import LeaderElection
from kubernetes.leaderelection.resourcelock.leaselock import LeaseLock

from reconciler.store.changes import Change, Create, Delete, Update
from schemas.meta import Ref
from tests.unit.reconciler.api.builders import config_map
from tests.unit.reconciler.api.conftest import Served

CHANGES = 10_000
BATCH = 100
AHEAD = 2_000
"""Changes by which the writer may be ahead of the reader: the history that a resumed watch needs is bounded."""
CUT_AFTER = (20_000, 400_000)
"""Bytes after which a connection is cut, between these."""
T = TypeVar("T")


@pytest.fixture
async def api(served: Served) -> AsyncIterator[client.ApiClient]:
    found = config.new_client_from_config(str(served.kubeconfig))
    found.set_default_header("Connection", "close")  # none is left when the server stops
    yield found
    found.rest_client.pool_manager.clear()


async def in_thread(call: Callable[..., T], *arguments: Any, **options: Any) -> T:  # noqa: ANN401
    """The client blocks, and the server runs in this loop."""
    return await asyncio.wait_for(asyncio.to_thread(call, *arguments, **options), 60)


async def test_objects_are_created_read_changed_and_deleted(api: client.ApiClient) -> None:
    core = client.CoreV1Api(api)
    made = client.V1ConfigMap(metadata=client.V1ObjectMeta(name="py"), data={"a": "1"})
    created = await in_thread(core.create_namespaced_config_map, "default", made)
    created.data = {"a": "2"}
    replaced = await in_thread(core.replace_namespaced_config_map, "py", "default", created)
    assert int(replaced.metadata.resource_version) > int(created.metadata.resource_version)
    with pytest.raises(ApiException) as raised:
        await in_thread(core.replace_namespaced_config_map, "py", "default", created)
    assert (raised.value.status, raised.value.reason) == (409, "Conflict")
    patched = await in_thread(core.patch_namespaced_config_map, "py", "default", {"data": {"b": "3"}})
    assert patched.data == {"a": "2", "b": "3"}
    await in_thread(core.delete_namespaced_config_map, "py", "default")
    with pytest.raises(ApiException) as raised:
        await in_thread(core.read_namespaced_config_map, "py", "default")
    assert raised.value.status == 404


async def test_a_list_is_read_page_by_page(served: Served, api: client.ApiClient) -> None:
    await served.apply(*(Create(config_map(f"page-{number:02}", page="y")) for number in range(25)))
    core, names, token, pages = client.CoreV1Api(api), [], None, 0
    while token != "":
        page = await in_thread(
            core.list_namespaced_config_map, "default", label_selector="page", limit=10, _continue=token
        )
        names += [item.metadata.name for item in page.items]
        token, pages = page.metadata._continue or "", pages + 1
        await served.apply(Create(config_map(f"page-{pages}x", page="y")))  # of a later revision than the first page
    assert names == [f"page-{number:02}" for number in range(25)]
    assert pages == 3


async def test_a_leader_is_elected_and_followed_by_another(api: client.ApiClient) -> None:
    def candidate(name: str) -> LeaderElection:
        lock = LeaseLock("leader", "default", name)
        lock.api_instance = client.CoordinationV1Api(api)
        return LeaderElection(Config(lock, 3, 2, 1, onstarted_leading=lambda: None, onstopped_leading=lambda: None))

    first, second = candidate("first"), candidate("second")
    assert await in_thread(first.try_acquire_or_renew)
    assert not await in_thread(second.try_acquire_or_renew)
    assert await in_thread(first.try_acquire_or_renew)
    async with asyncio.timeout(60):
        while not await in_thread(second.try_acquire_or_renew):
            await asyncio.sleep(0.1)
    assert not await in_thread(first.try_acquire_or_renew)
    lease = await in_thread(client.CoordinationV1Api(api).read_namespaced_lease, "leader", "default")
    assert lease.spec.holder_identity == "second"


@asynccontextmanager
async def cutting(port: int) -> AsyncIterator[tuple[int, list[int]]]:
    """A way to the server that breaks again and again; gives its port, and after how many bytes it broke."""
    chance, cuts = random.Random(4), list[int]()
    carrying = set[asyncio.Task[None] | None]()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        carrying.add(task)
        there, back = await asyncio.open_connection("127.0.0.1", port)
        left = length = chance.randint(*CUT_AFTER)

        async def answers() -> None:
            nonlocal left
            while left > 0 and (chunk := await there.read(8192)):
                writer.write(chunk[:left])
                left -= len(chunk)
                await writer.drain()
            if left <= 0:
                cuts.append(length)
            asks.cancel()

        async def questions() -> None:
            while chunk := await reader.read(8192):
                back.write(chunk)

        asks = asyncio.create_task(questions())
        try:
            await asyncio.gather(answers(), asks, return_exceptions=True)
        finally:
            asks.cancel()
            writer.transport.abort()
            back.transport.abort()
            carrying.discard(task)

    server = await asyncio.start_server(carry, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], cuts
    finally:
        server.close()
        for task in carrying:
            if task is not None:
                task.cancel()


class Reader:
    """Watches all ConfigMaps through a way that breaks, and goes on from where it was."""

    def __init__(self, api: client.ApiClient, revision: str) -> None:
        self.seen: list[tuple[str, str, int]] = []
        self._api, self._revision = api, revision
        self._stopped = threading.Event()

    def run(self) -> None:
        core = client.CoreV1Api(self._api)
        while len(self.seen) < CHANGES and not self._stopped.is_set():
            with contextlib.suppress(urllib3.exceptions.HTTPError, OSError):
                self._follow(core)  # a cut may look like an end

    def stop(self) -> None:
        self._stopped.set()

    def _follow(self, core: client.CoreV1Api) -> None:
        changes = watch.Watch().stream(
            core.list_namespaced_config_map,
            "default",
            resource_version=self._revision,
            timeout_seconds=30,
            _request_timeout=10,
            deserialize=False,
        )
        for change in changes:
            metadata = change["object"]["metadata"]
            self._revision = metadata["resourceVersion"]
            self.seen.append((change["type"], metadata["name"], int(self._revision)))
            if len(self.seen) == CHANGES or self._stopped.is_set():
                return


async def test_a_watch_that_is_cut_again_and_again_misses_nothing_and_sees_nothing_twice(served: Served) -> None:
    async with cutting(served.server.port) as (port, cuts):
        through = served.directory / "through.kubeconfig"
        through.write_text(served.kubeconfig.read_text().replace(f":{served.server.port}", f":{port}"))
        reader = Reader(config.new_client_from_config(str(through)), str(served.cluster.cache.revision))
        reading = asyncio.create_task(asyncio.to_thread(reader.run))
        expected: list[tuple[str, str, int]] = []
        try:
            async with asyncio.timeout(120):
                for batch in range(CHANGES // BATCH):
                    expected += await change(served, batch)
                    while len(expected) - len(reader.seen) > AHEAD:
                        await asyncio.sleep(0.01)
                await reading
        finally:
            reader.stop()
    assert reader.seen == expected
    assert len(cuts) > 5


async def change(served: Served, batch: int) -> list[tuple[str, str, int]]:
    """Makes, changes or removes a hundred ConfigMaps in one commit; what a watch has to tell of it."""
    names = [f"w{number:03}" for number in range(BATCH)]
    moves: dict[int, tuple[str, Callable[[str], Change]]] = {
        0: ("ADDED", lambda name: Create(config_map(name))),
        1: ("MODIFIED", lambda name: Update(config_map(name, turn=str(batch)))),
        2: ("MODIFIED", lambda name: Update(config_map(name, turn=str(batch)))),
        3: ("DELETED", lambda name: Delete(Ref("ConfigMap", "default", name))),
    }
    type_, move = moves[batch % 4]
    before = served.cluster.cache.revision
    await served.apply(*map(move, names))
    return [(type_, name, before + at) for at, name in enumerate(names, 1)]
