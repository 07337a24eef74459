"""Rebalance: pods of a workload with `wherry.dev/rebalance` move when a node has come that they would be better on.

One pod at a time, when all of the workload are ready, within its budgets, and only to where the scheduler would place
the pod now. A move has to even out the zones, else the nodes, else how full the nodes are; each of these only ever gets
more even by it, so that the moves come to an end. Off by default: Kubernetes itself never moves a pod that runs.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from reconciler.controllers import podstate
from reconciler.controllers.budgets import Blocked, taken, told_why
from reconciler.controllers.interface import NOTHING, Controller, Plan
from reconciler.controllers.nodestate import is_ready
from reconciler.controllers.nodezones import zone_of
from reconciler.controllers.wouldplace import Loads, Placement
from reconciler.store.changes import Delete, Emit
from reconciler.store.view import Event, View
from schemas import conditions
from schemas.apps import Deployment, ReplicaSet, StatefulSet
from schemas.core.node import Node
from schemas.core.pod import Pod
from schemas.core.replication import ReplicationController
from schemas.meta import Object, Ref, controller_of, ref_of

ANNOTATION = "wherry.dev/rebalance"
STEADY = timedelta(seconds=30)
"""For so long a node has been ready before pods move there: one that comes and goes shall not draw them."""
GAIN = 0.1
"""By so much of a node the fullest one has to become less full."""
RETRY_SECONDS = 30.0
COMPONENT = "rebalance-controller"
_Workload = ReplicaSet | ReplicationController | StatefulSet
_WORKLOADS = (ReplicaSet, ReplicationController, StatefulSet)


def concerns(event: Event, view: View) -> Iterable[Ref]:
    """All such workloads when a node has come, or a pod of one of them has become ready: it may have made room.

    One alone when it begins to be such a workload.
    """
    new = event.new
    if isinstance(new, Node):
        return _all(view) if _takes(new) and not (isinstance(event.old, Node) and _takes(event.old)) else ()
    if isinstance(new, Pod):
        came = podstate.ready(new) and not (isinstance(event.old, Pod) and podstate.ready(event.old))
        owner = controller_of(new) if came else None
        found = view.by_uid(owner.uid) if owner is not None else None
        return _all(view) if isinstance(found, _WORKLOADS) and _is_wanted(found) else ()
    if isinstance(new, _WORKLOADS):
        before = isinstance(event.old, _WORKLOADS) and _is_wanted(event.old)
        return (ref_of(new),) if not before and _is_wanted(new) else ()
    return ()


def _all(view: View) -> Iterator[Ref]:
    for type_ in _WORKLOADS:
        for found in view.list(type_):
            if _is_wanted(found):
                yield ref_of(found)


def _is_wanted(workload: Object) -> bool:
    """Whether it bears the annotation, as its own or as a copy of its Deployment's."""
    return workload.metadata.annotations.get(ANNOTATION) == "true"


def _takes(node: Node) -> bool:
    return is_ready(node) and not node.spec.unschedulable and node.metadata.deletion_timestamp is None


def reconcile(ref: Ref, view: View, now: datetime) -> Plan:
    workload = view.find(ref)
    if not isinstance(workload, _WORKLOADS) or not _is_wanted(workload):
        return NOTHING
    pods = _at_rest(workload, view)
    nodes = {node.metadata.name: node for node in view.list(Node)}
    if not pods or not all(pod.spec.node_name in nodes for pod in pods):
        return NOTHING
    balance = Balance(pods, nodes, view)
    placement = Placement(view)
    for pod in balance.crowded():
        target = placement.target(pod)
        if not target or not balance.gains(pod, target):
            continue
        wait = _steady_in(nodes[target], now)
        if wait > 0:
            return Plan(requeue_after=wait)
        toll = taken(pod, view, now)
        if isinstance(toll, Blocked):
            return Plan(requeue_after=RETRY_SECONDS)
        text = f"Moving pod {pod.metadata.name} from {pod.spec.node_name}: it would be placed on {target} now"
        told = told_why(pod, "Rebalance", text, now)
        move = (Delete(ref_of(pod), uid=pod.metadata.uid), Emit(workload, "Normal", "Rebalance", text, COMPONENT))
        return Plan((*toll, *told, *move))
    return NOTHING


def _at_rest(workload: _Workload, view: View) -> Sequence[Pod]:
    """All pods of the workload where none is missing, ending or not ready and nothing is rolled out; else none."""
    if not _is_rolled_out(workload, view):
        return ()
    pods = [
        pod
        for pod in view.owned_by(Pod, workload.metadata.uid)
        if not podstate.ended(pod) or pod.metadata.deletion_timestamp is not None
    ]
    wanted = 1 if workload.spec.replicas is None else workload.spec.replicas
    well = all(podstate.active(pod) and podstate.ready(pod) and pod.spec.node_name for pod in pods)
    return pods if well and len(pods) == wanted else ()


def _is_rolled_out(workload: _Workload, view: View) -> bool:
    if isinstance(workload, StatefulSet):
        return workload.status.current_revision == workload.status.update_revision
    owner = controller_of(workload)
    deployment = view.by_uid(owner.uid) if owner is not None else None
    if not isinstance(deployment, Deployment):
        return True
    others = view.owned_by(ReplicaSet, deployment.metadata.uid)
    return not any(one.status.replicas for one in others if one.metadata.uid != workload.metadata.uid)


def _steady_in(node: Node, now: datetime) -> float:
    ready = conditions.find(node.status.conditions, "Ready")
    since = ready.last_transition_time if ready is not None else None
    return (since + STEADY - now).total_seconds() if since is not None else 0.0


class Balance:
    """How the pods of one workload are spread, and whether a move makes that more even."""

    def __init__(self, pods: Sequence[Pod], nodes: Mapping[str, Node], view: View) -> None:
        self._pods, self._nodes = pods, nodes
        self._on_node = Counter(pod.spec.node_name for pod in pods)
        self._in_zone = Counter(zone_of(nodes[pod.spec.node_name]) for pod in pods)
        self._loads = Loads(nodes, view)

    def crowded(self) -> Iterator[Pod]:
        """One pod of each node from which a move could gain anything, of the most crowded first.

        What the scheduler says is asked for only where it could matter: it costs the most.
        """
        takers = [name for name, node in self._nodes.items() if _takes(node)]
        first: dict[str, Pod] = {}
        for pod in self._pods:
            first.setdefault(pod.spec.node_name, pod)
        for name in sorted(first, key=lambda name: (-self._on_node[name], name)):
            if any(self.gains(first[name], taker) for taker in takers if taker != name):
                yield first[name]

    def gains(self, pod: Pod, target: str) -> bool:
        """Whether the pod would make zones, nodes, or their loads more even there, and none of those before less."""
        source = pod.spec.node_name
        if source == target:
            return False
        here, there = zone_of(self._nodes[source]), zone_of(self._nodes[target])
        if here != there:
            less = self._in_zone[here] - self._in_zone[there]
            if less != 1:
                return less > 1
        less = self._on_node[source] - self._on_node[target]
        if less != 1:
            return less > 1
        return self._loads.share(source) - self._loads.share(target, pod) > GAIN


CONTROLLER = Controller("rebalance", concerns, reconcile)
