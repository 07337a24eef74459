"""Delete, of one object and of many."""

from collections.abc import Sequence

from reconciler.api.bodies import Document
from reconciler.api.options import DeleteOptions
from reconciler.api.reads import get
from reconciler.api.status import StatusError, forbidden, success
from reconciler.api.target import Target
from reconciler.api.writes import carry_out
from reconciler.store.changes import Delete
from reconciler.store.cluster import Cluster
from schemas.kinds import Kind
from schemas.meta import Object, ref_of

_PROTECTED = frozenset({"default", "kube-system", "kube-public"})


async def delete(cluster: Cluster, target: Target, options: DeleteOptions, *, dry: bool) -> Object | Document:
    """Ends the object. Returns it while it is still there, else a `Status`."""
    present = get(cluster.cache, target)
    check_preconditions(target, present, options)
    if target.kind.name == "Namespace" and target.name in _PROTECTED:
        raise forbidden(target.kind, target.name, "this namespace may not be deleted")
    if not dry:
        try:
            await carry_out(cluster, change(present, options))
        except StatusError as error:
            if error.reason != "NotFound":
                raise
        left = cluster.cache.find(ref_of(present))
        if left is not None and left.metadata.uid == present.metadata.uid:
            return left
    return success(target.kind, target.name, present.metadata.uid)


def change(present: Object, options: DeleteOptions) -> Delete:
    """What the options ask for."""
    expected = options.preconditions
    return Delete(
        ref_of(present),
        uid=present.metadata.uid,
        grace_seconds=options.grace_period_seconds,
        resource_version=(expected.resource_version if expected else "") or "",
        orphan=options.orphan,
        foreground=options.propagation_policy == "Foreground",
        background=options.propagation_policy == "Background",
    )


def check_preconditions(target: Target, present: Object, options: DeleteOptions) -> None:
    """Raises the 409 where another object, or another version of it, is meant."""
    expected, metadata = options.preconditions, present.metadata
    if expected is None:
        return
    kind, name = target.kind, target.name
    if expected.uid and expected.uid != metadata.uid:
        why = f"the UID in the precondition ({expected.uid}) does not match the UID in record ({metadata.uid}). "
        raise _unmet(kind, name, why + "The object might have been deleted and then recreated")
    if expected.resource_version and expected.resource_version != metadata.resource_version:
        why = (
            f"the ResourceVersion in the precondition ({expected.resource_version}) does not match the "
            f"ResourceVersion in record ({metadata.resource_version}). The object might have been modified"
        )
        raise _unmet(kind, name, why)


def _unmet(kind: Kind, name: str, why: str) -> StatusError:
    """Here alone Kubernetes names the kind where it names the resource everywhere else."""
    message = f'Operation cannot be fulfilled on {kind.name}{f".{kind.group}" if kind.group else ""} "{name}": {why}'
    details = {"name": name, **({"group": kind.group} if kind.group else {}), "kind": kind.name}
    return StatusError(409, "Conflict", message, details=details)


async def delete_collection(
    cluster: Cluster, kind: Kind, picked: Sequence[Object], options: DeleteOptions, *, dry: bool
) -> Sequence[Object]:
    """Ends all of the objects, and returns them as they were, or as they are while they are still there."""
    ended: list[Object] = []
    for object_ in picked:
        target = Target(kind, object_.metadata.namespace or None, object_.metadata.name)
        try:
            left = await delete(cluster, target, options, dry=dry)
        except StatusError as error:
            if error.reason != "NotFound":
                raise
            continue
        ended.append(left if isinstance(left, Object) else object_)
    return ended
