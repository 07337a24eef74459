"""Other resources for containers that run: what is granted, what is to be done, and what is told of it.

Pure. Follows https://kubernetes.io/docs/tasks/configure-pod-container/resize-container-resources/ (KEP-1287). What each
container was given is kept at it, as an annotation, and where that was changed later in a file of the pod; all else is
worked out afresh. A resize that the node has no room for changes nothing: its containers keep what they have, also when
they are started again.
"""

from collections.abc import Iterator, Mapping
from typing import Literal

import msgspec
from msgspec import field
from msgspec.structs import replace

from nodeagent.pods.observed import Observed
from nodeagent.pods.resources import is_sidecar
from nodeagent.runtime.interface import Container as Instance
from schemas.core.container import Container, ResourceRequirements
from schemas.core.pod import Pod
from schemas.core.podstatus import PodCondition
from schemas.podrequests import requests
from schemas.quantity import milli, value

RESIZABLE = ("cpu", "memory")
RESOURCES = "wherry.dev/resources"
"""On a container: the resources that it was made with."""

Given = Mapping[str, ResourceRequirements]
"""What running containers were given since, by their id."""


class Room(msgspec.Struct, frozen=True):
    """What the node can give to pods, where that is known, and what the others have of it. CPU in thousandths, memory
    in bytes."""

    allocatable: Mapping[str, int]
    others: Mapping[str, int] = field(default_factory=dict)


class Resize(msgspec.Struct, frozen=True):
    """Of a pod whose spec asks for other resources than its containers have. Without a `pending` it is granted."""

    pending: Literal["", "Deferred", "Infeasible"] = ""
    message: str = ""
    kept: Mapping[str, ResourceRequirements] = field(default_factory=dict)
    """By container, what it keeps while the resize is not granted."""


def resizable(pod: Pod) -> Iterator[Container]:
    yield from (one for one in pod.spec.init_containers if is_sidecar(pod, one))
    yield from pod.spec.containers


def given(container: Container, instance: Instance, changed: Given) -> ResourceRequirements:
    """What an instance has. One that was made by an agent that did not note it has what its spec says."""
    if instance.id in changed:
        return changed[instance.id]
    kept = instance.annotations.get(RESOURCES)
    if kept is None:
        return container.resources
    try:
        return msgspec.json.decode(kept, type=ResourceRequirements)
    except msgspec.DecodeError:
        return container.resources  # written by another version


def differences(wanted: ResourceRequirements, had: ResourceRequirements) -> frozenset[str]:
    """Of `cpu` and `memory`, what differs in amount."""
    return frozenset(name for name in RESIZABLE if _of(wanted, name) != _of(had, name))


def _of(resources: ResourceRequirements, name: str) -> tuple[int | None, int | None]:
    count = milli if name == "cpu" else value
    found = [side.get(name) for side in (resources.requests, resources.limits)]
    request, limit = (None if amount is None else count(amount) for amount in found)
    return limit if request is None else request, limit


def needs_restart(container: Container, instance: Instance, changed: Given) -> bool:
    """True where a resource differs of which the container says that it can only be changed by a new start."""
    policies = {one.resource_name: one.restart_policy for one in container.resize_policy}
    differing = differences(container.resources, given(container, instance, changed))
    return any(policies.get(name) == "RestartContainer" for name in differing)


def is_asked(pod: Pod, observed: Observed, changed: Given) -> bool:
    return any(_differs(container, observed, changed) for container in resizable(pod))


def _differs(container: Container, observed: Observed, changed: Given) -> bool:
    latest = observed.latest(container.name)
    return latest is not None and bool(differences(container.resources, given(container, latest, changed)))


def weighed(pod: Pod, observed: Observed, changed: Given, room: Room) -> Resize | None:
    """What becomes of the resize that the spec asks for; None where it asks for none."""
    if not is_asked(pod, observed, changed):
        return None
    kept = {}
    for container in resizable(pod):
        latest = observed.latest(container.name)
        if latest is not None:
            kept[container.name] = given(container, latest, changed)
    wanted, had = requests(pod), requests(with_resources(pod, kept))
    more = [name for name in RESIZABLE if wanted.get(name, 0) > had.get(name, 0)]
    known = [name for name in more if name in room.allocatable]
    for name in known:
        asked, capacity = wanted[name], room.allocatable[name]
        if asked > capacity:
            text = f"Node didn't have enough capacity: {name}, requested: {asked}, capacity: {capacity}"
            return Resize("Infeasible", text, kept)
    for name in known:
        asked, used, capacity = wanted[name], room.others.get(name, 0), room.allocatable[name]
        if asked + used > capacity:
            text = f"Node didn't have enough resource: {name}, requested: {asked}, used: {used}, capacity: {capacity}"
            return Resize("Deferred", text, kept)
    return Resize()


def with_resources(pod: Pod, kept: Mapping[str, ResourceRequirements]) -> Pod:
    """The pod with other resources of these containers."""
    if not kept:
        return pod
    spec = replace(
        pod.spec,
        containers=tuple(replace(one, resources=kept.get(one.name, one.resources)) for one in pod.spec.containers),
        init_containers=tuple(
            replace(one, resources=kept.get(one.name, one.resources)) for one in pod.spec.init_containers
        ),
    )
    return replace(pod, spec=spec)


def conditions(resize: Resize | None, error: str) -> tuple[PodCondition, ...]:
    """What is told of a resize that is not done."""
    if resize is None:
        return ()
    if resize.pending:
        return (PodCondition(type="PodResizePending", status="True", reason=resize.pending, message=resize.message),)
    reason = "Error" if error else ""
    return (PodCondition(type="PodResizeInProgress", status="True", reason=reason, message=error),)
