"""An object with the fields that Kubernetes writes also where there is nothing in them.

Some clients' decoders take an absent `eventTime` for a fault, and read `status.loadBalancer` unasked. What is stored
goes without. Pure.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from msgspec import convert, field
from msgspec.structs import asdict, fields, replace

from schemas.autoscaling import HorizontalPodAutoscaler, HorizontalPodAutoscalerStatus, MetricStatus
from schemas.coordination import Lease, LeaseSpec
from schemas.core.event import Event, EventSource
from schemas.core.node import DaemonEndpoint, Node, NodeDaemonEndpoints, NodeSystemInfo
from schemas.core.pod import Pod
from schemas.core.podstatus import PodCondition
from schemas.core.service import LoadBalancerStatus, Service
from schemas.meta import Object
from schemas.networking import Ingress, IngressLoadBalancerStatus
from schemas.rbac import ClusterRole, PolicyRule, Role


def _nothing() -> None:
    """The encoder leaves out a default, but not what a function gives."""


class _Event(Event, frozen=True, kw_only=True):
    event_time: datetime | None = field(default_factory=_nothing)
    first_timestamp: datetime | None = field(default_factory=_nothing)
    last_timestamp: datetime | None = field(default_factory=_nothing)
    reporting_component: str = field(default_factory=lambda: "")
    reporting_instance: str = field(default_factory=lambda: "")
    source: EventSource | None = field(default_factory=EventSource)


class _PodCondition(PodCondition, frozen=True):
    last_probe_time: datetime | None = field(default_factory=_nothing)


class _LeaseSpec(LeaseSpec, frozen=True):
    acquire_time: str | None = None  # type: ignore[assignment]
    renew_time: str | None = None  # type: ignore[assignment]


class _AutoscalerStatus(HorizontalPodAutoscalerStatus, frozen=True):
    current_metrics: tuple[MetricStatus, ...] | None = field(default_factory=_nothing)  # type: ignore[assignment]


class _ClusterRole(ClusterRole, frozen=True, kw_only=True):
    rules: tuple[PolicyRule, ...] | None = field(default_factory=_nothing)  # type: ignore[assignment]


class _Role(Role, frozen=True, kw_only=True):
    rules: tuple[PolicyRule, ...] | None = field(default_factory=_nothing)  # type: ignore[assignment]


def spelled_out(object_: Object) -> Object:
    """The object as an answer has it."""
    spell = _SPELLED.get(object_.kind)
    return object_ if spell is None else spell(object_)


def _event(object_: Object) -> Object:
    assert isinstance(object_, Event)
    return _Event(**{**asdict(object_), "source": object_.source or EventSource()})


def _pod(object_: Object) -> Object:
    assert isinstance(object_, Pod)
    status = object_.status
    if not status.conditions:
        return object_
    conditions = tuple(_PodCondition(**asdict(condition)) for condition in status.conditions)
    return replace(object_, status=replace(status, conditions=conditions))


def _role(object_: Object) -> Object:
    assert isinstance(object_, ClusterRole | Role)
    if object_.rules:
        return object_
    type_ = _ClusterRole if isinstance(object_, ClusterRole) else _Role
    return type_(**{**asdict(object_), "rules": None})


def _autoscaler(object_: Object) -> Object:
    assert isinstance(object_, HorizontalPodAutoscaler)
    status = asdict(object_.status)
    status["current_metrics"] = object_.status.current_metrics or None
    return replace(object_, status=_AutoscalerStatus(**status))


def _lease(object_: Object) -> Object:
    """The times of a Lease have six digits behind the second, also where those are zeros: Go asks for that."""
    assert isinstance(object_, Lease)
    spec = asdict(object_.spec)
    spec |= {name: _micro(spec[name]) for name in ("acquire_time", "renew_time")}
    return replace(object_, spec=_LeaseSpec(**spec))


def _micro(time: datetime | None) -> str | None:
    return None if time is None else f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


def _node(object_: Object) -> Object:
    assert isinstance(object_, Node)
    status = object_.status
    if status.node_info is not None and status.daemon_endpoints is not None:
        return object_
    told = replace(
        status,
        node_info=status.node_info or _NO_FACTS,
        daemon_endpoints=status.daemon_endpoints or NodeDaemonEndpoints(DaemonEndpoint(0)),
    )
    return replace(object_, status=told)


_NO_FACTS = convert({field.encode_name: "" for field in fields(NodeSystemInfo) if field.required}, NodeSystemInfo)


def _service(object_: Object) -> Object:
    assert isinstance(object_, Service)
    if object_.status.load_balancer is not None:
        return object_
    return replace(object_, status=replace(object_.status, load_balancer=LoadBalancerStatus()))


def _ingress(object_: Object) -> Object:
    assert isinstance(object_, Ingress)
    if object_.status.load_balancer is not None:
        return object_
    return replace(object_, status=replace(object_.status, load_balancer=IngressLoadBalancerStatus()))


_SPELLED: Mapping[str, Callable[[Object], Object]] = {
    "ClusterRole": _role,
    "Role": _role,
    "Event": _event,
    "HorizontalPodAutoscaler": _autoscaler,
    "Ingress": _ingress,
    "Lease": _lease,
    "Node": _node,
    "Pod": _pod,
    "Service": _service,
}
