"""The link between reconciler and agents, over any broker. Whoever imports these tests gives the fixture `broker`."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Protocol, TypeVar

import aiomqtt
import pytest
from msgspec.structs import replace

from nodeagent.accepted import Accepted
from nodeagent.checkpoint import Checkpoint
from nodeagent.config import Config
from nodeagent.lease import Lease
from nodeagent.link import Link as AgentLink
from nodeagent.network.feed import Feed
from nodeagent.rpc.calls import Call, Refusal
from reconciler.link.link import Link, Settings
from reconciler.link.rpc import Refused
from reconciler.store.changes import Create, Delete, Update
from reconciler.store.cluster import Cluster
from reconciler.store.sqlite import SqliteStore
from schemas.conditions import find
from schemas.configuration import BrokerAddress
from schemas.core.config import ConfigMap, Secret
from schemas.core.container import ConfigMapEnvSource, Container, EnvFromSource
from schemas.core.event import Event
from schemas.core.node import Node, NodeCondition, NodeStatus
from schemas.core.pod import Pod, PodSpec
from schemas.core.podstatus import PodStatus
from schemas.messages import Assignment, Digest, NodeEvent, PodReport, Topics, decode, encode
from schemas.meta import ObjectMeta, Ref
from schemas.rpc import STDIN, STDOUT, Close, Data, End, ExecRequest, Request
from schemas.streaming import Stream

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


async def until(condition: Callable[[], T], limit: float = 15.0) -> T:
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


async def until_retained(broker: Broker, condition: Callable[[dict[str, bytes]], object], limit: float = 15.0) -> None:
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


async def test_a_pod_goes_out_and_its_status_comes_back(broker: Broker, tmp_path: Path) -> None:
    async with reconciler(broker, tmp_path / "r") as (cluster, link), Agent(broker, tmp_path / "a").running() as agent:
        await until(lambda: ready(cluster) == "True")
        await cluster.apply([Create(ConfigMap(metadata=ObjectMeta(name="c", namespace="default"), data={"k": "v"}))])
        await cluster.apply([Create(pod("web", config="c"))])
        await until(lambda: phase(cluster, "web") == "Running")
        assert agent.link.accepted.configs["configmap/default/c"].data == {"k": b"v"}
        await until(lambda: link.statistics().unacknowledged == 0)


async def test_what_did_not_change_is_not_published(broker: Broker, tmp_path: Path) -> None:
    async with reconciler(broker, tmp_path / "r") as (cluster, link), Agent(broker, tmp_path / "a").running():
        await until(lambda: ready(cluster) == "True")
        await cluster.apply([Create(pod("web"))])
        await until(lambda: phase(cluster, "web") == "Running" and link.statistics().unacknowledged == 0)
        before = link.statistics().published, cluster.store.revision
        await cluster.apply([Create(Secret(metadata=ObjectMeta(name="other", namespace="default")))])
        await retained(broker)
        assert (link.statistics().published, cluster.store.revision) == (before[0], before[1] + 1)


async def test_a_deleted_pod_leaves_nothing_behind(broker: Broker, tmp_path: Path) -> None:
    async with reconciler(broker, tmp_path / "r") as (cluster, link), Agent(broker, tmp_path / "a").running() as agent:
        await until(lambda: ready(cluster) == "True")
        await cluster.apply([Create(pod("web"))])
        await until(lambda: phase(cluster, "web") == "Running")
        await cluster.apply([Delete(Ref("Pod", "default", "web"))])
        await until(lambda: phase(cluster, "web") == "gone")
        await until(lambda: not agent.link.accepted.pods and link.statistics().unacknowledged == 0)
        await until_retained(broker, lambda found: set(found) == {"desired", "online", "status"})


async def test_the_node_is_known_to_be_gone_when_its_agent_dies(broker: Broker, tmp_path: Path) -> None:
    async with reconciler(broker, tmp_path / "r") as (cluster, _):
        async with Agent(broker, tmp_path / "a").running():
            await until(lambda: ready(cluster) == "True")
        await until(lambda: ready(cluster) == "Unknown")
        async with Agent(broker, tmp_path / "a").running():
            await until(lambda: ready(cluster) == "True")


async def test_a_node_that_is_never_heard_of_is_not_ready_after_the_grace(broker: Broker, tmp_path: Path) -> None:
    condition = NodeCondition(type="Ready", status="True")
    node = Node(metadata=ObjectMeta(name="n1"), status=NodeStatus(conditions=(condition,)))
    async with reconciler(broker, tmp_path / "r", grace=0.2) as (cluster, _):
        await cluster.apply([Create(node)])
        await until(lambda: ready(cluster) == "Unknown")


async def test_a_late_will_of_an_older_connection_is_set_right(broker: Broker, tmp_path: Path) -> None:
    async with reconciler(broker, tmp_path / "r") as (cluster, _), Agent(broker, tmp_path / "a").running():
        await until(lambda: ready(cluster) == "True")
        seen: list[str] = []
        cluster.cache.subscribe(lambda _: seen.append(ready(cluster)))
        async with client(broker) as other:
            await other.publish(TOPICS.online, b"0", qos=1, retain=True)
        await until(lambda: "Unknown" in seen and ready(cluster) == "True")
        await until_retained(broker, lambda found: found["online"] == b"1")


async def test_a_broker_that_forgot_everything_is_told_again(broker: Broker, tmp_path: Path) -> None:
    async with reconciler(broker, tmp_path / "r") as (cluster, link), Agent(broker, tmp_path / "a").running() as agent:
        await until(lambda: ready(cluster) == "True")
        await cluster.apply([Create(pod("web"))])
        await until(lambda: phase(cluster, "web") == "Running" and link.statistics().unacknowledged == 0)
        before = await retained(broker)
        await broker.kill()
        await until(lambda: not link.statistics().connected and not agent.link.connected)
        assert ready(cluster) == "True"  # without a link of its own, the reconciler judges nobody
        accepted = agent.link.accepted
        await broker.start()
        await until(lambda: link.statistics().connected and agent.link.connected)
        await until_retained(broker, lambda found: set(found) == set(before))
        assert agent.link.accepted.pods == accepted.pods


async def test_a_fenced_pod_has_a_lease_while_the_reconciler_hears_of_its_node_or_the_broker_knows_of_none(
    broker: Broker, tmp_path: Path
) -> None:
    fenced = {"wherry.dev/on-node-loss": "fence", "wherry.dev/lease-seconds": "2"}
    words: list[float] = []
    async with Agent(broker, tmp_path / "a").running() as agent:
        agent.lease.regained = lambda: words.append(agent.lease.clock())
        async with reconciler(broker, tmp_path / "r") as (cluster, link):
            await until(lambda: ready(cluster) == "True")
            await cluster.apply([Create(pod("free"))])
            await until(lambda: phase(cluster, "free") == "Running")
            assert words == []
            made = pod("web")
            await cluster.apply([Create(replace(made, metadata=replace(made.metadata, annotations=fenced)))])
            await until(lambda: len(words) >= 3)
            assert agent.lease.left_of(2) > 0
            assert link.leases.silence("n1").seconds < 2
        known = len(words)
        await until(lambda: len(words) >= known + 5)
        assert words[-1] - words[known] > 2
        assert max(after - before for before, after in pairwise(words)) < 2
        await broker.kill()
        await until(lambda: agent.lease.left_of(2) == 0)


async def test_edits_made_without_a_broker_arrive_when_it_is_back(broker: Broker, tmp_path: Path) -> None:
    async with reconciler(broker, tmp_path / "r") as (cluster, _), Agent(broker, tmp_path / "a").running() as agent:
        await until(lambda: ready(cluster) == "True")
        await cluster.apply([Create(pod("web"))])
        await until(lambda: agent.images() == {"web": "app:1"})
        await broker.kill()
        await set_image(cluster, "web", "app:2")
        await cluster.apply([Create(pod("more"))])
        agent.link.event(NodeEvent(type="Normal", reason="R", message="m", first=now(), last=now()))
        await broker.start()
        await until(lambda: agent.images() == {"web": "app:2", "more": "app:1"})
        await until(lambda: phase(cluster, "more") == "Running")
        await until(lambda: any(event.reason == "R" for event in cluster.cache.list(Event)))


async def test_the_node_starts_from_its_checkpoint_without_a_broker(broker: Broker, tmp_path: Path) -> None:
    async with reconciler(broker, tmp_path / "r") as (cluster, _), Agent(broker, tmp_path / "a").running() as agent:
        await cluster.apply([Create(pod("web"))])
        await until(lambda: agent.images() == {"web": "app:1"})
    await broker.kill()
    assert Agent(broker, tmp_path / "a").images() == {"web": "app:1"}


async def test_reports_of_an_earlier_life_are_cleared(broker: Broker, tmp_path: Path) -> None:
    report = PodReport(epoch=1, generation=1, namespace="default", name="old", status=PodStatus(phase="Running"))
    async with client(broker) as other:
        await other.publish(TOPICS.pod_status("gone"), encode(report), qos=1, retain=True)
    async with Agent(broker, tmp_path / "a").running() as agent:
        await until(lambda: agent.link.connected)
        await until_retained(broker, lambda found: "status/pods/gone" not in found)


async def test_bodies_that_no_digest_names_are_cleared_and_not_run(broker: Broker, tmp_path: Path) -> None:
    metadata = ObjectMeta(name="stale", namespace="default", uid="u0")
    assignment = Assignment(Pod(metadata=metadata, spec=pod("stale").spec))
    async with client(broker) as other:
        await other.publish(TOPICS.desired_pod("u0"), encode(assignment), qos=1, retain=True)
        await other.publish(TOPICS.desired_config("secret/default/s"), b"{}", qos=1, retain=True)
    async with Agent(broker, tmp_path / "a").running() as agent, reconciler(broker, tmp_path / "r") as (cluster, _):
        await cluster.apply([Create(pod("web"))])
        await until(lambda: agent.images() == {"web": "app:1"})
        stale = {"desired/pods/u0", "desired/config/secret/default/s"}
        await until_retained(broker, lambda found: not stale & set(found))
        assert all("u0" not in accepted.pods for accepted in agent.seen)


async def test_another_life_of_the_store_takes_over_and_the_old_one_is_refused(broker: Broker, tmp_path: Path) -> None:
    async with Agent(broker, tmp_path / "a").running() as agent:
        async with reconciler(broker, tmp_path / "r1") as (cluster, _):
            await until(lambda: ready(cluster) == "True")
            await cluster.apply([Create(pod("first"))])
            await until(lambda: agent.images() == {"first": "app:1"})
            old = agent.link.accepted.digest
        async with reconciler(broker, tmp_path / "r2") as (cluster, _):
            await cluster.apply([Create(pod("second"))])
            await until(lambda: agent.images() == {"second": "app:1"})
            async with client(broker) as other:
                late = Digest(old.store, old.revision + 1000, old.pods)
                await other.publish(TOPICS.desired, encode(late), qos=1)
            await set_image(cluster, "second", "app:2")
            await until(lambda: agent.images() == {"second": "app:2"})


async def test_a_node_that_does_not_acknowledge_is_told_again(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.link.outbound.RESEND_SECONDS", 0.1)
    async with reconciler(broker, tmp_path / "r") as (cluster, link), Agent(broker, tmp_path / "a").running() as agent:
        await until(lambda: ready(cluster) == "True")
        agent.link._desired_said = lambda *_: None  # type: ignore[method-assign]  # every message is lost
        await cluster.apply([Create(pod("web"))])
        await until(lambda: link.statistics().resends >= 2)
        del agent.link._desired_said
        await until(lambda: agent.images() == {"web": "app:1"} and link.statistics().unacknowledged == 0)


async def test_what_is_no_message_is_counted_and_dropped(broker: Broker, tmp_path: Path) -> None:
    async with reconciler(broker, tmp_path / "r") as (cluster, link), Agent(broker, tmp_path / "a").running() as agent:
        await until(lambda: ready(cluster) == "True")
        async with client(broker) as other:
            for rest in ("status", "status/pods/u", "online", "events", "metrics", "desired", "desired/pods/u"):
                await other.publish(f"{TOPICS.root}/{rest}", b"{nonsense", qos=1)
        await until(lambda: link.statistics().malformed >= 5)
        await cluster.apply([Create(pod("web"))])
        await until(lambda: agent.images() == {"web": "app:1"})


async def test_many_edits_in_quick_succession_end_at_the_last(broker: Broker, tmp_path: Path) -> None:
    async with reconciler(broker, tmp_path / "r") as (cluster, link), Agent(broker, tmp_path / "a").running() as agent:
        await until(lambda: ready(cluster) == "True")
        await cluster.apply([Create(pod(f"p{index}")) for index in range(5)])
        for edit in range(20):
            for index in range(5):
                await set_image(cluster, f"p{index}", f"app:{edit}")
        await until(lambda: agent.images() == {f"p{index}": "app:19" for index in range(5)})
        await until(lambda: link.statistics().unacknowledged == 0)
        revisions = [accepted.digest.revision for accepted in agent.seen]
        assert revisions == sorted(set(revisions))


async def test_a_deleted_node_that_is_away_does_not_come_back_by_its_last_words(broker: Broker, tmp_path: Path) -> None:
    async with reconciler(broker, tmp_path / "r") as (cluster, _):
        async with Agent(broker, tmp_path / "a").running():
            await until(lambda: ready(cluster) == "True")
        await until(lambda: ready(cluster) == "Unknown")
        await cluster.apply([Delete(Ref("Node", "", "n1"))])
        await until_retained(broker, lambda found: not found)
        async with Agent(broker, tmp_path / "a").running():
            await until(lambda: ready(cluster) == "True")


async def test_large_payloads_go_through(broker: Broker, tmp_path: Path) -> None:
    blob = "x" * 900_000
    async with reconciler(broker, tmp_path / "r") as (cluster, _), Agent(broker, tmp_path / "a").running() as agent:
        await cluster.apply([Create(ConfigMap(metadata=ObjectMeta(name="c", namespace="default"), data={"k": blob}))])
        await cluster.apply([Create(pod("web", config="c"))])
        await until(lambda: "configmap/default/c" in agent.link.accepted.configs)
        assert decode(encode(agent.link.accepted.digest), Digest) == agent.link.accepted.digest


async def test_reports_of_an_older_life_of_the_agent_are_ignored(broker: Broker, tmp_path: Path) -> None:
    async with reconciler(broker, tmp_path / "r") as (cluster, _), Agent(broker, tmp_path / "a").running() as agent:
        await cluster.apply([Create(pod("web"))])
        await until(lambda: phase(cluster, "web") == "Running")
        uid, report = next(iter(agent.link.reports.items()))
        async with client(broker) as other:
            for epoch, said in ((1, "Failed"), (report.epoch, "Unknown")):
                changed = replace(report, epoch=epoch, status=PodStatus(phase=said))
                await other.publish(TOPICS.pod_status(uid), encode(changed), qos=1)
        seen = [phase(cluster, "web")]
        cluster.cache.subscribe(lambda _: seen.append(phase(cluster, "web")))
        await until(lambda: phase(cluster, "web") == "Unknown")
        assert "Failed" not in seen


async def test_the_report_of_a_pod_that_nobody_knows_waits_a_while_and_is_cleared(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.link.inbox.ORPHAN_SECONDS", 0.3)
    report = PodReport(epoch=1, generation=1, namespace="default", name="web", status=PodStatus(phase="Running"))
    async with client(broker) as other:
        await other.publish(TOPICS.pod_status("u0"), encode(report), qos=1, retain=True)
    async with reconciler(broker, tmp_path / "r"):
        await until_retained(broker, lambda found: "status/pods/u0" not in found)


async def test_two_changes_to_one_object_at_once_are_both_made(broker: Broker, tmp_path: Path) -> None:
    async with reconciler(broker, tmp_path / "r") as (cluster, link), Agent(broker, tmp_path / "a").running() as agent:
        await until(lambda: ready(cluster) == "True")
        await cluster.apply([Create(pod(f"p{index}")) for index in range(20)])
        async with asyncio.timeout(15):
            while any(phase(cluster, f"p{index}") != "Running" for index in range(20)):
                await set_image(cluster, "p0", f"app:{cluster.store.revision}")
        await until(lambda: link.statistics().unacknowledged == 0)
        assert len(agent.images()) == 20
        assert link.statistics().refused == 0


async def test_a_password_that_the_broker_refuses_is_said_on_both_sides(
    broker: Broker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = BrokerAddress(url=f"mqtt://{broker.username}:wrong@127.0.0.1:{broker.port}")
    cluster = await Cluster.open(await SqliteStore.open(tmp_path / "store.db"), clock=now)
    config = Config(broker=wrong, cluster=CLUSTER, node="n1", data=tmp_path)
    agent = agent_link(config, tmp_path / "a", Feed(tmp_path, lambda _: None))
    links = [Link(cluster, Settings(broker=wrong, cluster=CLUSTER), clock=now).run(), agent.run(lambda _: None)]
    running = [asyncio.create_task(link) for link in links]
    said = "refuses user name or password: check broker.username and broker.passwordFile"
    try:
        await until(
            lambda: (
                {one.name for one in caplog.records if said in one.message}
                == {"reconciler.link.link", "nodeagent.link"}
            )
        )
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await cluster.close()
    assert "wrong@" not in caplog.text


def call(command: str) -> ExecRequest:
    return ExecRequest(uid="u", container="c", command=(command,))


async def said(stream: Stream) -> bytes:
    """Everything that comes on the stream until it ends."""
    pieces = []
    while frame := await stream.receive():
        pieces.append(frame[1])
    return b"".join(pieces)


async def test_a_call_carries_more_than_its_window_both_ways(broker: Broker, tmp_path: Path) -> None:
    async with reconciler(broker, tmp_path / "r") as (_, link), Agent(broker, tmp_path / "a").running():
        await until(lambda: link.present("n1"))
        stream = await link.rpc.open("n1", call("cat"))
        sent = bytes(range(256)) * 8192
        hearing = asyncio.create_task(said(stream))
        await stream.write(STDIN, sent)
        stream.close(STDIN)
        async with asyncio.timeout(20):
            assert await hearing == sent
        assert stream.end == End(exit_code=7)
        assert link.rpc.statistics().streams == 0


async def test_a_reader_that_stops_holds_up_no_other_call(broker: Broker, tmp_path: Path) -> None:
    async with reconciler(broker, tmp_path / "r") as (_, link), Agent(broker, tmp_path / "a").running():
        await until(lambda: link.present("n1"))
        stuck = await link.rpc.open("n1", call("cat"))
        filling = asyncio.create_task(stuck.write(STDIN, bytes(4_000_000)))
        for _ in range(20):
            quick = await link.rpc.open("n1", call("cat"))
            await quick.write(STDIN, b"ahoy")
            async with asyncio.timeout(5):
                assert await quick.receive() == (Data(STDOUT), b"ahoy")
            quick.finish()
        assert not filling.done(), filling
        stuck.finish()
        await asyncio.gather(filling, return_exceptions=True)


async def test_a_call_that_is_refused_says_why(broker: Broker, tmp_path: Path) -> None:
    async with reconciler(broker, tmp_path / "r") as (_, link), Agent(broker, tmp_path / "a").running():
        await until(lambda: link.present("n1"))
        with pytest.raises(Refused, match="no such thing"):
            await link.rpc.open("n1", call("nothing"))
        with pytest.raises(Refused, match="node n2 has no link"):
            await link.rpc.open("n2", call("cat"))


async def test_calls_end_when_the_agent_goes(broker: Broker, tmp_path: Path) -> None:
    async with reconciler(broker, tmp_path / "r") as (_, link):
        async with Agent(broker, tmp_path / "a").running():
            await until(lambda: link.present("n1"))
            stream = await link.rpc.open("n1", call("sleep"))
        async with asyncio.timeout(5):
            assert await stream.receive() is None
        assert stream.end is not None
        assert "node n1 lost its link" in stream.end.message


async def test_calls_end_on_both_sides_when_the_reconciler_or_the_broker_goes(broker: Broker, tmp_path: Path) -> None:
    async with Agent(broker, tmp_path / "a").running() as agent:
        async with reconciler(broker, tmp_path / "r") as (_, link):
            await until(lambda: link.present("n1"))
            stream = await link.rpc.open("n1", call("sleep"))
            assert agent.link.calls == 1
        assert stream.end is not None
        await until(lambda: agent.link.calls == 0)
        async with reconciler(broker, tmp_path / "r") as (_, link):
            await until(lambda: link.present("n1"))
            stream = await link.rpc.open("n1", call("sleep"))
            await broker.kill()
            async with asyncio.timeout(5):
                assert await stream.receive() is None
            await until(lambda: agent.link.calls == 0)
