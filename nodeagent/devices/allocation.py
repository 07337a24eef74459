"""Which device goes to which container. Pure.

What a pod is given is kept at its sandbox, and so outlives the agent; nothing else is remembered. As with the kubelet
all containers of a pod are given theirs when it is admitted, and what an init container had goes on to those after it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec
from msgspec import field

from nodeagent.devices.declared import DeviceResource
from nodeagent.pods.actions import Failure
from schemas.core.pod import Pod
from schemas.quantity import value

Present = Mapping[str, tuple[str, ...]]
"""The files that are there, by resource."""


class Allocated(msgspec.Struct, frozen=True):
    """`devices`: files by resource, by container. `held`: by resource, those of all containers; what one of them has
    handed on to another is there once. `first_user`: of the pod's range of users, 0 where it has none.
    """

    devices: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    held: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    first_user: int = 0


NOTHING = Allocated()


def encoded(allocated: Allocated) -> str:
    return msgspec.json.encode(allocated).decode()


def decoded(text: str) -> Allocated:
    """Nothing where it was written by a version that wrote otherwise."""
    try:
        return msgspec.json.decode(text, type=Allocated)
    except msgspec.DecodeError:
        return NOTHING


def amounts(declared: Iterable[DeviceResource], present: Present) -> dict[str, int]:
    """How much of each resource there is."""
    return {one.resource: len(present.get(one.resource, ())) * one.shares for one in declared}


def allocate(
    pod: Pod, declared: Iterable[DeviceResource], present: Present, others: Iterable[Allocated]
) -> Allocated | Failure:
    """The files for each container, or why the pod cannot run here. `others`: what pods of this node hold."""
    known = list(others)
    given: dict[str, dict[str, tuple[str, ...]]] = {}
    held: dict[str, tuple[str, ...]] = {}
    starting = [one.name for one in pod.spec.init_containers if one.restart_policy != "Always"]
    for resource in declared:
        name = resource.resource
        free = _free(resource, present.get(name, ()), known)
        handed_on: list[str] = []
        for container in (*pod.spec.init_containers, *pod.spec.containers):
            wanted = value(container.resources.limits.get(name, 0))
            if wanted > len(handed_on) + len(free):
                return _too_few(name, wanted, len(handed_on) + len(free), bool(present.get(name)))
            again, new = handed_on[:wanted], free[: max(0, wanted - len(handed_on))]
            free = free[len(new) :]
            handed_on = handed_on + new if container.name in starting else handed_on[len(again) :]
            if wanted:
                given.setdefault(container.name, {})[name] = (*again, *new)
                held[name] = (*held.get(name, ()), *new)
    return Allocated(given, held) if given else NOTHING


def _too_few(resource: str, wanted: int, available: int, any_present: bool) -> Failure:
    why = f"requested number of devices unavailable for {resource}. Requested: {wanted}, Available: {available}"
    if not any_present:
        why = f"no healthy devices present; cannot allocate unhealthy devices {resource}"
    return Failure("UnexpectedAdmissionError", f"Allocate failed due to {why}, which is unexpected")


def _free(resource: DeviceResource, paths: tuple[str, ...], held: Iterable[Allocated]) -> list[str]:
    """Each file as often as it has shares left, the one that is used least first."""
    used = Counter(path for one in held for path in one.held.get(resource.resource, ()))
    shares = [(used[path] + number, path) for path in paths for number in range(max(0, resource.shares - used[path]))]
    return [path for _, path in sorted(shares)]
