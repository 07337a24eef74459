"""Node lifecycle: what follows for a node's taints and pods from its condition `Ready`.

The link writes the condition; this controller taints a node that is away, tells the readers of its pods that they
are not ready, and evicts the pods whose tolerations have run out. Taints and times are Kubernetes' own
(https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/#taint-based-evictions), but the
toleration counts from `timeAdded`, so that a restart neither shortens nor prolongs it.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from msgspec import structs

from reconciler.controllers import podstate
from reconciler.controllers.interface import NOTHING, Controller, Plan
from reconciler.store.changes import Change, Delete, Emit, Update, UpdateStatus
from reconciler.store.view import Event, View
from reconciler.taints import (
    DISK_PRESSURE,
    MEMORY_PRESSURE,
    NETWORK_UNAVAILABLE,
    NOT_READY,
    PID_PRESSURE,
    UNREACHABLE,
    UNSCHEDULABLE,
    tolerates,
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
_OURS = (NOT_READY, UNREACHABLE, UNSCHEDULABLE, *_PRESSURES.values())
COMPONENT = "node-controller"
EVICTION_COMPONENT = "taint-eviction-controller"


def concerns(event: Event, view: View) -> Iterable[Ref]:
    """The node itself; for a pod its node, where something is wrong with either."""
    if isinstance(event.object, Node):
        return () if event.new is None else (ref_of(event.new),)
    if isinstance(event.new, Pod) and event.new.spec.node_name:
        node = view.get(Node, "", event.new.spec.node_name)
        if node is not None and (node.spec.taints or _readiness(node) != "True" or _is_wrongly_unready(event.new)):
            return (ref_of(node),)
    return ()


def reconcile(ref: Ref, view: View, now: datetime) -> Plan:
    node = view.get(Node, "", ref.name)
    if node is None or node.metadata.deletion_timestamp is not None:
        return NOTHING
    changes: list[Change] = []
    taints = taints_of(node, now)
    if taints != node.spec.taints:
        node = structs.replace(node, spec=structs.replace(node.spec, taints=taints))
        changes.append(Update(node))
    executing = [taint for taint in taints if taint.effect == "NoExecute"]
    # A node that says itself that it is not ready still tells how its pods are.
    away = _readiness(node) == "Unknown"
    if _readiness(node) == "True":
        changes += [_restored(pod, now) for pod in view.pods_on(ref.name) if _is_wrongly_unready(pod)]
    if not executing and not away:
        return Plan(tuple(changes))
    next_look: float | None = None
    for pod in view.pods_on(ref.name):
        if podstate.ended(pod):
            continue
        due = None if pod.metadata.deletion_timestamp is not None else _evicted_in(pod, executing, now)
        evicted = due is not None and due <= 0
        changes += _pod_changes(pod, away=away, evicted=evicted, now=now)
        if due is not None and not evicted:
            next_look = due if next_look is None else min(next_look, due)
    return Plan(tuple(changes), next_look)


def _readiness(node: Node) -> str:
    found = conditions.find(node.status.conditions, "Ready")
    return found.status if found is not None else ""


def taints_of(node: Node, now: datetime) -> tuple[Taint, ...]:
    """The node's taints as they should be: others' as they are, and ours by its state."""
    wanted: list[tuple[str, str]] = []
    key = {"False": NOT_READY, "Unknown": UNREACHABLE}.get(_readiness(node))
    if key is not None:
        wanted += ((key, "NoSchedule"), (key, "NoExecute"))
    if node.spec.unschedulable:
        wanted.append((UNSCHEDULABLE, "NoSchedule"))
    told = {one.type for one in node.status.conditions if one.status == "True"}
    wanted += ((taint, "NoSchedule") for type_, taint in _PRESSURES.items() if type_ in told)
    kept = tuple(taint for taint in node.spec.taints if taint.key not in _OURS or (taint.key, taint.effect) in wanted)
    there = {(taint.key, taint.effect) for taint in kept}
    return kept + tuple(
        Taint(effect=effect, key=key, time_added=now) for key, effect in wanted if (key, effect) not in there
    )


def _evicted_in(pod: Pod, executing: Sequence[Taint], now: datetime) -> float | None:
    """Seconds until the taints evict the pod (0: now), None where it tolerates them for good."""
    shortest: float | None = None
    for taint in executing:
        tolerations = [one for one in pod.spec.tolerations if tolerates(one, taint)]
        if not tolerations:
            return 0
        limits = [one.toleration_seconds for one in tolerations if one.toleration_seconds is not None]
        if not limits:
            continue
        since = taint.time_added or now
        left = (since + timedelta(seconds=max(0, min(limits))) - now).total_seconds()
        shortest = left if shortest is None else min(shortest, left)
    return None if shortest is None else max(0.0, shortest)


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


def _pod_changes(pod: Pod, *, away: bool, evicted: bool, now: datetime) -> Iterable[Change]:
    told = pod.status.conditions
    events: list[Change] = []
    ready = podstate.ready_condition(pod)
    if away and ready is not None:
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
    if told != pod.status.conditions:
        status = structs.replace(pod.status, conditions=told)
        yield UpdateStatus(structs.replace(pod, status=status), durable=False)
    if evicted:
        yield Delete(ref_of(pod), uid=pod.metadata.uid)
    yield from events


CONTROLLER = Controller("nodelifecycle", concerns, reconcile)
