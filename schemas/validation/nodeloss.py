"""Rules of the annotations that say what becomes of a pod whose node is lost; see `schemas.nodeloss`."""

from collections.abc import Mapping

from schemas.core.pod import Pod
from schemas.faults import Path
from schemas.nodeloss import ANNOTATION, LEASE_ANNOTATION, LONGEST_LEASE, SHORTEST_LEASE, OnNodeLoss, is_lease
from schemas.validation.report import IMMUTABLE, Faults, invalid, unsupported


def annotations(path: Path, pairs: Mapping[str, str]) -> Faults:
    """Of a pod, or of the template of one."""
    asked = pairs.get(ANNOTATION)
    if asked is not None and asked not in set(OnNodeLoss):
        yield unsupported((*path, ANNOTATION), asked, tuple(OnNodeLoss))
    lease = pairs.get(LEASE_ANNOTATION)
    if lease is not None and not is_lease(lease):
        told = f"must be a whole number of seconds between {SHORTEST_LEASE} and {LONGEST_LEASE}"
        yield invalid((*path, LEASE_ANNOTATION), lease, told)


def update(new: Pod, old: Pod) -> Faults:
    """Agent and reconciler count by what the pod was made with: a node that is cut off would not hear of a change."""
    for key in (ANNOTATION, LEASE_ANNOTATION):
        before, after = old.metadata.annotations.get(key), new.metadata.annotations.get(key)
        if before != after:
            yield invalid(("metadata", "annotations", key), after, IMMUTABLE)
