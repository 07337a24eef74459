"""Rules of ResourceQuotas and LimitRanges."""

from collections.abc import Mapping

from schemas import names
from schemas.core.quota import LimitRange, LimitRangeItem, ResourceQuota, ResourceQuotaSpec
from schemas.core.quota import ScopedResourceSelectorRequirement as Requirement
from schemas.faults import Path
from schemas.meta import Quantity
from schemas.quantity import canonical, milli
from schemas.validation.report import IMMUTABLE, Faults, duplicate, forbidden, invalid, required
from schemas.validation.resources import container_resource_name, is_extended

_SPEC: Path = ("spec",)
_COMPUTE = ("cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory")
_COUNTED = (
    "configmaps",
    "persistentvolumeclaims",
    "pods",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "services",
    "services.loadbalancers",
    "services.nodeports",
)
_QUOTA = frozenset(
    (
        *_COMPUTE,
        *_COUNTED,
        "ephemeral-storage",
        "limits.ephemeral-storage",
        "requests.ephemeral-storage",
        "requests.storage",
    )
)
_STANDARD = _QUOTA | {"storage"}
_HUGE = ("hugepages-", "requests.hugepages-")
_OF_PODS = ("pods", *_COMPUTE)
_OF_SCOPE = {
    "BestEffort": ("pods",),
    "CrossNamespacePodAffinity": _OF_PODS,
    "NotBestEffort": _OF_PODS,
    "NotTerminating": _OF_PODS,
    "PriorityClass": _OF_PODS,
    "Terminating": _OF_PODS,
    "VolumeAttributesClass": ("persistentvolumeclaims", "requests.storage"),
}
"""The resources that each scope can narrow down."""
_CONFLICTS = ({"BestEffort", "NotBestEffort"}, {"Terminating", "NotTerminating"})
_ONLY_EXISTS = ("BestEffort", "CrossNamespacePodAffinity", "NotBestEffort", "NotTerminating", "Terminating")
_TYPES = ("Container", "PersistentVolumeClaim", "Pod")


def resource_quota(declared: ResourceQuota) -> Faults:
    spec = declared.spec
    for name, amount in spec.hard.items():
        yield from _quota((*_SPEC, "hard", name), name, amount)
    yield from _scopes((*_SPEC, "scopes"), spec)
    if spec.scope_selector is not None:
        path = (*_SPEC, "scopeSelector", "matchExpressions")
        for index, requirement in enumerate(spec.scope_selector.match_expressions):
            yield from _requirement((*path, index), requirement, spec)
        yield from _conflicts(path, [each.scope_name for each in spec.scope_selector.match_expressions])


def _quota(path: Path, name: str, amount: Quantity) -> Faults:
    yield from _resource_name(path, name)
    if "/" not in name and not _is_quota(name):
        yield invalid(path, name, "must be a standard resource for quota")
    if milli(amount) < 0:
        yield invalid(path, canonical(amount), "must be greater than or equal to 0")
    if milli(amount) % 1000 and (name in _COUNTED or is_extended(name)):
        yield invalid(path, canonical(amount), "must be an integer")


def _is_quota(name: str) -> bool:
    return name in _QUOTA or name.startswith(_HUGE)


def _resource_name(path: Path, name: str) -> Faults:
    complaints = names.qualified_name(name)
    for complaint in complaints:
        yield invalid(path, name, complaint)
    if not complaints and "/" not in name and name not in _STANDARD and not name.startswith(_HUGE):
        yield invalid(path, name, "must be a standard resource type or fully qualified")


def _scopes(path: Path, spec: ResourceQuotaSpec) -> Faults:
    for scope in spec.scopes:
        if scope not in _OF_SCOPE:
            yield invalid(path, spec.scopes, "unsupported scope")
        yield from (invalid(path, spec.scopes, "unsupported scope applied to resource") for _ in _out_of(scope, spec))
    yield from _conflicts(path, spec.scopes)


def _out_of(scope: str, spec: ResourceQuotaSpec) -> list[str]:
    """Resources of the quota that the scope says nothing about."""
    within = _OF_SCOPE.get(scope)
    return [] if within is None else [name for name in sorted(spec.hard) if _is_quota(name) and name not in within]


def _conflicts(path: Path, scopes: list[str] | tuple[str, ...]) -> Faults:
    for pair in _CONFLICTS:
        if pair <= set(scopes):
            yield invalid(path, list(scopes), "conflicting scopes")


def _requirement(path: Path, requirement: Requirement, spec: ResourceQuotaSpec) -> Faults:
    scope, operator = requirement.scope_name, requirement.operator
    if scope not in _OF_SCOPE:
        yield invalid((*path, "scopeName"), scope, "unsupported scope")
    if _out_of(scope, spec):
        yield invalid(path, scope, "unsupported scope applied to resource")
    if scope in _ONLY_EXISTS and operator != "Exists":
        yield invalid(
            (*path, "operator"),
            operator,
            "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, "
            "ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or "
            "ResourceQuotaScopeCrossNamespacePodAffinity",
        )
    match operator:
        case "In" | "NotIn":
            if not requirement.values:
                sentence = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
                yield required((*path, "values"), sentence)
        case "Exists" | "DoesNotExist":
            if requirement.values:
                sentence = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
                yield invalid((*path, "values"), requirement.values, sentence)
        case _:
            yield invalid((*path, "operator"), operator, "not a valid selector operator")


def resource_quota_update(new: ResourceQuota, old: ResourceQuota) -> Faults:
    if set(new.spec.scopes) != set(old.spec.scopes):
        yield invalid((*_SPEC, "scopes"), new.spec.scopes, IMMUTABLE)


def limit_range(declared: LimitRange) -> Faults:
    seen: set[str] = set()
    for index, item in enumerate(declared.spec.limits):
        path = (*_SPEC, "limits", index)
        yield from _type((*path, "type"), item.type)
        if item.type in seen:
            yield duplicate((*path, "type"), item.type)
        seen.add(item.type)
        yield from _item(path, item)


def _type(path: Path, type_: str) -> Faults:
    complaints = names.qualified_name(type_)
    for complaint in complaints:
        yield invalid(path, type_, complaint)
    if not complaints and "/" not in type_ and type_ not in _TYPES:
        yield invalid(path, type_, "must be a standard limit type or fully qualified")


def _item(path: Path, item: LimitRangeItem) -> Faults:
    columns: dict[str, Mapping[str, Quantity]] = {
        "max": item.max,
        "min": item.min,
        "default": item.default,
        "defaultRequest": item.default_request,
        "maxLimitRequestRatio": item.max_limit_request_ratio,
    }
    for field, amounts in columns.items():
        if item.type == "Pod" and field.startswith("default"):
            if amounts:
                yield forbidden((*path, field), "may not be specified when `type` is 'Pod'")
            continue
        for name in amounts:
            if item.type in ("Container", "Pod"):
                yield from container_resource_name((*path, field, name), name)
            else:
                yield from _resource_name((*path, field, name), name)
    if item.type == "PersistentVolumeClaim" and "storage" not in {**item.min, **item.max}:
        sentence = "either minimum or maximum storage value is required, but neither was provided"
        yield required((*path, "limits"), sentence)
    for name in sorted({name for amounts in columns.values() for name in amounts}):
        yield from _bounds(path, name, {field: amounts[name] for field, amounts in columns.items() if name in amounts})


_ORDER = (
    ("min", "max", "min", "min", "min value {} is greater than max value {}"),
    (
        "min",
        "defaultRequest",
        "defaultRequest",
        "defaultRequest",
        "min value {} is greater than default request value {}",
    ),
    (
        "defaultRequest",
        "max",
        "defaultRequest",
        "defaultRequest",
        "default request value {} is greater than max value {}",
    ),
    (
        "defaultRequest",
        "default",
        "defaultRequest",
        "defaultRequest",
        "default request value {} is greater than default limit value {}",
    ),
    ("min", "default", "default", "min", "min value {} is greater than default value {}"),
    ("default", "max", "default", "max", "default value {} is greater than max value {}"),
)
"""What may not exceed what, the field that is blamed, the value that is shown, and why."""


def _bounds(path: Path, name: str, amounts: Mapping[str, Quantity]) -> Faults:
    for lesser, greater, blamed, value, sentence in _ORDER:
        if lesser in amounts and greater in amounts and milli(amounts[lesser]) > milli(amounts[greater]):
            less, more = canonical(amounts[lesser]), canonical(amounts[greater])
            yield invalid((*path, blamed, name), canonical(amounts[value]), sentence.format(less, more))
    if "maxLimitRequestRatio" in amounts:
        yield from _ratio((*path, "maxLimitRequestRatio", name), amounts)
    whole = is_extended(name) or name.startswith("hugepages-")
    request, limit = amounts.get("defaultRequest"), amounts.get("default")
    if whole and request is not None and limit is not None and milli(request) != milli(limit):
        sentence = f"default value {canonical(limit)} must equal to defaultRequest value {canonical(request)} in {name}"
        yield invalid((*path, "defaultRequest", name), canonical(limit), sentence)


def _ratio(path: Path, amounts: Mapping[str, Quantity]) -> Faults:
    ratio = amounts["maxLimitRequestRatio"]
    if milli(ratio) < 1000:
        yield invalid(path, canonical(ratio), f"ratio {canonical(ratio)} is less than 1")
    least, most = (milli(amounts.get(field, 0)) for field in ("min", "max"))
    if least > 0 and most > 0 and milli(ratio) * least > most * 1000:
        sentence = f"ratio {canonical(ratio)} is greater than max/min = {most / least:f}"
        yield invalid(path, canonical(ratio), sentence)
