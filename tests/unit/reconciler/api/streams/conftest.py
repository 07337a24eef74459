"""A served cluster with one simulated node behind a real broker, and the real kubectl to ask for it."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from nodeagent.config import Config
from nodeagent.simulation import SimulatedNode
from reconciler.api import kubeconfig
from reconciler.api.server import ApiServer
from reconciler.api.streams.handlers import Streams
from reconciler.link.broker import embedded_broker
from reconciler.link.link import Link, Settings
from reconciler.store.changes import Create, Update
from reconciler.store.cluster import Cluster
from reconciler.store.sqlite import SqliteStore
from schemas.configuration import BrokerAddress
from schemas.core.node import Node
from schemas.defaults import defaulted
from tests.unit.reconciler.api.conftest import Served, certified, created

__all__ = ["certified"]


class Simulated(Served):
    """With the node `n1`, which runs whatever is bound to it."""

    node: SimulatedNode
    link: Link

    async def run_pod(self, name: str, **spec: object) -> None:
        """One container `main` unless told otherwise; returns when it runs."""
        containers = [{"name": "main", "image": "app:1", "ports": [{"name": "http", "containerPort": 8080}]}]
        await self.apply(created("Pod", name, spec={"containers": containers, "nodeName": "n1", **spec}))
        await self.until(lambda: self.find("Pod", name).status.phase == "Running")


async def _server(cluster: Cluster, link: Link, folder: Path) -> ApiServer:
    async def nothing(_: object) -> object:
        return {}

    return ApiServer(
        cluster,
        directory=folder / "api",
        token="good",
        answers={},
        approve=nothing,
        metrics=CollectorRegistry,
        streams=Streams(cluster.cache, link.rpc).routes(),
    )


@pytest.fixture
async def box(tmp_path: Path, certified: Path) -> AsyncIterator[Simulated]:
    shutil.copytree(certified, tmp_path / "api")
    store = await SqliteStore.open(tmp_path / "store.db")
    cluster = await Cluster.open(store, clock=lambda: datetime.now(UTC), admit=lambda object_, _: defaulted(object_))
    async with embedded_broker("127.0.0.1", 0, "wherry", "secret") as port:
        (tmp_path / "password").write_text("secret")
        broker = BrokerAddress(url=f"mqtt://127.0.0.1:{port}", username="wherry", password_file=tmp_path / "password")
        link = Link(cluster, Settings(broker=broker), clock=lambda: datetime.now(UTC))
        linked = asyncio.create_task(link.run())
        server = await _server(cluster, link, tmp_path)
        await server.start()
        found = Simulated(cluster, server, tmp_path)
        found.link = link
        found.node = SimulatedNode(Config(node="n1", broker=broker, data=tmp_path / "n1", run=tmp_path / "run"), 0.0)
        kubeconfig.write(found.kubeconfig, server.access)
        await found.apply(created("Namespace", "default", ""))
        await found.node.start()
        await found.until(lambda: cluster.cache.get(Node, "", "n1") is not None and link.present("n1"))
        node = found.find("Node", "n1", "")
        spec = msgspec.structs.replace(node.spec, pod_cidr="10.244.0.0/24")
        await found.apply(Update(msgspec.structs.replace(node, spec=spec)))
        await found.run_pod("web")
        yield found
        await server.stop()
        await found.node.end()
        linked.cancel()
        await asyncio.gather(linked, return_exceptions=True)
    await cluster.close()


def unbound(name: str) -> Create:
    return created("Pod", name, spec={"containers": [{"name": "main", "image": "app:1"}]})
