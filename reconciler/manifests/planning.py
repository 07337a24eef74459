"""What a pass does to the cluster, worked out object by object.

Pure: reads the view and the ledger, returns changes and faults. Namespaces come first, then configuration, storage,
Services and policies, and workloads last, so that what an object needs is there before it; what goes, goes the
other way round. What an object says it depends on (`waiting`) comes before it in any case.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from reconciler.manifests.documents import SourceFault
from reconciler.manifests.ledger import Declared, Ledger
from reconciler.manifests.ownership import Outcome, settle
from reconciler.store.changes import Create, Delete, Update
from reconciler.store.view import View
from schemas.meta import Object, Ref

ALWAYS_THERE = frozenset({"default", "kube-system", "kube-public", "kube-node-lease"})
_ORDER = (
    ("Namespace",),
    (
        *("ConfigMap", "Secret", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"),
        *("LimitRange", "ResourceQuota", "IngressClass", "PriorityClass", "StorageClass"),
    ),
    ("PersistentVolume", "PersistentVolumeClaim"),
    ("EndpointSlice", "Ingress", "NetworkPolicy", "PodDisruptionBudget", "Service"),
)
_RANKS = {kind: rank for rank, kinds in enumerate(_ORDER) for kind in kinds}
_LAST = len(_ORDER)


def look_after(
    declared: Declared, ledger: Ledger, view: View, complete: Callable[[Object], Object], commit: str, now: datetime
) -> Outcome:
    """What one declared object needs."""
    live = view.find(declared.ref)
    if live is not None and live.metadata.deletion_timestamp is not None:
        return Outcome()  # once it has gone, it is made again
    if live is None and (fault := _homeless(declared, ledger, view)):
        return Outcome(faults=(fault,))
    return settle(declared, live, complete, commit, now)


def namespace_of(ref: Ref) -> Ref | None:
    """The Namespace that the object needs, if it has to be made."""
    needed = ref.namespace and ref.namespace not in ALWAYS_THERE
    return Ref("Namespace", "", ref.namespace) if needed else None


def _homeless(declared: Declared, ledger: Ledger, view: View) -> SourceFault | None:
    needed = namespace_of(declared.ref)
    if needed is None:
        return None
    namespace = view.find(needed)
    if namespace is None and needed in ledger.declared:
        return None
    if namespace is not None and namespace.metadata.deletion_timestamp is None:
        return None
    message = (
        f'namespace "{needed.name}" does not exist: add a Namespace manifest, or use another namespace'
        if namespace is None
        else f'namespace "{needed.name}" is being deleted: the object is made once that namespace is there again'
    )
    label = f"{declared.ref.kind}/{declared.ref.name}"
    return SourceFault(declared.file, declared.line, label, "metadata.namespace", message)


def ordered(changes: Iterable[Create | Update]) -> Sequence[Create | Update]:
    """In the order in which they are carried out."""
    return sorted(changes, key=lambda change: _place(change.object))


def ordered_deletes(deletes: Iterable[Delete]) -> Sequence[Delete]:
    """In the order in which they are carried out: what others need goes last."""
    return sorted(deletes, key=lambda delete: (-_rank(delete.ref.kind), delete.ref))


def _place(object_: Object) -> tuple[int, str, str, str]:
    """Plain words: references cost ten times as much to make and compare, and a large folder has thousands."""
    return _rank(object_.kind), object_.kind, object_.metadata.namespace, object_.metadata.name


def _rank(kind: str) -> int:
    return _RANKS.get(kind, _LAST)
