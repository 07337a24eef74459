"""How the rooms of an agent are joined: the network before the pods, whatever comes first; and what is reported."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from nodeagent import agent as agents
from nodeagent.accepted import NOTHING_ACCEPTED, Accepted
from nodeagent.agent import Agent
from nodeagent.checkpoint import Checkpoint
from nodeagent.config import Config
from nodeagent.link import Link
from nodeagent.network.commands import NetworkFailure
from nodeagent.network.state import NetworkState
from nodeagent.node import Machine, simulated_machine
from nodeagent.runtime.fake import FakeRuntime
from nodeagent.simulation import SIMULATED
from schemas.configuration import BrokerAddress
from schemas.core.node import NodeStatus
from schemas.core.pod import Pod
from schemas.messages import NodeEvent
from tests.unit.nodeagent.pods.builders import accepted, pod

CIDR = "10.244.3.0/24"


class FarLink(Link):
    """The link of a node whose broker never answers; a test says what arrives."""

    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options)  # type: ignore[arg-type]
        self.told: list[NodeStatus] = []
        self.events: list[NodeEvent] = []

    def event(self, event: NodeEvent) -> None:
        if not event.uid:
            self.events.append(event)
        super().event(event)

    def node(self, status: NodeStatus, labels: dict[str, str]) -> None:
        self.told.append(status)
        super().node(status, labels)

    async def run(self, on_accepted: Callable[[Accepted], None]) -> None:
        self._on_accepted = on_accepted
        await asyncio.Event().wait()

    def arrive(self, accepted: Accepted) -> None:
        self.accepted = accepted
        self._on_accepted(accepted)


class Node:
    """An agent over simulated containers, and what it asked of its surroundings, in order."""

    def __init__(self, folder: Path) -> None:
        self.runtime = FakeRuntime(pod_cidr="")
        self.machine = simulated_machine("n1")
        self.happened: list[str] = []
        self.failures = 0
        self.known = NetworkState()
        self.addresses: dict[str, tuple[str, ...]] = {}
        self.config = Config(
            node="n1", broker=BrokerAddress(url="mqtt://192.0.2.1"), data=folder / "data", run=folder / "run"
        )

    def start(self) -> Agent:
        return Agent(
            self.config,
            self.runtime,
            machine=self._machine,
            network=self,
            prepare=self._prepare,
            simulation=SIMULATED,
        )

    def _machine(self) -> Machine:
        return self.machine

    async def _prepare(self) -> None:
        self.happened.append("prepared")

    async def lay(self, pod_cidr: str) -> None:
        if self.failures:
            self.failures -= 1
            self.happened.append("failed")
            raise NetworkFailure("no bridge")
        self.happened.append(pod_cidr)
        self.runtime.lay_network(pod_cidr)

    def update(self, state: NetworkState) -> None:
        self.known = state

    def linked(self, linked: bool) -> None:
        """Nothing is announced here."""

    def configs(self, configs: object) -> None:
        """No Ingress is served here."""

    def placed(self, uid: str, addresses: tuple[str, ...]) -> None:
        self.addresses[uid] = addresses


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    monkeypatch.setattr(agents, "Link", FarLink)
    monkeypatch.setattr(agents, "NETWORK_RETRY_SECONDS", 0.01)
    monkeypatch.setattr(agents, "AWAY_SECONDS", 0.01)
    return Node(tmp_path)


@asynccontextmanager
async def running(node: Node) -> AsyncIterator[tuple[Agent, FarLink]]:
    """A life of the agent, from the moment in which the runtime has been looked at or is found away."""
    agent = node.start()
    link = agent.link
    assert isinstance(link, FarLink)
    task = asyncio.create_task(agent.run())
    try:
        await until(lambda: bool(link.told))
        yield agent, link
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], bool], limit: float = 60.0) -> None:
    async with asyncio.timeout(limit):
        while not condition():
            await asyncio.sleep(0.002)


def with_network(pods: Iterable[Pod]) -> Accepted:
    held = accepted(pods)
    return replace(held, digest=replace(held.digest, pod_cidr=CIDR))


def is_running(link: Link, uid: str = "u1") -> bool:
    return uid in link.reports and link.reports[uid].status.phase == "Running"


async def test_what_arrives_after_the_runtime_has_answered_starts_on_the_network_laid_for_it(node: Node) -> None:
    async with running(node) as (agent, link):
        await until(lambda: agent.workers.statistics().available)
        link.arrive(with_network([pod()]))
        await until(lambda: is_running(link))
    assert node.happened == ["prepared", CIDR]
    assert link.reports["u1"].status.pod_ip.startswith("10.244.3.")


async def test_what_arrives_before_the_runtime_answers_starts_when_it_does(node: Node) -> None:
    node.runtime.set_available(False)
    async with running(node) as (agent, link):
        link.arrive(with_network([pod()]))
        assert not link.reports
        node.runtime.set_available(True)
        await until(lambda: is_running(link))
        assert agent.workers.statistics().workers == 1


async def test_what_the_checkpoint_holds_starts_with_no_broker(node: Node) -> None:
    Checkpoint(node.config.data / "accepted").save(with_network([pod()]), NOTHING_ACCEPTED)
    async with running(node) as (_, link):
        await until(lambda: is_running(link))
    assert node.happened[-1] == CIDR


async def test_an_agent_that_begins_again_adopts_what_runs(node: Node) -> None:
    Checkpoint(node.config.data / "accepted").save(with_network([pod()]), NOTHING_ACCEPTED)
    async with running(node) as (_, link):
        await until(lambda: is_running(link))
    before = await node.runtime.list_containers()
    async with running(node) as (_, link):
        await until(lambda: is_running(link))
    assert await node.runtime.list_containers() == before


async def test_a_network_that_fails_is_laid_again_and_pods_wait_for_it(node: Node) -> None:
    node.failures = 2
    async with running(node) as (_, link):
        link.arrive(with_network([pod()]))
        await until(lambda: is_running(link))
    assert [one for one in node.happened if one != "prepared"] == ["failed", "failed", CIDR]
    assert [(one.reason, one.message) for one in link.events] == [("NetworkNotReady", "pods cannot start: no bridge")]


async def test_a_node_that_lacks_wireguard_says_so(node: Node) -> None:
    async with running(node) as (agent, link):
        agent.not_secured("wg is not installed")
    (event,) = link.events
    assert (event.type, event.reason) == ("Warning", "WireGuardMissing")
    assert event.message.endswith("WireGuard cannot be used: wg is not installed")


async def test_the_network_is_laid_once(node: Node) -> None:
    async with running(node) as (_, link):
        link.arrive(with_network([pod()]))
        await until(lambda: is_running(link))
        link.arrive(with_network([pod(), pod("u2", "other")]))
        await until(lambda: is_running(link, "u2"))
    assert node.happened.count(CIDR) == 1


async def test_pods_wait_for_the_digest_that_brings_the_cidr(node: Node) -> None:
    async with running(node) as (agent, link):
        await until(lambda: agent.workers.statistics().available)
        link.arrive(accepted([pod()]))
        assert agent.workers.statistics().workers == 0
        link.arrive(with_network([pod()]))
        await until(lambda: is_running(link))


async def test_the_node_is_reported_only_when_it_changed(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agents, "LOOK_SECONDS", 0.002)
    looks = 0

    def look() -> Machine:
        nonlocal looks
        looks += 1
        return node.machine

    monkeypatch.setattr(node, "_machine", look)
    async with running(node) as (_, link):
        await until(lambda: looks > 10)
        assert len(link.told) == 1
        node.machine = replace(node.machine, addresses=("10.0.0.9",))
        await until(lambda: len(link.told) == 2)
        before = looks
        await until(lambda: looks > before + 10)
        assert len(link.told) == 2
    assert link.told[1].addresses[0].address == "10.0.0.9"


async def test_images_that_came_are_told_at_once(node: Node) -> None:
    async with running(node) as (agent, link):
        assert link.told[0].images == ()
        await node.runtime.pull_image("app:1")
        agent.images_came(["app:1"])
        await until(lambda: len(link.told) == 2)
        assert link.told[1].images[0].names == ("docker.io/library/app:1",)


async def test_a_runtime_that_is_away_makes_the_node_not_ready_and_is_said_once(
    node: Node, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(agents, "AWAY_LONG_SECONDS", 0.02)
    node.runtime.set_available(False)
    async with running(node) as (_, link):
        assert readiness(link.told[0]) == ("False", "container runtime is down")
        await until(lambda: "no pod can be started: the simulated runtime is switched off" in caplog.text)
        node.runtime.set_available(True)
        await until(lambda: readiness(link.told[-1])[0] == "True")
    assert caplog.text.count("no pod can be started") == 1


def readiness(status: NodeStatus) -> tuple[str, str]:
    (ready,) = [one for one in status.conditions if one.type == "Ready"]
    return ready.status, ready.message
