"""Priority: the number that a pod's PriorityClass stands for, and the one class that is the default. Pure."""

from msgspec import structs

from reconciler.store.view import View
from schemas.core.pod import Pod
from schemas.meta import Object, ObjectMeta
from schemas.scheduling import PriorityClass

_USUAL = "PreemptLowerPriority"
SYSTEM_CLASSES = (
    PriorityClass(
        metadata=ObjectMeta(name="system-cluster-critical", generation=1),
        value=2_000_000_000,
        preemption_policy=_USUAL,
        description=(
            "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary."
        ),
    ),
    PriorityClass(
        metadata=ObjectMeta(name="system-node-critical", generation=1),
        value=2_000_001_000,
        preemption_policy=_USUAL,
        description="Used for system critical pods that must not be moved from their current node.",
    ),
)
"""Those that are always there."""


def complete(object_: Object, view: View) -> Object:
    if not isinstance(object_, Pod):
        return object_
    spec, found = object_.spec, _class_of(object_, view)
    if found is None and spec.priority_class_name:
        return object_  # which is refused
    value, policy = (found.value, found.preemption_policy or _USUAL) if found else (0, _USUAL)
    return structs.replace(
        object_,
        spec=structs.replace(
            spec,
            priority_class_name=found.metadata.name if found else "",
            priority=value if spec.priority is None else spec.priority,
            preemption_policy=spec.preemption_policy or policy,
        ),
    )


def _class_of(pod: Pod, view: View) -> PriorityClass | None:
    name = pod.spec.priority_class_name
    if not name:
        return _default(view)
    return view.get(PriorityClass, "", name) or next((one for one in SYSTEM_CLASSES if one.metadata.name == name), None)


def _default(view: View) -> PriorityClass | None:
    """The default class; of several the one of least value, as Kubernetes has it."""
    defaults = [one for one in view.list(PriorityClass) if one.global_default]
    return min(defaults, key=lambda one: one.value, default=None)


def check(object_: Object, view: View) -> str:
    if isinstance(object_, PriorityClass):
        return _second_default(object_, view)
    if not isinstance(object_, Pod):
        return ""
    spec, found = object_.spec, _class_of(object_, view)
    if found is None and spec.priority_class_name:
        return f"no PriorityClass with name {spec.priority_class_name} was found"
    value, policy = (found.value, found.preemption_policy or _USUAL) if found else (0, _USUAL)
    computed = "must not be provided in pod spec; priority admission controller computed"
    if spec.priority not in (None, value):
        return f"the integer value of priority ({spec.priority}) {computed} {value} from the given PriorityClass name"
    if spec.preemption_policy not in ("", policy):
        return (
            f"the string value of PreemptionPolicy ({spec.preemption_policy}) {computed} {policy} "
            "from the given PriorityClass name"
        )
    return ""


def _second_default(new: PriorityClass, view: View) -> str:
    present = _default(view)
    if not new.global_default or present is None or present.metadata.name == new.metadata.name:
        return ""
    return f"PriorityClass {present.metadata.name} is already marked as default. Only one default can exist"
