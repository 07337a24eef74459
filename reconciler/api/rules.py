"""The rules that a new object, or a new version of one, has to meet, in the order in which Kubernetes tells of them.

Pure. `schemas.validation` knows the rules of a kind; here is what hangs on how the object comes.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from msgspec import structs

from reconciler.api import resizing
from reconciler.api.ephemeral import EPHEMERAL
from reconciler.api.ephemeral import faults as ephemeral_faults
from reconciler.api.gostructs import in_full
from reconciler.api.resizing import RESIZE
from reconciler.api.target import Target
from schemas.apps import DaemonSet, Deployment, ReplicaSet, StatefulSet
from schemas.batch import Job
from schemas.core.event import Event
from schemas.core.pod import Pod
from schemas.core.replication import ReplicationController
from schemas.defaults import defaulted
from schemas.faults import Fault
from schemas.meta import Object, ObjectMeta
from schemas.validation import validate, validate_update
from schemas.validation.config import new_event
from schemas.validation.report import forbidden

_WHOLE_FIRST = (DaemonSet, Deployment, Job, ReplicaSet, ReplicationController, StatefulSet)
"""Kinds of which Kubernetes looks at the new version as such before it looks at what changed."""

_OF_SUBRESOURCES: Mapping[str, Callable[[Object, Object], Iterable[Fault]]] = {
    EPHEMERAL: ephemeral_faults,
    RESIZE: resizing.faults,
}


def of_new(target: Target, object_: Object, uid: str) -> Sequence[Fault]:
    """Of one that is created, and has its name. `uid` is what it may have: a Job's selector is made of it."""
    if isinstance(object_, Job):
        object_ = defaulted(structs.replace(object_, metadata=structs.replace(object_.metadata, uid=uid)))
    faults = validate(object_)
    if isinstance(object_, Pod) and object_.spec.ephemeral_containers:
        return (*faults, forbidden(("spec", "ephemeralContainers"), "cannot be set on create"))
    if isinstance(object_, Event) and target.view is not None:
        return (*faults, *new_event(object_))
    return faults


def of_changed(target: Target, new: Object, present: Object) -> Sequence[Fault]:
    """Of a new version, and of what it changes."""
    judge = _OF_SUBRESOURCES.get(target.subresource, validate_update)
    own = in_full(judge(new, present), new, present)
    changes = (*own, *_finalizers(new.metadata, present.metadata))
    if target.is_of_status:
        return changes
    whole = validate(new)
    return (*whole, *changes) if isinstance(new, _WHOLE_FIRST) else (*changes, *whole)


def _finalizers(new: ObjectMeta, present: ObjectMeta) -> Iterator[Fault]:
    added = [one for one in new.finalizers if one not in present.finalizers]
    if added and present.deletion_timestamp is not None:
        shown = ", ".join(f'"{one}"' for one in added)
        message = "no new finalizers can be added if the object is being deleted, found new finalizers"
        yield forbidden(("metadata", "finalizers"), f"{message} []string{{{shown}}}")
