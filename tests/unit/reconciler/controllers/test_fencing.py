"""A fenced StatefulSet on nodes that are cut off: real controllers, real leases on both sides, a played network.

Messages are lost, doubled and late, links break on either side of the broker, agents and reconciler start anew, clocks
run unevenly, and pods stop as late as they may. Whatever happens, no ordinal ever runs twice, and all run in the end.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from nodeagent.accepted import Accepted
from nodeagent.lease import Lease
from nodeagent.renewal import Renewal
from reconciler.controllers import statefulset
from reconciler.controllers.nodelifecycle import nodelifecycle
from reconciler.controllers.nodezones import nodezones
from reconciler.controllers.podgc import podgc
from reconciler.controllers.silence import Silence
from reconciler.link.leases import Leases
from reconciler.store.changes import Update, UpdateStatus
from reconciler.taints import UNREACHABLE
from schemas.apps import StatefulSet
from schemas.core.affinity import Toleration
from schemas.core.node import Node, NodeCondition
from schemas.core.pod import Pod
from schemas.messages import Assignment, Digest
from schemas.meta import ref_of
from schemas.nodeloss import SHORTEST_GRACE
from tests.unit.reconciler.controllers.builders import node
from tests.unit.reconciler.controllers.setbuilders import stateful_set
from tests.unit.reconciler.controllers.world import START, World, with_phase

TICK = 0.5
NODES = ("n1", "n2", "n3")
FENCED = {"wherry.dev/on-node-loss": "fence", "wherry.dev/lease-seconds": "4"}


class Agent:
    """Keeps to its lease by its own clock, and ends pods as late as their grace allows."""

    def __init__(self, run: Path, clock: Callable[[], float]) -> None:
        self.run, self.clock = run, clock
        self.digest = Digest("store", 0)
        self.pods: dict[str, Pod] = {}
        self.alive: dict[str, str] = {}
        """Name of the pod by uid: what really runs on the machine."""
        self.stopping: dict[str, float] = {}
        self.removed: dict[str, Pod] = {}
        self.connected = True
        self.lives = 0
        self.start()

    def start(self) -> None:
        """Another life of the agent; what runs, runs on."""
        self.lives += 1
        self.lease = Lease(self.run, self.clock)
        self.renewal = Renewal(self.lease, self.lives, self._accepted())
        self.stopping.clear()

    def _accepted(self) -> Accepted:
        return Accepted(self.digest, {uid: Assignment(pod) for uid, pod in self.pods.items()})

    def told(self, digest: Digest, pods: dict[str, Pod]) -> None:
        if digest.revision > self.digest.revision:
            self.digest, self.pods = digest, pods
            self.renewal.accepted(self._accepted())

    def ask(self, publish: Callable[[bytes], None]) -> None:
        async def say(payload: bytes) -> None:
            publish(payload)

        asking = self.renewal._ask(say)
        try:
            asking.send(None)
        except StopIteration:
            return
        raise AssertionError("asking waits for nothing here")

    def act(self) -> None:
        now = self.clock()
        for uid in [*self.alive]:
            pod = self.pods.get(uid)
            if pod is None or pod.metadata.deletion_timestamp is not None or self.lease.left(pod) <= 0:
                self.stopping.setdefault(uid, now + SHORTEST_GRACE)
                if now >= self.stopping[uid]:
                    del self.alive[uid], self.stopping[uid]
        for uid, pod in self.pods.items():
            if pod.metadata.deletion_timestamp is not None:
                if uid not in self.alive:
                    self.removed[uid] = pod
            elif uid not in self.alive and self.lease.left(pod) > 0:
                self.alive[uid] = pod.metadata.name


class Fleet:
    """The brain, the broker and the nodes. Time goes in ticks."""

    def __init__(self, directory: Path, drift: float) -> None:
        self.time = 0.0
        controllers = (
            statefulset.CONTROLLER,
            nodelifecycle(self.silence),
            nodezones(0),
            podgc(self.silence),
        )
        self.world = World(controllers)
        rates = (1.0, 1 + drift, 1 - drift)
        self.agents = {name: self._agent(directory / name, rate) for name, rate in zip(NODES, rates, strict=True)}
        self.asked: list[tuple[str, bytes]] = []
        self.granted: list[tuple[str, bytes]] = []
        self.retained: dict[str, tuple[Digest, dict[str, Pod]]] = {}
        self.connected = False
        self.is_lively = True
        """Whether whatever is connected does its duty by itself, or only as it is told."""
        self.slow = ""
        """A node that does so in any case."""
        self.leases = self._leases()
        self.world.create(*(node(name) for name in (*NODES, "steady")), self._set())
        self.connect()

    def _agent(self, run: Path, rate: float) -> Agent:
        return Agent(run, lambda: self.time * rate)

    def _set(self) -> StatefulSet:
        made = stateful_set(2, parallel=True)
        template = made.spec.template
        assert template.spec is not None
        away = Toleration("NoExecute", UNREACHABLE, "Exists", 1)
        spec = structs.replace(template.spec, tolerations=(away,), termination_grace_period_seconds=1)
        template = structs.replace(template, spec=spec, metadata=structs.replace(template.metadata, annotations=FENCED))
        return structs.replace(made, spec=structs.replace(made.spec, template=template))

    def _leases(self) -> Leases:
        return Leases(self.world.cache, self._told, lambda: self.time)

    def silence(self, name: str) -> Silence:
        return self.leases.silence(name)

    def _told(self, name: str) -> Digest | None:
        self.publish()
        found = self.retained.get(name)
        return found[0] if found is not None and self.connected else None

    # the reconciler and its link

    def connect(self) -> None:
        self.connected = True
        self.leases.begin(lambda name, _, payload: self.granted.append((name, payload)), self._prove)
        for agent in self.agents.values():
            if agent.connected:
                agent.renewal.reconciler(True)

    def _prove(self) -> None:
        if self.connected:
            self.leases.proved(self.time)

    def disconnect(self) -> None:
        self.connected = False
        self.leases.end()

    def notice_disconnected(self) -> None:
        """The broker tells of the reconciler's last will."""
        if not self.connected:
            for agent in self.agents.values():
                if agent.connected:
                    agent.renewal.reconciler(False)

    def restart(self) -> None:
        self.disconnect()
        self.notice_disconnected()
        self.leases = self._leases()
        found = [*self.world.cache.list(Node), *self.world.pods()]
        self.world.restart(found)
        self.connect()

    def publish(self) -> None:
        if not self.connected:
            return
        for name in NODES:
            pods = {pod.metadata.uid: pod for pod in self.world.cache.pods_on(name)}
            before = self.retained.get(name)
            if before is None or before[1] != pods:
                self.retained[name] = (Digest("store", self.world.cache.revision), pods)

    def hear(self) -> None:
        """What nodes have said of pods that ended."""
        for agent in self.agents.values():
            if agent.connected and self.connected:
                for pod in agent.removed.values():
                    if self.world.cache.by_uid(pod.metadata.uid) is not None:
                        self.world.delete(ref_of(pod), grace_seconds=0)
                agent.removed.clear()

    def judge(self, name: str, status: str) -> None:
        """The link writes what it knows of a node."""
        found = self.world.cache.get(Node, "", name)
        if found is not None and self.connected:
            told = (NodeCondition(status, "Ready", last_transition_time=self.world.now),)
            self.world.apply(
                (UpdateStatus(structs.replace(found, status=structs.replace(found.status, conditions=told))),)
            )
            self.leases.settle(name)

    # the network

    def cut(self, name: str) -> None:
        agent = self.agents[name]
        agent.connected = False
        agent.renewal.lost()

    def heal(self, name: str) -> None:
        agent = self.agents[name]
        agent.connected = True
        if self.connected:
            agent.renewal.reconciler(True)

    def ask(self, name: str, *, arrives: bool = True) -> None:
        agent = self.agents[name]
        if agent.connected:
            agent.ask(lambda payload: self.asked.append((name, payload)) if arrives else None)

    def deliver(self, number: int, *, again: bool = False) -> None:
        """Any of the messages that are under way, in any order; even to a node that has been cut off since."""
        for under_way in (self.asked, self.granted):
            if under_way:
                self.arrive(under_way, under_way[number % len(under_way)], again=again)

    def arrive(self, under_way: list[tuple[str, bytes]], message: tuple[str, bytes], *, again: bool = False) -> None:
        if under_way is self.granted:
            self.agents[message[0]].renewal.granted(message[1])
        elif self.connected:
            self.leases.asked(*message)
        if not again:
            under_way.remove(message)

    def tell(self, name: str) -> None:
        self.publish()
        if self.agents[name].connected and name in self.retained:
            self.agents[name].told(*self.retained[name])

    # time

    def place(self) -> None:
        """Plays the scheduler: on the node that is ready and has the fewest."""
        for pod in self.world.pods():
            ready = [one.metadata.name for one in self.world.cache.list(Node) if _is_ready(one)]
            able = [name for name in ready if name in NODES]
            if not pod.spec.node_name and able:
                chosen = min(able, key=lambda name: (len(self.world.cache.pods_on(name)), name))
                spec = structs.replace(pod.spec, node_name=chosen)
                self.world.apply((Update(structs.replace(pod, spec=spec)),))

    def pass_time(self, seconds: float) -> None:
        for _ in range(int(seconds / TICK)):
            self.time += TICK
            self.world.advance(max(0.0, (START + timedelta(seconds=self.time) - self.world.now).total_seconds()))
            self.world.settle()
            self.place()
            self.world.settle()
            if self.is_lively:
                self.work()
            for agent in self.agents.values():
                agent.act()
            self.check()

    def check(self) -> None:
        running = [name for agent in self.agents.values() for name in agent.alive.values()]
        assert len(running) == len(set(running)), f"twice at {self.time}: {running}"

    def work(self) -> None:
        """Everything that is connected does its duty once, and what it says arrives."""
        self.hear()
        lively = [name for name in NODES if name != self.slow]
        for name in lively:
            self.judge(name, "True" if self.agents[name].connected else "Unknown")
            self.tell(name)
            self.ask(name)
        for under_way in (self.asked, self.granted):
            for message in [one for one in under_way if one[0] in lively]:
                self.arrive(under_way, message)

    def recover(self) -> None:
        self.slow = ""
        if not self.connected:
            self.connect()
        for name in NODES:
            self.heal(name)
        for _ in range(120):
            self.work()
            for pod in self.world.pods():
                if pod.metadata.uid in self.agents[pod.spec.node_name or "n1"].alive and pod.status.phase != "Running":
                    self.world.apply((UpdateStatus(with_phase(pod, "Running", self.world.now, ready=True)),))
            self.pass_time(1)
            ending = any(pod.metadata.deletion_timestamp for pod in self.world.pods())
            if not ending and fleet_runs(self) == ["db-0", "db-1"]:
                return


def _is_ready(one: Node) -> bool:
    return any(told.type == "Ready" and told.status == "True" for told in one.status.conditions)


@contextmanager
def a_fleet(drift: float = 0.0) -> Iterator[Fleet]:
    with tempfile.TemporaryDirectory() as directory:
        fleet = Fleet(Path(directory), drift)
        for _ in range(8):
            fleet.work()
            fleet.pass_time(0.5)
        assert fleet_runs(fleet) == ["db-0", "db-1"]
        yield fleet


def fleet_runs(fleet: Fleet) -> list[str]:
    return sorted(name for agent in fleet.agents.values() for name in agent.alive.values())


NODE = st.sampled_from(NODES)
STEPS = st.one_of(
    st.tuples(st.sampled_from(["cut", "heal", "lost", "back", "ask", "ask in vain", "tell", "start agent"]), NODE),
    st.tuples(st.sampled_from(["deliver", "deliver twice"]), st.integers(0, 5)),
    st.tuples(st.just("wait"), st.sampled_from([0.5, 1.0, 3.0, 10.0, 20.0])),
    st.sampled_from(
        [("disconnect",), ("will",), ("connect",), ("restart",), ("work",), ("work",), ("delete",), ("lively",)]
    ),
)


def play(fleet: Fleet, step: tuple[object, ...]) -> None:
    match step:
        case ("cut", str(name)):
            fleet.cut(name)
        case ("heal", str(name)):
            fleet.heal(name)
        case ("lost", str(name)) if not fleet.agents[name].connected:
            fleet.judge(name, "Unknown")
        case ("back", str(name)) if fleet.agents[name].connected:
            fleet.judge(name, "True")
        case ("ask" | "ask in vain" as how, str(name)):
            fleet.ask(name, arrives=how == "ask")
        case ("tell", str(name)):
            fleet.tell(name)
        case ("start agent", str(name)):
            fleet.agents[name].start()
        case ("deliver" | "deliver twice" as how, int(number)):
            fleet.deliver(number, again=how == "deliver twice")
        case ("wait", float(seconds)):
            fleet.pass_time(seconds)
        case ("disconnect",):
            fleet.disconnect()
        case ("will",):
            fleet.notice_disconnected()
        case ("connect",) if not fleet.connected:
            fleet.connect()
        case ("restart",):
            fleet.restart()
        case ("work",):
            fleet.work()
        case ("lively",):
            fleet.is_lively = not fleet.is_lively
        case ("delete",) if fleet.world.pods():
            fleet.world.delete(ref_of(fleet.world.pods()[0]))


@settings(max_examples=20, deadline=None)
@given(steps=st.lists(STEPS, max_size=25), drift=st.sampled_from([0.0, 0.01]))
def test_no_ordinal_ever_runs_twice_and_all_run_in_the_end(steps: list[tuple[object, ...]], drift: float) -> None:
    with a_fleet(drift) as fleet:
        for step in steps:
            play(fleet, step)
            fleet.check()
        fleet.recover()
        assert fleet_runs(fleet) == ["db-0", "db-1"]
        assert not any(pod.metadata.deletion_timestamp for pod in fleet.world.pods())


VICTIM = st.one_of(
    st.sampled_from(["cut", "heal", "lost", "back", "tell", "ask", "ask", "ask in vain"]),
    st.tuples(st.just("deliver"), st.integers(0, 2)),
    st.tuples(st.just("wait"), st.sampled_from([0.5, 2.0, 10.0])),
    st.sampled_from([("disconnect",), ("will",), ("connect",)]),
)


@settings(max_examples=15, deadline=None)
@given(steps=st.lists(VICTIM, max_size=14))
def test_a_node_that_is_heard_by_halves_never_runs_what_was_replaced(steps: list[str | tuple[object, ...]]) -> None:
    """The other nodes do their duty, so that what is lost is replaced at once."""
    with a_fleet() as fleet:
        fleet.slow = home(fleet)
        for step in steps:
            play(fleet, (step, fleet.slow) if isinstance(step, str) else step)
            fleet.pass_time(0.5)
        fleet.recover()
        assert fleet_runs(fleet) == ["db-0", "db-1"]


def home(fleet: Fleet, name: str = "db-0") -> str:
    return next(pod.spec.node_name for pod in fleet.world.pods() if pod.metadata.name == name)


def test_a_pod_whose_node_is_cut_off_runs_elsewhere_a_lease_and_a_grace_and_a_margin_later() -> None:
    with a_fleet() as fleet:
        before = home(fleet)
        fleet.cut(before)
        fleet.judge(before, "Unknown")
        stopped = moved = 0.0
        for seconds in range(1, 60):
            fleet.work()
            fleet.pass_time(1)
            if not fleet.agents[before].alive:
                stopped = stopped or seconds
            if home(fleet) not in ("", before):
                moved = moved or seconds
        assert 4 <= stopped <= 8
        assert 4 + 2 + 5 <= moved <= 4 + 2 + 5 + 3
        assert fleet_runs(fleet) == ["db-0", "db-1"]


def test_a_node_that_is_back_in_time_keeps_its_pod() -> None:
    with a_fleet() as fleet:
        before = home(fleet)
        uid = next(pod.metadata.uid for pod in fleet.world.pods() if pod.metadata.name == "db-0")
        fleet.cut(before)
        fleet.judge(before, "Unknown")
        fleet.pass_time(2)
        fleet.heal(before)
        for _ in range(10):
            fleet.work()
            fleet.pass_time(1)
        assert uid in fleet.agents[before].alive


def test_pods_run_on_while_there_is_no_reconciler() -> None:
    with a_fleet() as fleet:
        fleet.disconnect()
        fleet.notice_disconnected()
        for _ in range(60):
            for name in NODES:
                fleet.ask(name)
            fleet.pass_time(1)
            assert fleet_runs(fleet) == ["db-0", "db-1"]


def test_without_a_broker_they_stop() -> None:
    with a_fleet() as fleet:
        for name in NODES:
            fleet.cut(name)
        fleet.pass_time(8)
        assert fleet_runs(fleet) == []


def test_a_pod_of_a_node_that_is_deleted_waits_for_its_lease_too() -> None:
    with a_fleet() as fleet:
        before = home(fleet)
        fleet.cut(before)
        fleet.world.delete(ref_of(fleet.world.get(Node, "", before)))
        fleet.pass_time(8)
        assert home(fleet) == before
        fleet.pass_time(8)
        assert home(fleet) != before


def replaced() -> Iterator[tuple[Fleet, str]]:
    """A fleet where `db-0` runs elsewhere: its first node, which is given, was cut off with an answer under way."""
    with a_fleet() as fleet:
        fleet.slow = home(fleet)
        fleet.ask(fleet.slow)
        fleet.arrive(fleet.asked, fleet.asked[-1])
        fleet.cut(fleet.slow)
        fleet.judge(fleet.slow, "Unknown")
        fleet.pass_time(25)
        assert home(fleet) not in ("", fleet.slow)
        assert fleet_runs(fleet) == ["db-0", "db-1"]
        yield fleet, fleet.slow


def test_a_node_that_is_back_starts_nothing_before_it_has_heard_what_was_replaced() -> None:
    for fleet, name in replaced():
        fleet.heal(name)
        fleet.judge(name, "True")
        fleet.ask(name)
        while fleet.asked or fleet.granted:
            fleet.deliver(0)
        fleet.pass_time(3)
        assert not fleet.agents[name].alive
        fleet.tell(name)
        fleet.pass_time(3)
        assert not fleet.agents[name].alive


def test_word_that_was_asked_for_before_the_cut_and_comes_late_is_no_lease() -> None:
    for fleet, name in replaced():
        fleet.judge(name, "True")
        while fleet.asked or fleet.granted:
            fleet.deliver(0)
        fleet.pass_time(3)
        assert not fleet.agents[name].alive
