"""RuntimeClass: a pod that names a class needs it to be there, and is given its overhead and where it may run. Pure.

https://kubernetes.io/docs/concepts/containers/runtime-class/
"""

from collections.abc import Mapping

from msgspec import structs

from reconciler.store.view import View
from schemas.core.affinity import Toleration
from schemas.core.pod import Pod
from schemas.meta import Object, Quantity
from schemas.node import RuntimeClass
from schemas.quantity import exact


def complete(object_: Object, view: View) -> Object:
    """What contradicts the class stays as it is written, and is refused."""
    found = _class_of(object_, view)
    if not isinstance(object_, Pod) or found is None:
        return object_
    spec = object_.spec
    if found.overhead is not None and not spec.overhead:
        spec = structs.replace(spec, overhead=found.overhead.pod_fixed)
    if found.scheduling is not None:
        spec = structs.replace(
            spec,
            node_selector={**found.scheduling.node_selector, **spec.node_selector},
            tolerations=_merged(spec.tolerations, found.scheduling.tolerations),
        )
    return object_ if spec == object_.spec else structs.replace(object_, spec=spec)


def check(object_: Object, view: View) -> str:
    """Why a pod may not come in."""
    if not isinstance(object_, Pod):
        return ""
    spec, found = object_.spec, _class_of(object_, view)
    if spec.runtime_class_name and found is None:
        return f'pod rejected: RuntimeClass "{spec.runtime_class_name}" not found'
    if found is None or found.overhead is None:
        if spec.overhead:
            return "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"
    elif _exact(spec.overhead) != _exact(found.overhead.pod_fixed):
        return "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"
    for key, value in (found.scheduling.node_selector if found and found.scheduling else {}).items():
        own = spec.node_selector.get(key)
        if own != value:
            return (
                f"conflict: runtimeClass.scheduling.nodeSelector[{key}] = {value}; pod.spec.nodeSelector[{key}] = {own}"
            )
    return ""


def _class_of(object_: Object, view: View) -> RuntimeClass | None:
    name = object_.spec.runtime_class_name if isinstance(object_, Pod) else ""
    return view.get(RuntimeClass, "", name) if name else None


def _merged(own: tuple[Toleration, ...], more: tuple[Toleration, ...]) -> tuple[Toleration, ...]:
    return (*own, *(one for one in more if one not in own))


def _exact(amounts: Mapping[str, Quantity]) -> dict[str, object]:
    return {name: exact(quantity) for name, quantity in amounts.items()}
