"""EndpointSlice: where the pods behind a Service are."""

from typing import Annotated

from msgspec import field

from schemas.core.reference import ObjectReference
from schemas.meta import MERGED_SET, Object, Record


class EndpointConditions(Record, frozen=True):
    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class ForNode(Record, frozen=True):
    name: str


class ForZone(Record, frozen=True):
    name: str


class EndpointHints(Record, frozen=True):
    for_nodes: tuple[ForNode, ...] = ()
    for_zones: tuple[ForZone, ...] = ()


class Endpoint(Record, frozen=True):
    addresses: Annotated[tuple[str, ...], MERGED_SET]
    conditions: EndpointConditions | None = None
    deprecated_topology: dict[str, str] = field(default_factory=dict)
    hints: EndpointHints | None = None
    hostname: str = ""
    node_name: str = ""
    target_ref: ObjectReference | None = None
    zone: str = ""


class EndpointPort(Record, frozen=True):
    app_protocol: str | None = None
    name: str | None = None
    port: int | None = None
    protocol: str = ""


class EndpointSlice(Object, frozen=True, kw_only=True):
    api_version: str = field(default_factory=lambda: "discovery.k8s.io/v1")
    kind: str = field(default_factory=lambda: "EndpointSlice")
    address_type: str
    endpoints: tuple[Endpoint, ...] = ()
    ports: tuple[EndpointPort, ...] = ()
