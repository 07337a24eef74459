"""A reconciler's link and an agent over some broker: what the tests of their contract start, ask and wait for."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol, TypeVar

import aiomqtt
from msgspec.structs import replace

from nodeagent.accepted import Accepted
from nodeagent.checkpoint import Checkpoint
from nodeagent.config import Config
from nodeagent.lease import Lease
from nodeagent.link import Link as AgentLink
from nodeagent.network.feed import Feed
from nodeagent.rpc.calls import Call, Refusal
from reconciler.link.link import Link, Settings
from reconciler.store.changes import Update
from reconciler.store.cluster import Cluster
from reconciler.store.sqlite import SqliteStore
from schemas.conditions import find
from schemas.configuration import BrokerAddress
from schemas.core.container import ConfigMapEnvSource, Container, EnvFromSource
from schemas.core.node import Node, NodeCondition, NodeStatus
from schemas.core.pod import Pod, PodSpec
from schemas.core.podstatus import PodStatus
from schemas.messages import Topics
from schemas.meta import ObjectMeta
from schemas.rpc import STDOUT, Close, End, ExecRequest, Request

T = TypeVar("T")
CLUSTER = "test"
TOPICS = Topics(CLUSTER, "n1")


class Broker(Protocol):
    port: int
    username: str
    password: str

    async def start(self) -> None:
        """With nothing retained, on the same port as before."""

    async def kill(self) -> None: ...


def now() -> datetime:
    return datetime.now(UTC)


async def until(condition: Callable[[], T], limit: float = 60.0) -> T:
    """The first truthy answer of the condition, which is asked between the turns of the loop."""
    async with asyncio.timeout(limit):
        while not (answer := condition()):
            await asyncio.sleep(0.005)
        return answer


def address(broker: Broker) -> BrokerAddress:
    return BrokerAddress(url=f"mqtt://{broker.username}:{broker.password}@127.0.0.1:{broker.port}")


def client(broker: Broker, **options: object) -> aiomqtt.Client:
    return aiomqtt.Client(
        "127.0.0.1",
        broker.port,
        username=broker.username,
        password=broker.password,
        **options,  # type: ignore[arg-type]
    )


async def retained(broker: Broker, topic: str = f"{TOPICS.root}/#") -> dict[str, bytes]:
    """What a newcomer is told, by topic below the node's own."""
    found: dict[str, bytes] = {}
    async with client(broker) as newcomer:
        await newcomer.subscribe(topic, qos=1)
        await newcomer.subscribe("test/fence", qos=1)
        await newcomer.publish("test/fence", b"1", qos=1)
        async for message in newcomer.messages:
            if message.topic.value == "test/fence":
                break
            if message.retain:
                found[message.topic.value.removeprefix(f"{TOPICS.root}/")] = message.payload
    return found


async def until_retained(broker: Broker, condition: Callable[[dict[str, bytes]], object], limit: float = 60.0) -> None:
    """Asks again and again what the broker retains, until it is as it should be."""
    async with asyncio.timeout(limit):
        while not condition(await retained(broker)):
            pass


@asynccontextmanager
async def reconciler(broker: Broker, directory: Path, *, grace: float = 40.0) -> AsyncIterator[tuple[Cluster, Link]]:
    """One life of a reconciler over the store in this directory."""
    directory.mkdir(exist_ok=True)
    cluster = await Cluster.open(await SqliteStore.open(directory / "store.db"), clock=now)
    link = Link(cluster, Settings(broker=address(broker), cluster=CLUSTER, node_grace_seconds=grace), clock=now)
    running = asyncio.create_task(link.run())
    try:
        yield cluster, link
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await cluster.close()


async def serve(request: Request, call: Call) -> End:
    """A node where every process says back what it is told, and `sleep` waits."""
    assert isinstance(request, ExecRequest)
    if request.command == ("nothing",):
        raise Refusal(404, "NotFound", "there is no such thing")
    call.start()
    if request.command == ("sleep",):
        await asyncio.Event().wait()
    while frame := await call.stream.receive():
        if isinstance(frame[0], Close):
            break
        await call.stream.write(STDOUT, frame[1])
    return End(exit_code=7)


def agent_link(config: Config, directory: Path, network: Feed, lease: Lease | None = None) -> AgentLink:
    return AgentLink(
        config,
        Checkpoint(directory),
        version="test",
        clock=now,
        serve=serve,
        pod_changed=lambda _: None,
        lease=lease or Lease(directory),
        network=network,
    )


class Agent:
    """An agent whose pods run at once, and end at once when they shall."""

    def __init__(self, broker: Broker, directory: Path) -> None:
        config = Config(broker=address(broker), cluster=CLUSTER, node="n1", data=directory)
        self.network = Feed(directory, lambda _: None)
        self.lease = Lease(directory)
        self.link = agent_link(config, directory, self.network, self.lease)
        self.seen: list[Accepted] = []
        ready = NodeCondition(type="Ready", status="True", reason="KubeletReady", message="ready")
        self.link.node(NodeStatus(capacity={"cpu": "1"}, conditions=(ready,)), {})
        self.accepted(self.link.accepted)

    def accepted(self, accepted: Accepted) -> None:
        self.seen.append(accepted)
        for uid, assignment in accepted.pods.items():
            metadata = assignment.pod.metadata
            ending = metadata.deletion_timestamp is not None
            status = PodStatus(phase="Failed" if ending else "Running")
            self.link.pod(uid, metadata.generation, metadata.namespace, metadata.name, status, ending)
        for uid in [uid for uid in self.link.reports if uid not in accepted.digest.pods]:
            self.link.forget(uid)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Agent"]:
        task = asyncio.create_task(self.link.run(self.accepted))
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def images(self) -> dict[str, str]:
        pods = self.link.accepted.pods.values()
        return {assignment.pod.metadata.name: assignment.pod.spec.containers[0].image for assignment in pods}


def pod(name: str, image: str = "app:1", *, config: str = "") -> Pod:
    uses = (EnvFromSource(config_map_ref=ConfigMapEnvSource(name=config)),) if config else ()
    container = Container(name="app", image=image, env_from=uses)
    return Pod(
        metadata=ObjectMeta(name=name, namespace="default"), spec=PodSpec(containers=(container,), node_name="n1")
    )


def stored(cluster: Cluster, name: str) -> Pod | None:
    return cluster.cache.get(Pod, "default", name)


def ready(cluster: Cluster, node: str = "n1") -> str:
    found = cluster.cache.get(Node, "", node)
    condition = find(found.status.conditions, "Ready") if found else None
    return condition.status if condition else ""


def phase(cluster: Cluster, name: str) -> str:
    found = stored(cluster, name)
    return found.status.phase if found else "gone"


async def set_image(cluster: Cluster, name: str, image: str) -> None:
    found = stored(cluster, name)
    assert found is not None
    metadata = replace(found.metadata, resource_version="")  # its status may change at the same time
    await cluster.apply([Update(Pod(metadata=metadata, spec=pod(name, image).spec))])
