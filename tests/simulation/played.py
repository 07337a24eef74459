"""A cluster in memory whose scheduler, agents and people are played, step by step, on all the real controllers.

It watches as it goes: each commit is judged by what was promised for every moment, not only for the end.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from msgspec import structs

from reconciler.controllers.daemonpods import node_of
from reconciler.controllers.podstate import active, ended, ready
from reconciler.controllers.registry import ControllerSettings, controllers
from reconciler.controllers.replicacounts import max_surge, max_unavailable, wanted
from reconciler.store.changes import Change, ChangeError, Update, UpdateStatus
from reconciler.store.view import Event
from schemas.apps import DaemonSet, Deployment, ReplicaSet, StatefulSet
from schemas.batch import Job
from schemas.core.node import Node, NodeCondition
from schemas.core.pod import Pod
from schemas.kinds import KINDS
from schemas.meta import Object, Ref, controller_of, ref_of
from tests.unit.reconciler.controllers.world import World, with_phase

NODES = ("n0", "n1", "n2")


class Played(World):
    """A `World` that knows which controller is at work, and what the machines really run."""

    def __init__(self) -> None:
        super().__init__(controllers(ControllerSettings()))
        self.acting = ""
        self.broken: list[str] = []
        self.away: set[str] = set()
        self.calm = True
        """Nothing has failed, and nobody has asked for anything, since all controllers were last at rest."""
        self._limits: dict[int, tuple[int, int]] = {}
        self._carried_out = 0
        """The generation of the Deployment of which its sets had as many pods as they were told to, last."""
        self._containers: dict[str, tuple[str, str]] = {}
        """What runs on the machines: the uid of a pod, its node and its name. A node that is cut off goes on."""
        self.cache.subscribe(self._judge)

    def step(self, pick: Callable[[Sequence[tuple[str, Ref]]], tuple[str, Ref]] = lambda keys: keys[0]) -> bool:
        if not self.queued:
            self.calm = True
            return False
        chosen = pick(self.queued)
        self.acting = chosen[0]
        try:
            return super().step(lambda _: chosen)
        finally:
            self.acting = ""
            assert not self.broken, self.broken

    def objects(self) -> Iterator[Object]:
        for kind in KINDS:
            yield from self.cache.list(kind.type)

    def start_anew(self) -> None:
        """The reconciler is killed and started: what it had in mind is gone."""
        self._controllers = {one.name: one for one in controllers(ControllerSettings())}
        self.restart([*self.objects()])

    def lose(self, number: int) -> None:
        """So many of the keys that wait are lost, as when the reconciler dies before it comes to them."""
        for key in self.queued[:number]:
            del self._queue[key]

    def hear_again(self, object_: Object) -> None:
        """An event comes a second time."""
        self._spread(Event(self.cache.revision, object_, object_))

    def try_to(self, *changes: Change) -> bool:
        """What somebody else asks for, who may have been too late."""
        try:
            self.apply(changes)
        except ChangeError:
            return False
        return True

    # scheduler and agents

    def place(self, pods: Iterable[Pod]) -> None:
        for number, pod in enumerate(pods):
            fit = [one.metadata.name for one in self.cache.list(Node) if not one.spec.taints]
            if not pod.spec.node_name and pod.metadata.deletion_timestamp is None and fit:
                node = node_of(pod) or fit[number % len(fit)]
                self.try_to(Update(structs.replace(pod, spec=structs.replace(pod.spec, node_name=node))))

    def reachable(self) -> list[Pod]:
        """Pods that an agent can say something of."""
        there = {one.metadata.name for one in self.cache.list(Node)} - self.away
        return [pod for pod in self.pods() if pod.spec.node_name in there]

    def serve(self, pods: Iterable[Pod]) -> None:
        for pod in pods:
            if active(pod) and not ready(pod):
                self._containers[pod.metadata.uid] = (pod.spec.node_name, pod.metadata.name)
                reported = with_phase(pod, "Running", self.now, ready=True)
                status = structs.replace(reported.status, pod_ip=f"10.0.0.{len(self._containers) % 250 + 1}")
                self.try_to(UpdateStatus(structs.replace(reported, status=status)))

    def report(self, pod: Pod, phase: str) -> None:
        if phase in ("Succeeded", "Failed"):
            self._containers.pop(pod.metadata.uid, None)
        self.try_to(UpdateStatus(with_phase(pod, phase, self.now)))

    def end(self) -> bool:
        """Agents end what is to end. Whether there was anything."""
        found = [pod for pod in self.reachable() if pod.metadata.deletion_timestamp is not None]
        for pod in found:
            self._containers.pop(pod.metadata.uid, None)
            self.delete(ref_of(pod), grace_seconds=0)
        return bool(found)

    def sweep(self, node: str) -> None:
        """An agent that is back ends what nobody asks for any more."""
        told = {pod.metadata.uid for pod in self.pods()}
        for uid in [uid for uid, (where, _) in self._containers.items() if where == node and uid not in told]:
            del self._containers[uid]

    def connect(self, node: str, *, up: bool) -> None:
        found = self.cache.get(Node, "", node)
        if found is None:
            return
        self.away = self.away - {node} if up else self.away | {node}
        told = (NodeCondition("True" if up else "Unknown", "Ready", last_transition_time=self.now, reason="Kubelet"),)
        status = structs.replace(found.status, conditions=told)
        self.apply((UpdateStatus(structs.replace(found, status=status)),))
        if up:
            self.sweep(node)

    def scrap(self, node: str) -> None:
        """Somebody deletes the node, and vouches with it that nothing runs there."""
        if self.cache.get(Node, "", node) is not None:
            self.away.discard(node)
            self._containers = {uid: one for uid, one in self._containers.items() if one[0] != node}
            self.delete(Ref("Node", "", node))

    # what must hold at every moment

    def _hold(self, held: bool, promise: str) -> None:
        """Kept until the commit is through: what a listener raises is the cache's affair."""
        if not held:
            self.broken.append(promise)

    def _judge(self, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event.new, Deployment):
                if event.old is None:
                    self._limits.clear()
                    self._carried_out = 0
                self._limits[event.new.metadata.generation] = _limits(event.new)
        self._judge_deployment(events)
        self._judge_ordinals(events)
        self._judge_nodes(events)

    def _judge_deployment(self, events: Sequence[Event]) -> None:
        web = self.cache.get(Deployment, "default", "web")
        if web is None or self.acting != "replicaset":
            return
        seen = [one for generation, one in self._limits.items() if generation >= web.status.observed_generation]
        there = [pod for pod in self.pods("default") if active(pod) and self._is_of(web, pod)]
        if any(event.old is None and isinstance(event.new, Pod) and self._is_of(web, event.new) for event in events):
            # A set may still carry out what it was told under a limit that has been lowered since.
            told = [most for generation, (most, _) in self._limits.items() if generation >= self._carried_out]
            self._hold(len(there) <= max(told), "more than replicas and maxSurge")
        sets = (one for one in self.cache.list(ReplicaSet) if _controlled_by(one, web))
        if all(one.status.replicas == one.spec.replicas for one in sets):
            self._carried_out = web.status.observed_generation
        gone = [event.old for event in events if isinstance(event.old, Pod) and _leaves(event)]
        if self.calm and any(ready(pod) and self._is_of(web, pod) for pod in gone):
            self._hold(sum(map(ready, there)) >= min(few for _, few in seen), "fewer are available than allowed")

    def _is_of(self, web: Deployment, pod: Pod) -> bool:
        owner = controller_of(pod)
        found = self.cache.by_uid(owner.uid) if owner is not None else None
        above = controller_of(found) if isinstance(found, ReplicaSet) else None
        return above is not None and above.uid == web.metadata.uid

    def _judge_ordinals(self, events: Sequence[Event]) -> None:
        """A name is given to a second pod only when nothing runs any more under it."""
        for event in events:
            if event.old is None and isinstance(event.new, Pod) and _kind_of_owner(event.new) == "StatefulSet":
                name = event.new.metadata.name
                alive = [where for where, what in self._containers.values() if what == name]
                self._hold(not alive, f"{name} is made while one still runs")

    def _judge_nodes(self, events: Sequence[Event]) -> None:
        """No node gets a pod of a DaemonSet that it has already, but for the one that comes before the old one goes."""
        made = [event.new for event in events if event.old is None and isinstance(event.new, Pod)]
        for pod in made if self.acting == "daemonset" else ():
            owner = controller_of(pod)
            found = self.cache.by_uid(owner.uid) if owner is not None else None
            rolling = found.spec.update_strategy.rolling_update if isinstance(found, DaemonSet) else None
            there = [one for one in self.cache.owned_by(Pod, owner.uid if owner else "") if active(one)]
            number = Counter(map(node_of, there))[node_of(pod)]
            self._hold(number <= (2 if rolling is not None and rolling.max_surge else 1), "two daemon pods on a node")

    def judge_jobs(self) -> None:
        for job in self.cache.list(Job):
            there = [pod for pod in self.cache.owned_by(Pod, job.metadata.uid) if active(pod)]
            assert len(there) <= max(1, job.spec.parallelism or 1), "more than its parallelism"

    def orphans(self) -> list[Ref]:
        """What has owners of whom none is there, and pods that nobody has made."""
        return [
            ref_of(one)
            for one in self.objects()
            if (owners := one.metadata.owner_references) and not any(self.cache.by_uid(each.uid) for each in owners)
        ]


def _controlled_by(one: ReplicaSet, web: Deployment) -> bool:
    owner = controller_of(one)
    return owner is not None and owner.uid == web.metadata.uid


def _limits(web: Deployment) -> tuple[int, int]:
    """The most pods that there may be, and the fewest that have to be available."""
    if web.spec.strategy.type == "Recreate":
        return wanted(web), 0
    return wanted(web) + max_surge(web), wanted(web) - max_unavailable(web)


def _leaves(event: Event) -> bool:
    assert event.old is not None
    going = event.new is None or event.new.metadata.deletion_timestamp is not None
    return going and event.old.metadata.deletion_timestamp is None


def _kind_of_owner(pod: Pod) -> str:
    owner = controller_of(pod)
    return owner.kind if owner is not None else ""


def kept(world: Played, owner: StatefulSet | Deployment | DaemonSet) -> list[Pod]:
    """Its pods that run."""
    sets = [one.metadata.uid for one in world.cache.owned_by(ReplicaSet, owner.metadata.uid)]
    uids = {owner.metadata.uid, *sets}
    owned = ((pod, controller_of(pod)) for pod in world.pods() if not ended(pod))
    return [pod for pod, by in owned if by is not None and by.uid in uids]
