"""HorizontalPodAutoscaler: as many replicas as the load asks for.

What pods use comes from the agents' reports, so CPU and memory are measured; metrics of other kinds have no source
and are told as unavailable. What the autoscaler has recommended and done is kept in memory alone: after a restart it
begins anew, as in Kubernetes. A target whose `replicas` a manifest declares is left alone, and that is said. Follows
https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

import msgspec
from msgspec import structs

from reconciler.controllers import hpabehaviour, podstate
from reconciler.controllers.hpabehaviour import At, Bounded, History
from reconciler.controllers.hpameasures import Measured, Usage, kind_of, measured, name_of
from reconciler.controllers.hpametrics import Tolerance
from reconciler.controllers.interface import NOTHING, Controller, Plan
from reconciler.manifests.ownership import owned_fields
from reconciler.provenance import SOURCE
from reconciler.store.changes import Change, Emit, Update, UpdateStatus
from reconciler.store.view import Event, View
from schemas import conditions
from schemas.apps import Deployment, ReplicaSet, StatefulSet
from schemas.autoscaling import (
    HorizontalPodAutoscaler,
    HorizontalPodAutoscalerCondition,
    HorizontalPodAutoscalerStatus,
)
from schemas.core.pod import Pod
from schemas.core.replication import ReplicationController
from schemas.kinds import BY_NAME
from schemas.meta import LabelSelector, Ref, ref_of
from schemas.quantity import milli

COMPONENT = "horizontal-pod-autoscaler"
PERIOD = 15.0
"""Seconds between two looks at the load, and before the first: of what has just been made nothing is known."""
_UNABLE = "the HPA controller was unable to update the target scale"
_DONE = "the HPA controller was able to update the target scale to"
ABLE, ACTIVE, LIMITED = "AbleToScale", "ScalingActive", "ScalingLimited"

Scaled = Deployment | ReplicaSet | ReplicationController | StatefulSet
_Told = tuple[str, str, str, str]
"""Type, status, reason and message of a condition."""


class Decision(msgspec.Struct, frozen=True):
    """The replicas to have, why, what to tell, and the recommendation to remember (None: there was none)."""

    replicas: int
    why: str = ""
    conditions: tuple[_Told, ...] = ()
    measured: tuple[Measured, ...] = ()
    recommended: int | None = None
    failure: str = ""


class Memory:
    """Histories by the uid of the autoscaler, and the change that was last asked for until it is seen."""

    def __init__(self) -> None:
        self._histories: dict[str, History] = {}
        self._asked: dict[str, tuple[int, int, datetime]] = {}

    def of(self, uid: str, current: int, now: datetime) -> History:
        """With the last change, if it was carried out; a new autoscaler begins with the replicas that there are."""
        history = self._histories.setdefault(uid, History(recommendations=(At(now, current),)))
        before, after, when = self._asked.pop(uid, (0, 0, now))
        if after == current and before != after:
            history = structs.replace(history, changes=(*history.changes, At(when, after - before)))
            self._histories[uid] = history
        return history

    def keep(self, uid: str, history: History, asked: tuple[int, int, datetime] | None) -> None:
        self._histories[uid] = history
        if asked is not None:
            self._asked[uid] = asked

    def forget(self, known: Iterable[str]) -> None:
        """All but the known ones."""
        for uid in self._histories.keys() - set(known):
            del self._histories[uid]
            self._asked.pop(uid, None)


def concerns(event: Event, view: View) -> Iterable[Ref]:
    """The autoscaler, where it is new or asks for something else."""
    old, new = event.old, event.new
    if not isinstance(new, HorizontalPodAutoscaler):
        return ()
    same = isinstance(old, HorizontalPodAutoscaler) and old.spec == new.spec
    return () if same else (ref_of(new),)


def horizontalpodautoscaler(usage: Callable[[], Usage]) -> Controller:
    """The controller that reads what pods use from `usage`: the newest report of each node."""
    memory = Memory()

    def reconcile(ref: Ref, view: View, now: datetime) -> Plan:
        found = view.get(HorizontalPodAutoscaler, ref.namespace, ref.name)
        if found is None:
            memory.forget(one.metadata.uid for one in view.list(HorizontalPodAutoscaler))
            return NOTHING
        if (wait := _until_first(found, now)) > 0:
            return Plan((), wait)
        return _reconcile(found, view, usage(), memory, now)

    return Controller("horizontalpodautoscaler", concerns, reconcile)


def _until_first(found: HorizontalPodAutoscaler, now: datetime) -> float:
    made = found.metadata.creation_timestamp
    return 0.0 if made is None else PERIOD - (now - made).total_seconds()


def _reconcile(found: HorizontalPodAutoscaler, view: View, usage: Usage, memory: Memory, now: datetime) -> Plan:
    target = _target(found, view)
    if isinstance(target, str):
        why = f"the HPA controller was unable to get the target's current scale: {target}"
        told = Decision(0, conditions=((ABLE, "False", "FailedGetScale", why),), failure=target)
        return _plan(found, None, told, now)
    uid, current = found.metadata.uid, _replicas(target)
    history = memory.of(uid, current, now)
    decision = decide(found, target, _pods(target, view), usage, history, now)
    if decision.recommended is not None:
        history = hpabehaviour.remembered(history, decision.recommended, now)
    changes = decision.replicas != current and not _is_declared(target)
    memory.keep(uid, history, (current, decision.replicas, now) if changes else None)
    return _plan(found, target, decision, now)


def _target(found: HorizontalPodAutoscaler, view: View) -> Scaled | str:
    """What is scaled, or why it cannot be."""
    named = found.spec.scale_target_ref
    kind = BY_NAME.get(named.kind)
    if kind is None or named.api_version.rpartition("/")[0] != kind.group:
        return f'no matches for kind "{named.kind}" in group "{named.api_version.rpartition("/")[0]}"'
    resource = f"{kind.plural}.{kind.group}" if kind.group else kind.plural
    target = view.get(kind.type, found.metadata.namespace, named.name)
    if target is None:
        return f'{resource} "{named.name}" not found'
    return target if isinstance(target, Scaled) else f"{resource} has no scale"


def _replicas(target: Scaled) -> int:
    return 1 if target.spec.replicas is None else target.spec.replicas


def _pods(target: Scaled, view: View) -> Sequence[Pod]:
    selector = target.spec.selector
    if not isinstance(selector, LabelSelector):
        selector = LabelSelector(match_labels=selector)
    return podstate.selected(selector, target.metadata.namespace, view)


def _is_declared(target: Scaled) -> bool:
    """Whether the folder says how many replicas there are: it would put them back."""
    return "f:replicas" in ((owned_fields(target) or {}).get("f:spec") or {})


def decide(
    found: HorizontalPodAutoscaler,
    target: Scaled,
    pods: Sequence[Pod],
    usage: Usage,
    history: History,
    now: datetime,
) -> Decision:
    """How many replicas the target is to have. Pure."""
    current, most = _replicas(target), found.spec.max_replicas
    least = 1 if found.spec.min_replicas is None else found.spec.min_replicas
    able = (ABLE, "True", "SucceededGetScale", "the HPA controller was able to get the target's current scale")
    if current == 0 and least != 0:
        why = "scaling is disabled since the replica count of the target is zero"
        return Decision(0, conditions=(able, (ACTIVE, "False", "ScalingDisabled", why)))
    if current > most:
        return Decision(most, "Current number of replicas above Spec.MaxReplicas", (able,))
    if current < least:
        return Decision(least, "Current number of replicas below Spec.MinReplicas", (able,))
    found_measures = tuple(
        measured(metric, current, pods, usage, _tolerance(found), now) for metric in found.spec.metrics
    )
    failed = [one for one in found_measures if one.failure]
    best = max((one for one in found_measures if not one.failure), key=lambda one: one.replicas, default=None)
    if best is None or (failed and best.replicas < current):
        why = f"the HPA was unable to compute the replica count: {failed[0].failure}"
        count = f"{len(failed)} invalid out of {len(found_measures)}"
        text = f"invalid metrics ({count}), first error is: failed to get {kind_of(failed[0])} metric value: "
        text += failed[0].failure
        return Decision(current, "", (able, (ACTIVE, "False", failed[0].reason, why)), found_measures, failure=text)
    limits = hpabehaviour.bounded(found.spec.behavior, current, best.replicas, least, most, history, now)
    why = f"{name_of(best.metric)} above target" if best.replicas > current else "All metrics below target"
    return Decision(limits.replicas, why, _limits(best, limits), found_measures, best.replicas)


def _tolerance(found: HorizontalPodAutoscaler) -> Tolerance:
    behaviour, usual = found.spec.behavior, Tolerance()
    up = behaviour.scale_up.tolerance if behaviour is not None and behaviour.scale_up is not None else None
    down = behaviour.scale_down.tolerance if behaviour is not None and behaviour.scale_down is not None else None
    return Tolerance(
        down=usual.down if down is None else milli(down) / 1000, up=usual.up if up is None else milli(up) / 1000
    )


def _limits(best: Measured, limits: Bounded) -> tuple[_Told, ...]:
    found = f"the HPA was able to successfully calculate a replica count from {name_of(best.metric)}"
    return (
        (ACTIVE, "True", "ValidMetricFound", found),
        (ABLE, "True", *limits.able),
        (LIMITED, "True" if limits.is_limited else "False", *limits.limited),
    )


def _plan(found: HorizontalPodAutoscaler, target: Scaled | None, decision: Decision, now: datetime) -> Plan:
    """The new scale, the status, and what to tell."""
    current = _replicas(target) if target is not None else found.status.current_replicas
    told, changes = list(decision.conditions), list[Change]()
    events: list[Change] = []
    rescaled = target is not None and decision.replicas != current
    if decision.failure:
        reason = "FailedGetScale" if target is None else "FailedComputeMetricsReplicas"
        failed = [one for one in decision.measured if one.failure]
        events = [Emit(found, "Warning", one.reason, one.failure, COMPONENT) for one in failed]
        events.append(Emit(found, "Warning", reason, decision.failure, COMPONENT))
    elif target is not None and rescaled:
        text = f"New size: {decision.replicas}; reason: {decision.why}"
        if _is_declared(target):
            rescaled, why = False, _declared(target)
            told.append((ABLE, "False", "FailedUpdateScale", f"{_UNABLE}: {why}"))
            events = [Emit(found, "Warning", "FailedRescale", f"{text}; error: {why}", COMPONENT)]
        else:
            spec = structs.replace(target.spec, replicas=decision.replicas)
            changes.append(Update(structs.replace(target, spec=spec)))
            told.append((ABLE, "True", "SucceededRescale", f"{_DONE} {decision.replicas}"))
            events = [Emit(found, "Normal", "SuccessfulRescale", text, COMPONENT)]
    status = _status(found, decision, current, told, now)
    if rescaled:
        status = structs.replace(status, last_scale_time=now)
    if status != found.status:
        # What is measured changes all the time and is measured again: only what follows from it need be on disk.
        durable = (status.conditions, status.desired_replicas) != (
            found.status.conditions,
            found.status.desired_replicas,
        )
        changes.append(UpdateStatus(structs.replace(found, status=status), durable=durable))
        changes += events
    return Plan(tuple(changes), PERIOD)


def _declared(target: Scaled) -> str:
    where = target.metadata.annotations.get(SOURCE) or "its manifest"
    name = f"{target.kind} {target.metadata.name}"
    return f"spec.replicas of {name} is declared in {where}: take it out there to leave it to the autoscaler"


def _status(
    found: HorizontalPodAutoscaler, decision: Decision, current: int, told: Sequence[_Told], now: datetime
) -> HorizontalPodAutoscalerStatus:
    before = found.status
    kept = before.conditions
    for type_, value, reason, message in told:
        new = HorizontalPodAutoscalerCondition(value, type_, now, message, reason)
        kept = conditions.updated(kept, new)
    status = structs.replace(before, conditions=kept, current_replicas=current)
    if decision.failure:
        return status  # What was measured and wanted last is still the best that is known.
    measures = tuple(one.status for one in decision.measured if one.status is not None)
    return structs.replace(status, current_metrics=measures, desired_replicas=decision.replicas)
