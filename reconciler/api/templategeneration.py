"""The annotation in which Kubernetes counts the templates of a DaemonSet: clients of old read it, and cannot set it.

Pure. Of a DaemonSet that comes through the API alone: the folder's have no annotations but those that they declare.
"""

from msgspec import structs

from schemas.apps import DaemonSet
from schemas.meta import Object

ANNOTATION = "deprecated.daemonset.template.generation"


def first(new: Object) -> Object:
    """A new object with its first count."""
    return _counted(new, 1) if isinstance(new, DaemonSet) else new


def next_of(new: Object, present: Object) -> Object:
    """A new version with the count of the one that is there, or the next where the template changes."""
    if not isinstance(new, DaemonSet) or not isinstance(present, DaemonSet):
        return new
    count = present.metadata.annotations.get(ANNOTATION, "")
    if not (count.isascii() and count.isdecimal()):
        return new
    return _counted(new, int(count) + (new.spec.template != present.spec.template))


def _counted(object_: DaemonSet, count: int) -> DaemonSet:
    annotations = object_.metadata.annotations | {ANNOTATION: str(count)}
    return structs.replace(object_, metadata=structs.replace(object_.metadata, annotations=annotations))
