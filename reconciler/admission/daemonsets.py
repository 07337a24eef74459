"""The number of a DaemonSet's template, as an annotation. It is deprecated, and counted all the same. Pure."""

from msgspec import structs

from schemas.apps import DaemonSet
from schemas.defaults.workloads import TEMPLATE_GENERATION


def counted(new: DaemonSet, old: DaemonSet) -> DaemonSet:
    """With the number that its template has, whatever the writer says of it."""
    before = old.metadata.annotations.get(TEMPLATE_GENERATION, "")
    if not before.isdecimal():
        return new
    number = str(int(before) + (new.spec.template != old.spec.template))
    if new.metadata.annotations.get(TEMPLATE_GENERATION) == number:
        return new
    annotations = new.metadata.annotations | {TEMPLATE_GENERATION: number}
    return structs.replace(new, metadata=structs.replace(new.metadata, annotations=annotations))
