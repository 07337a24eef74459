"""Namespaces: one that is deleted takes all its objects along, and goes when the last of them has gone.

Pods go first, so that nothing is taken from under one that still runs; what is in the way is told in the conditions.
As Kubernetes deletes namespaces (https://kubernetes.io/docs/tasks/administer-cluster/namespaces/#deleting-a-namespace,
https://github.com/kubernetes/enhancements/tree/master/keps/sig-api-machinery/5080-ordered-namespace-deletion).
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from msgspec import structs

from reconciler.controllers.interface import NOTHING, Controller, Plan
from reconciler.store.changes import Change, Delete, Update, UpdateStatus
from reconciler.store.deletion import plan_delete
from reconciler.store.view import Event, View
from schemas import conditions
from schemas.core.config import Namespace, NamespaceCondition
from schemas.core.pod import Pod
from schemas.kinds import BY_NAME, KINDS
from schemas.meta import Object, Ref, ref_of

FINALIZER = "kubernetes"
BATCH = 500
"""Objects deleted in one commit at most."""
_INSIDE = tuple(kind.type for kind in KINDS if kind.namespaced)
_FINE = (
    ("NamespaceDeletionDiscoveryFailure", "ResourcesDiscovered", "All resources successfully discovered"),
    ("NamespaceDeletionGroupVersionParsingFailure", "ParsedGroupVersions", "All legacy kube types successfully parsed"),
    (
        "NamespaceDeletionContentFailure",
        "ContentDeleted",
        "All content successfully deleted, may be waiting on finalization",
    ),
    ("NamespaceContentRemaining", "ContentRemoved", "All content successfully removed"),
    ("NamespaceFinalizersRemaining", "ContentHasNoFinalizers", "All content-preserving finalizers finished"),
)
"""Conditions that every namespace which is ending has: type, reason and message while nothing is in the way."""


class _Emptied(NamedTuple):
    """The deletes, and what stays in spite of them."""

    deletes: tuple[Delete, ...]
    left: tuple[Object, ...]


def concerns(event: Event, view: View) -> Iterable[Ref]:
    """The namespace itself; of what comes into or goes from a namespace that is ending, that one."""
    if isinstance(event.object, Namespace):
        return () if event.new is None else (ref_of(event.new),)
    name = event.object.metadata.namespace
    if not name or (event.old is not None and event.new is not None):
        return ()
    found = view.get(Namespace, "", name)
    return (ref_of(found),) if found is not None and _ending(found) else ()


def _ending(namespace: Namespace) -> bool:
    return namespace.metadata.deletion_timestamp is not None


def reconcile(ref: Ref, view: View, now: datetime) -> Plan:
    namespace = view.get(Namespace, "", ref.name)
    if namespace is None:
        return NOTHING
    if not _ending(namespace):
        return NOTHING if namespace.status.phase == "Active" else _told(namespace, "Active", ())
    if FINALIZER not in namespace.spec.finalizers:
        return NOTHING  # Somebody else's finalizer is waited for.
    pods = _emptied(view.list(Pod, ref.name), view, now)
    # Of pods that are waited for nothing is told: Kubernetes' words are the same as of an empty namespace.
    emptied = (
        pods if pods.left else _emptied([one for type_ in _INSIDE for one in view.list(type_, ref.name)], view, now)
    )
    if emptied.left or len(emptied.deletes) == BATCH:
        return _told(namespace, "Terminating", () if pods.left else emptied.left, emptied.deletes, now)
    finalizers = tuple(one for one in namespace.spec.finalizers if one != FINALIZER)
    spec = structs.replace(namespace.spec, finalizers=finalizers)
    return Plan((*emptied.deletes, Update(structs.replace(namespace, spec=spec))))


def _emptied(inside: Sequence[Object], view: View, now: datetime) -> _Emptied:
    deletes, left = list[Delete](), list[Object]()
    for one in inside:
        delete = Delete(ref_of(one), uid=one.metadata.uid)
        if one.metadata.deletion_timestamp is None and len(deletes) < BATCH:
            deletes.append(delete)
        staying = [after for ref, after in plan_delete(delete, view, now) if ref == delete.ref]
        if not staying or staying[0] is not None:
            left.append(one)
    return _Emptied(tuple(deletes), tuple(left))


def _told(
    namespace: Namespace,
    phase: str,
    left: Sequence[Object],
    deletes: Sequence[Delete] = (),
    now: datetime | None = None,
) -> Plan:
    status = structs.replace(namespace.status, phase=phase)
    if now is not None:
        found = status.conditions
        for condition in _conditions(left, now):
            old = conditions.find(found, condition.type)
            if old is None or (old.status, old.message) != (condition.status, condition.message):
                found = conditions.updated(found, condition)
        status = structs.replace(status, conditions=found)
    changes: list[Change] = [*deletes]
    if status != namespace.status:
        changes.append(UpdateStatus(structs.replace(namespace, status=status)))
    return Plan(tuple(changes)) if changes else NOTHING


def _conditions(left: Sequence[Object], now: datetime) -> Iterable[NamespaceCondition]:
    kinds = Counter(f"{BY_NAME[one.kind].plural}.{BY_NAME[one.kind].group}" for one in left)
    finalizers = Counter(finalizer for one in left for finalizer in one.metadata.finalizers)
    remaining = {
        "NamespaceContentRemaining": (
            "SomeResourcesRemain",
            "Some resources are remaining: "
            + ", ".join(f"{kind} has {count} resource instances" for kind, count in sorted(kinds.items())),
        ),
        "NamespaceFinalizersRemaining": (
            "SomeFinalizersRemain",
            "Some content in the namespace has finalizers remaining: "
            + ", ".join(f"{name} in {count} resource instances" for name, count in sorted(finalizers.items())),
        ),
    }
    for type_, reason, message in _FINE:
        if (type_ == "NamespaceContentRemaining" and kinds) or (type_ == "NamespaceFinalizersRemaining" and finalizers):
            yield NamespaceCondition("True", type_, now, remaining[type_][1], remaining[type_][0])
        else:
            yield NamespaceCondition("False", type_, now, message, reason)


CONTROLLER = Controller("namespace", concerns, reconcile)
