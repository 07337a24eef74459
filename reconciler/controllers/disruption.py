"""PodDisruptionBudget: how many of its pods may be taken away by choice right now.

What is said here is what an eviction takes from (`disruptionsAllowed`), so that it is never more than the pods allow:
pods that were evicted and have not gone yet stand in `disruptedPods` and count as gone. Follows the disruption
controller (https://kubernetes.io/docs/tasks/run-application/configure-pdb/,
https://kubernetes.io/docs/concepts/workloads/pods/disruptions/).
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec import structs

from reconciler.controllers import podstate
from reconciler.controllers.interface import NOTHING, Controller, Plan
from reconciler.controllers.replicacounts import scaled
from reconciler.store.changes import Change, Emit, UpdateStatus
from reconciler.store.view import Event, View
from schemas import conditions
from schemas.apps import Deployment, ReplicaSet, StatefulSet
from schemas.core.pod import Pod
from schemas.core.replication import ReplicationController
from schemas.kinds import BY_NAME
from schemas.meta import Condition, Object, OwnerReference, Ref, controller_of, ref_of
from schemas.policy import PodDisruptionBudget, PodDisruptionBudgetStatus
from schemas.selectors import matches

COMPONENT = "controllermanager"
DELETION_LIMIT = timedelta(minutes=2)
"""For how long a pod that was evicted counts as gone although it is still there, and not even ending."""
ALLOWED = "DisruptionAllowed"
_SCALED = (Deployment, ReplicaSet, ReplicationController, StatefulSet)
_UNMANAGED = (
    "{count} pods of this budget have no controller: what it allows counts the pods of controllers alone, "
    "unless .spec.minAvailable is a number"
)


class _Uncountable(Exception):
    """How many pods there should be cannot be told."""


class _Expected(msgspec.Struct, frozen=True):
    """Pods that there should be, pods that have to stay healthy, and pods that no controller stands for."""

    count: int
    healthy: int
    unmanaged: int = 0


class _Disrupted(msgspec.Struct, frozen=True):
    pods: dict[str, datetime]
    overdue: tuple[Pod, ...]
    look_again_in: float | None


def concerns(event: Event, view: View) -> Iterable[Ref]:
    """The budget itself; of a pod, or of a controller that is scaled, the budgets of its namespace that it is under."""
    match event.object:
        case PodDisruptionBudget():
            return () if event.new is None else (ref_of(event.new),)
        case Pod():
            return set(_of_pod(event, view))
        case Deployment() | ReplicaSet() | ReplicationController() | StatefulSet():
            return _of_scaled(event, view)
    return ()


def _of_pod(event: Event, view: View) -> Iterator[Ref]:
    versions = [pod for pod in (event.old, event.new) if isinstance(pod, Pod)]
    if len(versions) == 2 and _counted(versions[0]) == _counted(versions[1]):
        return
    for pod in versions:
        yield from _budgets_of(pod, view)


def _budgets_of(pod: Pod, view: View) -> Iterator[Ref]:
    labels = pod.metadata.labels
    for budget in view.selecting(PodDisruptionBudget, pod.metadata.namespace, labels):
        if matches(budget.spec.selector, labels):
            yield ref_of(budget)


def _counted(pod: Pod) -> object:
    metadata = pod.metadata
    return (metadata.labels, metadata.deletion_timestamp is None, metadata.owner_references, podstate.ready(pod))


def _of_scaled(event: Event, view: View) -> Iterable[Ref]:
    if event.old is not None and event.new is not None and _replicas(event.old) == _replicas(event.new):
        return ()
    uid = event.object.metadata.uid
    owners = (uid, *(one.metadata.uid for one in view.owned_by(ReplicaSet, uid)))
    return {ref for owner in owners for pod in view.owned_by(Pod, owner) for ref in _budgets_of(pod, view)}


def _replicas(object_: Object) -> int:
    assert isinstance(object_, _SCALED)
    return 1 if object_.spec.replicas is None else object_.spec.replicas


def reconcile(ref: Ref, view: View, now: datetime) -> Plan:
    budget = view.get(PodDisruptionBudget, ref.namespace, ref.name)
    if budget is None or budget.metadata.deletion_timestamp is not None:
        return NOTHING
    pods = podstate.selected(budget.spec.selector, ref.namespace, view)
    try:
        expected = _expected(budget, pods, view)
    except _Uncountable as why:
        return _failed(budget, str(why), now)
    disrupted = _disrupted(budget, pods, now)
    status = _status(budget, pods, expected, disrupted.pods, now)
    if status == budget.status:
        return Plan(tuple(_idle(budget, pods)), disrupted.look_again_in)
    changes: list[Change] = [UpdateStatus(structs.replace(budget, status=status))]
    changes += _said(budget, pods, expected)
    changes += (_overdue(budget, pod) for pod in disrupted.overdue)
    return Plan(tuple(changes), disrupted.look_again_in)


def _expected(budget: PodDisruptionBudget, pods: Sequence[Pod], view: View) -> _Expected:
    """A percentage, and what may be missing, is of what the controllers want; only a plain number is of the pods."""
    least, most_missing = budget.spec.min_available, budget.spec.max_unavailable
    if most_missing is not None:
        count, unmanaged = _wanted(pods, view)
        return _Expected(count, max(0, count - scaled(most_missing, count, round_up=True)), unmanaged)
    if isinstance(least, str):
        count, unmanaged = _wanted(pods, view)
        return _Expected(count, scaled(least, count, round_up=True), unmanaged)
    return _Expected(len(pods), least) if least is not None else _Expected(0, 0)


def _wanted(pods: Sequence[Pod], view: View) -> tuple[int, int]:
    """Replicas that the controllers of the pods want altogether, and the number of pods without a controller."""
    replicas: dict[str, int] = {}
    unmanaged = 0
    for pod in pods:
        owner = controller_of(pod)
        if owner is None:
            unmanaged += 1
            continue
        controller = _scale_of(owner, pod, view)
        replicas[controller.metadata.uid] = _replicas(controller)
    return sum(replicas.values()), unmanaged


def _scale_of(owner: OwnerReference, pod: Pod, view: View) -> Object:
    """The object by which the pods of an owner are scaled: of a Deployment's ReplicaSet the Deployment."""
    found = view.by_uid(owner.uid)
    above = controller_of(found) if isinstance(found, ReplicaSet) else None
    if above is not None and above.kind == "Deployment":
        found = view.by_uid(above.uid)
    if isinstance(found, _SCALED):
        return found
    kind = BY_NAME.get(owner.kind)
    if found is not None and kind is not None:
        resource = f"{kind.plural}.{kind.group}" if kind.group else kind.plural
        raise _Uncountable(f"{resource} does not implement the scale subresource")
    raise _Uncountable(f'found no controllers for pod "{pod.metadata.name}"')


def _disrupted(budget: PodDisruptionBudget, pods: Sequence[Pod], now: datetime) -> _Disrupted:
    """Of the pods that were evicted those that are still expected to go."""
    left, overdue, waits = dict[str, datetime](), list[Pod](), list[float]()
    for pod in pods:
        since = budget.status.disrupted_pods.get(pod.metadata.name)
        if since is None or pod.metadata.deletion_timestamp is not None:
            continue
        if since + DELETION_LIMIT < now:
            overdue.append(pod)
        else:
            left[pod.metadata.name] = since
            waits.append((since + DELETION_LIMIT - now).total_seconds() + 1)
    return _Disrupted(left, tuple(overdue), min(waits, default=None))


def _status(
    budget: PodDisruptionBudget,
    pods: Sequence[Pod],
    expected: _Expected,
    disrupted: dict[str, datetime],
    now: datetime,
) -> PodDisruptionBudgetStatus:
    healthy = sum(
        podstate.ready(pod) and pod.metadata.deletion_timestamp is None and pod.metadata.name not in disrupted
        for pod in pods
    )
    allowed = max(0, healthy - expected.healthy) if expected.count > 0 else 0
    reason = "SufficientPods" if allowed else "InsufficientPods"
    return PodDisruptionBudgetStatus(
        conditions=_with(budget, "True" if allowed else "False", reason, "", now),
        current_healthy=healthy,
        desired_healthy=expected.healthy,
        disrupted_pods=disrupted,
        disruptions_allowed=allowed,
        expected_pods=expected.count,
        observed_generation=budget.metadata.generation,
    )


def _failed(budget: PodDisruptionBudget, why: str, now: datetime) -> Plan:
    """Where it cannot be told what is needed, nothing may be taken."""
    status = structs.replace(
        budget.status, disruptions_allowed=0, conditions=_with(budget, "False", "SyncFailed", why, now)
    )
    if status == budget.status:
        return NOTHING
    message = f"Failed to calculate the number of expected pods: {why}"
    told = Emit(budget, "Warning", "CalculateExpectedPodCountFailed", message, COMPONENT)
    return Plan((UpdateStatus(structs.replace(budget, status=status)), told))


def _with(budget: PodDisruptionBudget, status: str, reason: str, message: str, now: datetime) -> tuple[Condition, ...]:
    new = Condition(now, message, reason, status, ALLOWED, budget.metadata.generation)
    return conditions.updated(budget.status.conditions, new)


def _said(budget: PodDisruptionBudget, pods: Sequence[Pod], expected: _Expected) -> Iterator[Emit]:
    yield from _idle(budget, pods)
    if expected.unmanaged:
        yield Emit(budget, "Warning", "UnmanagedPods", _UNMANAGED.format(count=expected.unmanaged), COMPONENT)


def _idle(budget: PodDisruptionBudget, pods: Sequence[Pod]) -> Iterator[Emit]:
    """Said with each look, of which there is one for each change of the budget, its status included."""
    if not pods:
        yield Emit(budget, "Normal", "NoPods", "No matching pods found", COMPONENT)


def _overdue(budget: PodDisruptionBudget, pod: Pod) -> Emit:
    name = f"{budget.metadata.namespace}/{budget.metadata.name}"
    message = f"Pod was expected by PDB {name} to be deleted but it wasn't"
    return Emit(pod, "Warning", "NotDeleted", message, COMPONENT)


CONTROLLER = Controller("disruption", concerns, reconcile)
