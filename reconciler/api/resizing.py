"""The `resize` subresource: other resources for containers that run. The node of the pod grants them, or says why not.

Pure. Follows https://kubernetes.io/docs/tasks/configure-pod-container/resize-container-resources/ (KEP-1287): CPU and
memory of main containers and sidecars may change, and how they are changed; nothing may be taken away altogether, and
the quality of service stays.
"""

from collections.abc import Iterator, Mapping

from msgspec import structs

from schemas.core.container import Container, ResourceRequirements
from schemas.core.pod import Pod
from schemas.faults import Fault, Path
from schemas.meta import Object, Quantity
from schemas.qos import qos_class
from schemas.quantity import exact
from schemas.validation.report import forbidden, invalid

RESIZE = "resize"
RESIZABLE = ("cpu", "memory")
_SPEC = ("spec",)


def with_resources(present: Object, given: Object) -> Object:
    """The pod with the resources of the one that is given, and nothing else of it."""
    assert isinstance(present, Pod)  # no other kind has the subresource
    assert isinstance(given, Pod)
    spec = present.spec
    resized = structs.replace(
        spec,
        containers=_given(spec.containers, given.spec.containers),
        init_containers=_given(spec.init_containers, given.spec.init_containers),
    )
    return structs.replace(present, spec=resized)


def _given(present: tuple[Container, ...], given: tuple[Container, ...]) -> tuple[Container, ...]:
    wanted = {one.name: one for one in given}
    return tuple(
        structs.replace(
            one,
            resources=wanted.get(one.name, one).resources,
            resize_policy=wanted.get(one.name, one).resize_policy,
        )
        for one in present
    )


def faults(new: Object, old: Object) -> Iterator[Fault]:
    """Why it cannot be; nothing where nothing is asked for."""
    assert isinstance(new, Pod)
    assert isinstance(old, Pod)
    if new.spec == old.spec:
        return
    if qos_class(new) != (old.status.qos_class or qos_class(old)):
        yield invalid(_SPEC, old.status.qos_class, "Pod QOS Class may not change as a result of resizing")
    if not _can_be_resized(old):
        yield forbidden(_SPEC, "Pod running on node without support for resize")
    for listed in ("containers", "init_containers"):
        field = "initContainers" if listed == "init_containers" else listed
        pairs = zip(getattr(new.spec, listed), getattr(old.spec, listed), strict=True)
        for index, (after, before) in enumerate(pairs):
            yield from _container((*_SPEC, field, index), after, before, field == "containers")


def _can_be_resized(pod: Pod) -> bool:
    """It is on a node that tells what resources its containers have."""
    return any(one.resources is not None for one in pod.status.container_statuses)


def _container(path: Path, new: Container, old: Container, main: bool) -> Iterator[Fault]:
    if (new.resources, new.resize_policy) == (old.resources, old.resize_policy):
        return
    if not main and new.restart_policy != "Always":
        yield forbidden(path, "only cpu and memory resources for containers and sidecar containers are mutable")
        return
    at = (*path, "resources")
    for side in ("limits", "requests"):
        yield from _side((*at, side), side, getattr(new.resources, side), getattr(old.resources, side))
    if _others(new.resources) != _others(old.resources):
        yield forbidden(at, "only cpu and memory resources are mutable")


def _side(path: Path, side: str, new: Mapping[str, Quantity], old: Mapping[str, Quantity]) -> Iterator[Fault]:
    if any(name in old and name not in new for name in RESIZABLE):
        yield forbidden(path, f"resource {side} cannot be removed")


def _others(resources: ResourceRequirements) -> tuple[object, ...]:
    """What is neither CPU nor memory."""
    sides = (resources.limits, resources.requests)
    kept = ({name: exact(amount) for name, amount in side.items() if name not in RESIZABLE} for side in sides)
    return (*kept, resources.claims)
