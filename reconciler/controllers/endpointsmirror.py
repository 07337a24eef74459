"""Endpoints that somebody wrote for a Service without a selector become EndpointSlices, which is what is routed by.

As Kubernetes' endpointslicemirroring-controller: not for those that ask to be left alone, nor for leases of leaders.
"""

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import structs

from reconciler.controllers.endpoints import KEPT_BY
from reconciler.controllers.endpointslice import MANAGED_BY, SERVICE_NAME
from reconciler.controllers.interface import NOTHING, Controller, Plan
from reconciler.controllers.ownership import controller_reference
from reconciler.controllers.slicing import Ports, arrange, ordered
from reconciler.store.changes import Change, Create, Delete, Update
from reconciler.store.view import Event, View
from schemas.core.endpoints import EndpointAddress, Endpoints
from schemas.core.endpoints import EndpointPort as Port
from schemas.core.service import Service
from schemas.discovery import Endpoint, EndpointConditions, EndpointPort, EndpointSlice
from schemas.meta import ObjectMeta, Ref, ref_of

MANAGER = "endpointslicemirroring-controller.k8s.io"
SKIP = "endpointslice.kubernetes.io/skip-mirror"
_LEADER = "control-plane.alpha.kubernetes.io/leader"


def concerns(event: Event, view: View) -> Iterable[Ref]:
    found = event.object
    match found:
        case Service() | Endpoints():
            return (Ref("Endpoints", found.metadata.namespace, found.metadata.name),)
        case EndpointSlice() if found.metadata.labels.get(MANAGED_BY) == MANAGER:
            return (Ref("Endpoints", found.metadata.namespace, found.metadata.labels.get(SERVICE_NAME, "")),)
    return ()


def reconcile(ref: Ref, view: View, now: datetime) -> Plan:
    found = view.get(Endpoints, ref.namespace, ref.name)
    if found is None:
        return NOTHING  # what is owned by it goes with it
    existing = [
        one
        for one in view.owned_by(EndpointSlice, found.metadata.uid)
        if one.metadata.labels.get(MANAGED_BY) == MANAGER and one.metadata.deletion_timestamp is None
    ]
    service = view.get(Service, ref.namespace, ref.name)
    if service is None or service.spec.selector or not _is_mirrored(found):
        return Plan(tuple(_delete(one) for one in existing)) if existing else NOTHING
    changes: list[Change] = []
    for family in ("IPv4", "IPv6"):
        of_family = [one for one in existing if one.address_type == family]
        changes += _family(found, family, of_family)
    return Plan(tuple(changes)) if changes else NOTHING


def _is_mirrored(found: Endpoints) -> bool:
    labels = found.metadata.labels
    skipped = labels.get(SKIP) == "true" or KEPT_BY in labels or _LEADER in found.metadata.annotations
    return not skipped and found.metadata.deletion_timestamp is None


def _family(found: Endpoints, family: str, existing: Sequence[EndpointSlice]) -> list[Change]:
    wanted = _wanted(found, family)
    if not wanted:
        return [_delete(one) for one in existing]
    changes: list[Change] = []
    slots = arrange(existing, wanted)
    kept = {slot.slice.metadata.name for slot in slots if slot.slice is not None}
    changes += [_delete(one) for one in existing if one.metadata.name not in kept]
    labels = _labels(found)
    for slot in slots:
        if slot.slice is None:
            metadata = ObjectMeta(
                generate_name=f"{found.metadata.name[: 63 - len('-xxxxx')]}-",
                namespace=found.metadata.namespace,
                labels=labels,
                owner_references=(controller_reference(found),),
            )
            ends = tuple(slot.endpoints)
            made = EndpointSlice(metadata=metadata, address_type=family, endpoints=ends, ports=slot.ports)
            changes.append(Create(made))
            continue
        metadata = structs.replace(slot.slice.metadata, labels=labels)
        ends = tuple(slot.endpoints)
        written = structs.replace(slot.slice, metadata=metadata, endpoints=ends, ports=slot.ports)
        if written != slot.slice:
            changes.append(Update(written))
    return changes


def _wanted(found: Endpoints, family: str) -> Mapping[Ports, Sequence[Endpoint]]:
    wanted: dict[Ports, list[Endpoint]] = {}
    for subset in found.subsets:
        ports = ordered(
            [
                EndpointPort(
                    app_protocol=one.app_protocol, name=one.name, port=one.port, protocol=one.protocol or "TCP"
                )
                for one in subset.ports
            ]
        )
        for ready, addresses in ((True, subset.addresses), (False, subset.not_ready_addresses)):
            of_family = [_endpoint(one, ready) for one in addresses if _family_of(one.ip) == family]
            if of_family:
                wanted.setdefault(ports, []).extend(of_family)
    return wanted


def _port(one: Port) -> EndpointPort:
    return EndpointPort(app_protocol=one.app_protocol, name=one.name, port=one.port, protocol=one.protocol or "TCP")


def _family_of(ip: str) -> str:
    return f"IPv{ipaddress.ip_address(ip).version}"


def _endpoint(one: EndpointAddress, ready: bool) -> Endpoint:
    return Endpoint(
        addresses=(one.ip,),
        conditions=EndpointConditions(ready=ready),
        hostname=one.hostname,
        node_name=one.node_name,
        target_ref=one.target_ref,
    )


def _labels(found: Endpoints) -> dict[str, str]:
    return found.metadata.labels | {SERVICE_NAME: found.metadata.name, MANAGED_BY: MANAGER}


def _delete(one: EndpointSlice) -> Delete:
    return Delete(ref_of(one), uid=one.metadata.uid)


CONTROLLER = Controller("endpointsmirror", concerns, reconcile)
