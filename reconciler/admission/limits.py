"""LimitRanger: what a LimitRange gives to containers that say nothing, and the bounds that it sets. Pure.

Follows https://kubernetes.io/docs/concepts/policy/limit-range/.
"""

from collections.abc import Iterator, Mapping, Sequence

from msgspec import structs

from reconciler.admission.amounts import added
from reconciler.store.view import View
from schemas.core.container import Container
from schemas.core.persistence import PersistentVolumeClaim
from schemas.core.pod import Pod
from schemas.core.quota import LimitRange, LimitRangeItem
from schemas.meta import Object, Quantity
from schemas.quantity import canonical, exact, milli

_ANNOTATION = "kubernetes.io/limit-ranger"


def complete(object_: Object, view: View) -> Object:
    if not isinstance(object_, Pod):
        return object_
    pod, told = object_, list[str]()
    for range_ in view.list(LimitRange, pod.metadata.namespace):
        limits, requests = _defaults(range_)
        if not limits and not requests:
            continue
        containers = tuple(_given(one, "container", limits, requests, told) for one in pod.spec.containers)
        before = tuple(_given(one, "init container", limits, requests, told) for one in pod.spec.init_containers)
        spec = structs.replace(pod.spec, containers=containers, init_containers=before)
        pod = structs.replace(pod, spec=spec)
    if not told:
        return object_
    note = {_ANNOTATION: "LimitRanger plugin set: " + "; ".join(told)}
    metadata = structs.replace(pod.metadata, annotations=pod.metadata.annotations | note)
    return structs.replace(pod, metadata=metadata)


def _defaults(range_: LimitRange) -> tuple[dict[str, Quantity], dict[str, Quantity]]:
    limits: dict[str, Quantity] = {}
    requests: dict[str, Quantity] = {}
    for item in range_.spec.limits:
        if item.type == "Container":
            limits |= item.default
            requests |= item.default_request
    return limits, requests


def _given(
    container: Container,
    what: str,
    limits: Mapping[str, Quantity],
    requests: Mapping[str, Quantity],
    told: list[str],
) -> Container:
    own = container.resources
    new_requests = {name: value for name, value in requests.items() if name not in own.requests}
    new_limits = {name: value for name, value in limits.items() if name not in own.limits}
    for new, side in ((new_requests, "request"), (new_limits, "limit")):
        if new:
            told.append(f"{', '.join(sorted(new))} {side} for {what} {container.name}")
    if not new_requests and not new_limits:
        return container
    resources = structs.replace(own, requests=own.requests | new_requests, limits=own.limits | new_limits)
    return structs.replace(container, resources=resources)


def check(object_: Object, view: View) -> str:
    if not isinstance(object_, Pod | PersistentVolumeClaim):
        return ""
    namespace = object_.metadata.namespace
    faults = [
        fault
        for range_ in view.list(LimitRange, namespace)
        for item in range_.spec.limits
        for fault in (_pod(object_, item) if isinstance(object_, Pod) else _claim(object_, item))
    ]
    return faults[0] if len(faults) == 1 else f"[{', '.join(faults)}]" if faults else ""


def _pod(pod: Pod, item: LimitRangeItem) -> Iterator[str]:
    containers: Sequence[Container] = (*pod.spec.containers, *pod.spec.init_containers)
    if item.type == "Container":
        for container in containers:
            yield from _bounds(item, container.resources.requests, container.resources.limits)
    elif item.type == "Pod":
        regular = pod.spec.containers
        requests = added(one.resources.requests for one in regular)
        yield from _bounds(item, requests, added(one.resources.limits for one in regular))


def _bounds(item: LimitRangeItem, requests: Mapping[str, Quantity], limits: Mapping[str, Quantity]) -> Iterator[str]:
    for name, least in sorted(item.min.items()):
        yield from _at_least(item.type, name, least, requests, limits)
    for name, most in sorted(item.max.items()):
        said = f"maximum {name} usage per {item.type} is {canonical(most)}"
        if name not in limits:
            yield f"{said}.  No limit is specified"
        elif exact(limits[name]) > exact(most):
            yield f"{said}, but limit is {canonical(limits[name])}"
        elif name in requests and exact(requests[name]) > exact(most):
            yield f"{said}, but request is {canonical(requests[name])}"
    for name, ratio in sorted(item.max_limit_request_ratio.items()):
        yield from _ratio(item.type, name, ratio, requests.get(name, 0), limits.get(name, 0))


def _at_least(
    type_: str, name: str, least: Quantity, requests: Mapping[str, Quantity], limits: Mapping[str, Quantity]
) -> Iterator[str]:
    said = f"minimum {name} usage per {type_} is {canonical(least)}"
    if name not in requests:
        yield f"{said}.  No request is specified"
    elif exact(requests[name]) < exact(least):
        yield f"{said}, but request is {canonical(requests[name])}"
    elif name in limits and exact(limits[name]) < exact(least):
        yield f"{said}, but limit is {canonical(limits[name])}"


def _ratio(type_: str, name: str, most: Quantity, request: Quantity, limit: Quantity) -> Iterator[str]:
    said = f"{name} max limit to request ratio per {type_} is {canonical(most)}"
    if not exact(request):
        yield f"{said}, but no request is specified or request is 0"
    elif not exact(limit):
        yield f"{said}, but no limit is specified or limit is 0"
    elif exact(limit) * 1000 > milli(most) * exact(request):
        yield f"{said}, but provided ratio is {exact(limit) / exact(request):.6f}"


def _claim(claim: PersistentVolumeClaim, item: LimitRangeItem) -> Iterator[str]:
    if item.type != "PersistentVolumeClaim":
        return
    requests = claim.spec.resources.requests if claim.spec.resources else {}
    for name, least in sorted(item.min.items()):
        yield from _at_least(item.type, name, least, requests, {})
    for name, most in sorted(item.max.items()):
        said = f"maximum {name} usage per {item.type} is {canonical(most)}"
        if name not in requests:
            yield f"{said}.  No request is specified"
        elif exact(requests[name]) > exact(most):
            yield f"{said}, but request is {canonical(requests[name])}"
