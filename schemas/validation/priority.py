"""Rules of PriorityClasses."""

from schemas.faults import Path
from schemas.scheduling import PriorityClass
from schemas.validation.report import IMMUTABLE, Faults, forbidden, invalid, one_of

_HIGHEST = 1_000_000_000
_RESERVED = "system-"
_SYSTEM = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}
_VALUE: Path = ("value",)


def priority_class(declared: PriorityClass) -> Faults:
    name = declared.metadata.name
    if name.startswith(_RESERVED):
        if reason := _no_system_class(declared):
            sentence = "priority class names with 'system-' prefix are reserved for system use only. error: " + reason
            yield forbidden(("metadata", "name"), sentence)
    elif declared.value > _HIGHEST:
        yield forbidden(_VALUE, f"maximum allowed value of a user defined priority is {_HIGHEST}")
    yield from one_of(("preemptionPolicy",), declared.preemption_policy, ("PreemptLowerPriority", "Never"))


def _no_system_class(declared: PriorityClass) -> str:
    name = declared.metadata.name
    if name not in _SYSTEM:
        return f"{name} is not a known system priority class"
    if declared.value != _SYSTEM[name]:
        return f"value of {name} PriorityClass must be {_SYSTEM[name]}"
    return f"globalDefault of {name} PriorityClass must be false" if declared.global_default else ""


def priority_class_update(new: PriorityClass, old: PriorityClass) -> Faults:
    if new.value != old.value:
        yield forbidden(_VALUE, "may not be changed in an update.")
    if new.preemption_policy != old.preemption_policy:
        yield invalid(("preemptionPolicy",), new.preemption_policy, IMMUTABLE)
