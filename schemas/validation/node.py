"""Rules of Nodes."""

from schemas import maintenance, names
from schemas.core.node import Node
from schemas.validation import address, resources
from schemas.validation.report import Faults, duplicate, invalid, unsupported, well_formed

_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


def node(declared: Node) -> Faults:
    windows = declared.metadata.annotations.get(maintenance.ANNOTATION, "")
    try:
        maintenance.parse(windows)
    except ValueError as error:
        yield invalid(("metadata", "annotations", maintenance.ANNOTATION), windows, str(error))
    seen: set[tuple[str, str]] = set()
    for index, taint in enumerate(declared.spec.taints):
        at = ("metadata", "taints", index)
        yield from well_formed((*at, "key"), taint.key, names.qualified_name)
        yield from well_formed((*at, "value"), taint.value, names.label_value)
        if taint.effect not in _EFFECTS:
            yield unsupported((*at, "effect"), taint.effect, _EFFECTS)
        if (taint.key, taint.effect) in seen:
            yield duplicate(at, {"key": taint.key, "effect": taint.effect})
        seen.add((taint.key, taint.effect))
    for index, cidr in enumerate(declared.spec.pod_cidrs):
        yield from address.network(("spec", "podCIDRs", index), cidr)
    yield from resources.amounts(("status", "capacity"), declared.status.capacity)
    yield from resources.amounts(("status", "allocatable"), declared.status.allocatable)
