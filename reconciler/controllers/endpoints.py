"""Endpoints, for clients that do not know EndpointSlices: what the slices of a Service say, in the older form.

They follow from the slices alone, which are the truth. As in Kubernetes they are of the Service's first family, leave
out what is ending, and hold a thousand addresses at most.
"""

import ipaddress
from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec import structs

from reconciler.controllers.endpointslice import HEADLESS, MANAGED_BY, MANAGER, SERVICE_NAME
from reconciler.controllers.interface import NOTHING, Controller, Plan
from reconciler.controllers.slicing import Ports
from reconciler.store.changes import Create, Delete, Update
from reconciler.store.view import Event, View
from schemas.core.endpoints import EndpointAddress, EndpointPort, Endpoints, EndpointSubset
from schemas.core.service import Service
from schemas.discovery import Endpoint, EndpointSlice
from schemas.meta import ObjectMeta, Ref, ref_of

KEPT_BY = "endpoints.kubernetes.io/managed-by"
KEEPER = "endpoint-controller"
OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity"
MOST = 1000


def concerns(event: Event, view: View) -> Iterable[Ref]:
    found = event.object
    match found:
        case Service() | Endpoints():
            return (Ref("Service", found.metadata.namespace, found.metadata.name),)
        case EndpointSlice() if found.metadata.labels.get(MANAGED_BY) == MANAGER:
            return (Ref("Service", found.metadata.namespace, found.metadata.labels.get(SERVICE_NAME, "")),)
    return ()


def reconcile(ref: Ref, view: View, now: datetime) -> Plan:
    present = view.get(Endpoints, ref.namespace, ref.name)
    service = view.get(Service, ref.namespace, ref.name)
    if service is None or service.metadata.deletion_timestamp is not None:
        is_ours = present is not None and KEPT_BY in present.metadata.labels
        return Plan((Delete(ref_of(present), uid=present.metadata.uid),)) if present and is_ours else NOTHING
    if not service.spec.selector or service.spec.type == "ExternalName":
        return NOTHING
    slices = [one for one in view.owned_by(EndpointSlice, service.metadata.uid) if _tells(one, service)]
    if not slices:
        return NOTHING  # they are on their way
    wanted = _of(service, slices, present)
    if present is None:
        return Plan((Create(wanted),))
    return Plan((Update(wanted),)) if wanted != present else NOTHING


def _tells(one: EndpointSlice, service: Service) -> bool:
    families = service.spec.ip_families
    return one.metadata.labels.get(MANAGED_BY) == MANAGER and (not families or one.address_type == families[0])


def _of(service: Service, slices: Sequence[EndpointSlice], present: Endpoints | None) -> Endpoints:
    by_ports: dict[Ports, list[Endpoint]] = {}
    for one in slices:
        by_ports.setdefault(one.ports, []).extend(one.endpoints)
    cut, subsets = _cut(tuple(_subset(ports, endpoints) for ports, endpoints in sorted(by_ports.items(), key=repr)))
    labels = {key: text for key, text in service.metadata.labels.items() if key != HEADLESS} | {KEPT_BY: KEEPER}
    if service.spec.cluster_ip == "None":
        labels[HEADLESS] = ""
    metadata = (
        present.metadata if present else ObjectMeta(name=service.metadata.name, namespace=service.metadata.namespace)
    )
    annotations = {key: text for key, text in metadata.annotations.items() if key != OVER_CAPACITY}
    annotations |= {OVER_CAPACITY: "truncated"} if cut else {}
    metadata = structs.replace(metadata, labels=labels, annotations=annotations)
    subsets = tuple(one for one in subsets if one.addresses or one.not_ready_addresses)
    if present is None:
        return Endpoints(metadata=metadata, subsets=subsets)
    return structs.replace(present, metadata=metadata, subsets=subsets)


def _subset(ports: Ports, endpoints: Iterable[Endpoint]) -> EndpointSubset:
    ready, others = list[EndpointAddress](), list[EndpointAddress]()
    for one in endpoints:
        conditions = one.conditions
        is_ready = conditions is None or conditions.ready is not False
        if is_ready:
            ready.append(_address(one))
        elif conditions is None or not conditions.terminating:
            others.append(_address(one))
    return EndpointSubset(
        addresses=tuple(sorted(ready, key=_order)),
        not_ready_addresses=tuple(sorted(others, key=_order)),
        ports=tuple(EndpointPort(one.port or 0, one.app_protocol, one.name or "", one.protocol) for one in ports),
    )


def _address(one: Endpoint) -> EndpointAddress:
    return EndpointAddress(one.addresses[0], one.hostname, one.node_name, one.target_ref)


def _order(one: EndpointAddress) -> tuple[int, str]:
    return int(ipaddress.ip_address(one.ip)), one.target_ref.uid if one.target_ref else ""


def _cut(subsets: tuple[EndpointSubset, ...]) -> tuple[bool, tuple[EndpointSubset, ...]]:
    """No more than fit; those that are ready come first."""
    room, left = MOST, list[EndpointSubset]()
    for one in subsets:
        addresses = one.addresses[:room]
        room -= len(addresses)
        left.append(structs.replace(one, addresses=addresses))
    for index, one in enumerate(subsets):
        others = one.not_ready_addresses[:room]
        room -= len(others)
        left[index] = structs.replace(left[index], not_ready_addresses=others)
    return tuple(left) != subsets, tuple(left)


CONTROLLER = Controller("endpoints", concerns, reconcile)
