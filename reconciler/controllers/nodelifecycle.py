"""Node lifecycle: what follows for a node's taints and pods from its condition `Ready`.

The link writes the condition; this controller taints a node that is away against new pods, tells the readers of its
pods that they are not ready, and ends the pods that the node's taints drive away. Which lost nodes evict is decided
for the whole fleet (`nodezones`), when a pod leaves in `evictions`. The rules are Kubernetes'
(https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/#taint-based-evictions).
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import partial

from msgspec import structs

from reconciler.controllers import podstate
from reconciler.controllers.evictions import leaving
from reconciler.controllers.interface import NOTHING, Controller, Plan
from reconciler.controllers.nodestate import LOST, executing, is_ready, is_silent, lost_taint, readiness
from reconciler.controllers.silence import Silence, Silences
from reconciler.store.changes import Change, Delete, Emit, Update, UpdateStatus
from reconciler.store.view import Event, View
from reconciler.taints import (
    DISK_PRESSURE,
    MEMORY_PRESSURE,
    NETWORK_UNAVAILABLE,
    NOT_READY,
    OF_THE_CLUSTER,
    OUT_OF_SERVICE,
    PID_PRESSURE,
    UNSCHEDULABLE,
)
from schemas import conditions
from schemas.core.node import Node, Taint
from schemas.core.pod import Pod
from schemas.core.podstatus import PodCondition
from schemas.meta import Ref, ref_of

_PRESSURES = {
    "DiskPressure": DISK_PRESSURE,
    "MemoryPressure": MEMORY_PRESSURE,
    "NetworkUnavailable": NETWORK_UNAVAILABLE,
    "PIDPressure": PID_PRESSURE,
}
"""Conditions that keep new pods away while they are true, and the taint of each."""
COMPONENT = "node-controller"
EVICTION_COMPONENT = "taint-eviction-controller"


def nodelifecycle(silences: Silences | None = None) -> Controller:
    """`silences` tells how long nodes have had no word; without it no fenced pod is ever counted out."""
    return Controller("nodelifecycle", concerns, partial(reconcile, silences=silences))


def concerns(event: Event, view: View) -> Iterable[Ref]:
    """The node itself; for a pod its node, where something is wrong with either."""
    if isinstance(event.object, Node):
        return () if event.new is None else (ref_of(event.new),)
    if isinstance(event.new, Pod) and event.new.spec.node_name:
        node = view.get(Node, "", event.new.spec.node_name)
        if node is not None and (node.spec.taints or not is_ready(node) or _is_wrongly_unready(event.new)):
            return (ref_of(node),)
    return ()


def reconcile(ref: Ref, view: View, now: datetime, silences: Silences | None = None) -> Plan:
    node = view.get(Node, "", ref.name)
    if node is None or node.metadata.deletion_timestamp is not None:
        return NOTHING
    changes: list[Change] = []
    taints = taints_of(node, now)
    if taints != node.spec.taints:
        node = structs.replace(node, spec=structs.replace(node.spec, taints=taints))
        changes.append(Update(node))
    if is_ready(node):
        changes += [_restored(pod, now) for pod in view.pods_on(ref.name) if _is_wrongly_unready(pod)]
    silent = is_silent(node)
    silence = silences(ref.name) if silent and silences is not None else None
    if not silent and not any(taint.effect == "NoExecute" for taint in taints):
        return Plan(tuple(changes))
    waits: list[float] = []
    for pod in view.pods_on(ref.name):
        if not podstate.ended(pod):
            done = _pod(pod, node, silence, now)
            changes += done.changes
            waits += () if done.requeue_after is None else (done.requeue_after,)
    return Plan(tuple(changes), min(waits, default=None))


def _pod(pod: Pod, node: Node, silence: Silence | None, now: datetime) -> Plan:
    """What comes to one pod of a node that is silent, or has taints that evict."""
    leave = leaving(pod, [taint for taint in node.spec.taints if taint.effect == "NoExecute"], silence, now)
    goes, was_told = leave is not None and leave.seconds <= 0, pod.metadata.deletion_timestamp is not None
    told, events = _told(pod, is_silent=is_silent(node), evicted=goes and not was_told, now=now)
    changes: list[Change] = [] if told == pod else [UpdateStatus(told, durable=False)]
    if _is_out_of_service(node) and (goes or was_told):
        changes += over(told)
    elif leave is not None and leave.is_over and goes:
        # A node that speaks again has word for its pods: then nothing must come of what was decided before.
        changes += (Update(node), *ending) if (ending := tuple(over(told))) else ()
    elif goes:
        changes.append(Delete(ref_of(pod), uid=pod.metadata.uid))
    return Plan((*changes, *events), leave.seconds if leave is not None and not goes else None)


def taints_of(node: Node, now: datetime) -> tuple[Taint, ...]:
    """The node's taints as they should be: others' as they are, and ours by its state.

    A taint that evicts has its time, whoever set it: tolerations count from there.
    """
    wanted: list[tuple[str, str]] = []
    if key := lost_taint(node):
        wanted.append((key, "NoSchedule"))
        if executing(node, LOST):
            wanted.append((key, "NoExecute"))
    elif not readiness(node) and any(taint.key == NOT_READY for taint in node.spec.taints):
        wanted.append((NOT_READY, "NoSchedule"))  # as it was made with, until it says that it is ready
    if node.spec.unschedulable:
        wanted.append((UNSCHEDULABLE, "NoSchedule"))
    told = {one.type for one in node.status.conditions if one.status == "True"}
    wanted += ((taint, "NoSchedule") for type_, taint in _PRESSURES.items() if type_ in told)
    kept = tuple(
        structs.replace(taint, time_added=now) if taint.effect == "NoExecute" and taint.time_added is None else taint
        for taint in node.spec.taints
        if taint.key not in OF_THE_CLUSTER or (taint.key, taint.effect) in wanted
    )
    there = {(taint.key, taint.effect) for taint in kept}
    return kept + tuple(
        Taint(effect=effect, key=key, time_added=now) for key, effect in wanted if (key, effect) not in there
    )


def _is_out_of_service(node: Node) -> bool:
    """Somebody has said that the machine is off, so that nothing of its pods is left.

    https://kubernetes.io/docs/concepts/cluster-administration/node-shutdown/#non-graceful-node-shutdown
    """
    return not is_ready(node) and any(taint.key == OUT_OF_SERVICE for taint in node.spec.taints)


def _is_wrongly_unready(pod: Pod) -> bool:
    """Whether it was told to be not ready for its node alone: by its own state it is.

    The node does not say again what has not changed for it, so this is to be put right from here.
    """
    ready = conditions.find(pod.status.conditions, "Ready")
    needed = ("ContainersReady", *(gate.condition_type for gate in pod.spec.readiness_gates))
    found = [conditions.find(pod.status.conditions, type_) for type_ in needed]
    return (
        ready is not None and ready.status == "False" and all(one is not None and one.status == "True" for one in found)
    )


def _restored(pod: Pod, now: datetime) -> Change:
    generation = pod.status.observed_generation
    ready = PodCondition("True", "Ready", last_transition_time=now, observed_generation=generation)
    told = conditions.updated(pod.status.conditions, ready)
    return UpdateStatus(structs.replace(pod, status=structs.replace(pod.status, conditions=told)), durable=False)


def _told(pod: Pod, *, is_silent: bool, evicted: bool, now: datetime) -> tuple[Pod, list[Change]]:
    """The pod as its readers should see it, and what they are to hear of it."""
    told = pod.status.conditions
    events: list[Change] = []
    ready = podstate.ready_condition(pod)
    if is_silent and ready is not None:
        told = conditions.updated(told, structs.replace(ready, status="False", last_transition_time=now))
        events.append(Emit(pod, "Warning", "NodeNotReady", "Node is not ready", COMPONENT))
    if evicted:
        text = "Taint manager: deleting due to NoExecute taint"
        reason = "DeletionByTaintManager"
        told = conditions.updated(
            told, PodCondition("True", "DisruptionTarget", last_transition_time=now, message=text, reason=reason)
        )
        name = f"{pod.metadata.namespace}/{pod.metadata.name}"
        events.append(
            Emit(pod, "Normal", "TaintManagerEviction", f"Marking for deletion Pod {name}", EVICTION_COMPONENT)
        )
    if told == pod.status.conditions:
        return pod, events
    return structs.replace(pod, status=structs.replace(pod.status, conditions=told)), events


def over(pod: Pod) -> Iterator[Change]:
    """Ends a pod of which nothing is left, without its agent. Where finalizers keep it, it has failed: a Job counts."""
    if pod.metadata.finalizers and not podstate.ended(pod):
        yield UpdateStatus(structs.replace(pod, status=structs.replace(pod.status, phase="Failed")))
    if pod.metadata.deletion_timestamp is None or pod.metadata.deletion_grace_period_seconds:
        yield Delete(ref_of(pod), uid=pod.metadata.uid, grace_seconds=0)


CONTROLLER = nodelifecycle()
