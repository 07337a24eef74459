"""Rules of what a container asks for: known resources, no negative amounts, requests within limits."""

from collections.abc import Mapping

from schemas import names
from schemas.core.container import ContainerResizePolicy, ResourceRequirements
from schemas.faults import Fault, Path
from schemas.meta import Quantity
from schemas.quantity import canonical, milli
from schemas.validation.report import Faults, forbidden, invalid, required, unsupported

_STANDARD = ("cpu", "memory", "ephemeral-storage")
_STANDARD_ANYWHERE = (*_STANDARD, "storage", "pods", "requests.cpu", "limits.cpu", "requests.memory", "limits.memory")
_HUGE = "hugepages-"


def resources(path: Path, requirements: ResourceRequirements) -> Faults:
    for field, amounts in (("limits", requirements.limits), ("requests", requirements.requests)):
        for name, amount in amounts.items():
            yield from _resource((*path, field, name), name, amount)
    yield from _within_limits(path, requirements)
    named = {**requirements.limits, **requirements.requests}
    if any(name.startswith(_HUGE) for name in named) and not {"cpu", "memory"} & named.keys():
        yield forbidden(path, "HugePages require cpu or memory")


def container_resource_name(path: Path, name: str) -> Faults:
    complaints = names.qualified_name(name)
    for complaint in complaints:
        yield invalid(path, name, complaint)
    if not complaints and "/" not in name and not name.startswith(_HUGE):
        if name not in _STANDARD_ANYWHERE:
            yield invalid(path, name, "must be a standard resource type or fully qualified")
        if name not in _STANDARD:
            yield invalid(path, name, "must be a standard resource for containers")


def _resource(path: Path, name: str, amount: Quantity) -> Faults:
    yield from container_resource_name(path, name)
    thousandths = milli(amount)
    if thousandths < 0:
        yield invalid(path, canonical(amount), "must be greater than or equal to 0")
    if thousandths % 1000 and is_extended(name):
        yield invalid(path, canonical(amount), "must be an integer")
    if thousandths % 1000 and name in ("memory", "ephemeral-storage"):
        yield Fault(path, f'fractional byte value "{canonical(amount)}" is invalid, must be an integer', "warning")


def _within_limits(path: Path, requirements: ResourceRequirements) -> Faults:
    limits = requirements.limits
    for name, request in requirements.requests.items():
        whole = is_extended(name) or name.startswith(_HUGE)
        if name not in limits:
            if whole:
                yield required((*path, "limits"), "Limit must be set for non overcommitable resources")
            continue
        limit = limits[name]
        if whole and milli(request) != milli(limit):
            sentence = f"must be equal to {name} limit of {canonical(limit)}"
            yield invalid((*path, "requests"), canonical(request), sentence)
        elif not whole and milli(request) > milli(limit):
            sentence = f"must be less than or equal to {name} limit of {canonical(limit)}"
            yield invalid((*path, "requests"), canonical(request), sentence)


def is_extended(name: str) -> bool:
    """A resource that a device plugin offers, in whole pieces."""
    prefix, slash, _ = name.rpartition("/")
    return bool(slash) and prefix != "kubernetes.io" and not prefix.endswith(".kubernetes.io")


def amounts(path: Path, pairs: Mapping[str, Quantity]) -> Faults:
    """Amounts that are not asked for but there, such as a node's capacity."""
    for name, amount in pairs.items():
        if milli(amount) < 0:
            yield invalid((*path, name), canonical(amount), "must be greater than or equal to 0")


def resize_policies(path: Path, policies: tuple[ContainerResizePolicy, ...]) -> Faults:
    for policy in policies:
        if policy.resource_name not in ("cpu", "memory"):
            yield unsupported(path, policy.resource_name, ("cpu", "memory"))
        if policy.restart_policy not in ("NotRequired", "RestartContainer"):
            yield unsupported(path, policy.restart_policy, ("NotRequired", "RestartContainer"))
