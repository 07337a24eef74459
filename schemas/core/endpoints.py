"""Endpoints: where a Service leads, as it was told before EndpointSlices."""

from msgspec import field

from schemas.core.reference import ObjectReference
from schemas.meta import Object, Record


class EndpointAddress(Record, frozen=True):
    ip: str
    hostname: str = ""
    node_name: str = ""
    target_ref: ObjectReference | None = None


class EndpointPort(Record, frozen=True):
    port: int
    app_protocol: str | None = None
    name: str = ""
    protocol: str = ""


class EndpointSubset(Record, frozen=True):
    addresses: tuple[EndpointAddress, ...] = ()
    not_ready_addresses: tuple[EndpointAddress, ...] = ()
    ports: tuple[EndpointPort, ...] = ()


class Endpoints(Object, frozen=True, kw_only=True):
    api_version: str = field(default_factory=lambda: "v1")
    kind: str = field(default_factory=lambda: "Endpoints")
    subsets: tuple[EndpointSubset, ...] = ()
