"""A fleet with a fenced StatefulSet: real controllers, real leases on both sides, a played network and played agents.

Messages are lost, doubled and late, links break on either side of the broker, agents and reconciler start anew, clocks
run unevenly, and pods stop as late as they may.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

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
