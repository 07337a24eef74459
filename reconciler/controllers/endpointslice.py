"""EndpointSlice: the pods behind a Service, with whether each is ready, still serves, and is on its way out.

A Service without a selector, and one that is only another name (`ExternalName`), is left to whoever made it. Follows
the EndpointSlice controller (https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/).
"""

import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from msgspec import structs

from reconciler.controllers import podstate
from reconciler.controllers.interface import NOTHING, Controller, Plan
from reconciler.controllers.ownership import controller_reference
from reconciler.controllers.slicing import Ports, Slot, arrange, ordered
from reconciler.store.changes import Change, Create, Delete, Update
from reconciler.store.view import Event, View
from schemas.core.container import Container
from schemas.core.node import Node
from schemas.core.pod import Pod
from schemas.core.reference import ObjectReference
from schemas.core.service import Service, ServicePort
from schemas.discovery import (
    Endpoint,
    EndpointConditions,
    EndpointHints,
    EndpointPort,
    EndpointSlice,
    ForNode,
    ForZone,
)
from schemas.meta import ObjectMeta, Ref, controller_of, ref_of

SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
MANAGER = "endpointslice-controller.k8s.io"
HEADLESS = "service.kubernetes.io/headless"
ZONE = "topology.kubernetes.io/zone"
_RESERVED = (SERVICE_NAME, MANAGED_BY, HEADLESS)
_NEAR_ZONE = ("PreferClose", "PreferSameZone", "PreferSameNode")


def concerns(event: Event, view: View) -> Iterable[Ref]:
    """The Service itself; of a pod, of one of its slices or of a node whose place is new, the Services behind it."""
    match event.object:
        case Service():
            return () if event.new is None else (ref_of(event.new),)
        case EndpointSlice():
            owner = controller_of(event.object)
            return (Ref("Service", event.object.metadata.namespace, owner.name),) if owner is not None else ()
        case Pod():
            return _of_pod(event, view)
        case Node():
            return _of_node(event, view)
    return ()


def _of_pod(event: Event, view: View) -> Iterable[Ref]:
    versions = [pod for pod in (event.old, event.new) if isinstance(pod, Pod)]
    if len(versions) == 2 and _published(versions[0]) == _published(versions[1]):
        return ()
    return {ref for pod in versions for ref in _services_of(pod, view)}


def _of_node(event: Event, view: View) -> Iterable[Ref]:
    zones = [node.metadata.labels.get(ZONE) for node in (event.old, event.new) if node is not None]
    if len(zones) == 2 and zones[0] == zones[1]:
        return ()
    return {ref for pod in view.pods_on(event.object.metadata.name) for ref in _services_of(pod, view)}


def _published(pod: Pod) -> object:
    """All of a pod that a slice tells, or that decides whether it is in one."""
    spec, status = pod.spec, pod.status
    return (
        pod.metadata.labels,
        pod.metadata.deletion_timestamp is None,
        (spec.node_name, spec.hostname, spec.subdomain),
        (status.pod_ip, status.pod_ips, podstate.ended(pod), podstate.ready(pod)),
    )


def _services_of(pod: Pod, view: View) -> Iterator[Ref]:
    for service in view.selecting(Service, pod.metadata.namespace, pod.metadata.labels):
        if _selects(service, pod):
            yield ref_of(service)


def _selects(service: Service, pod: Pod) -> bool:
    labels = pod.metadata.labels
    return bool(service.spec.selector) and all(labels.get(key) == text for key, text in service.spec.selector.items())


def reconcile(ref: Ref, view: View, now: datetime) -> Plan:
    service = view.get(Service, ref.namespace, ref.name)
    if service is None or not service.spec.selector or service.spec.type == "ExternalName":
        return NOTHING
    pods = [pod for pod in view.pods_with(ref.namespace, service.spec.selector) if _reachable(pod)]
    existing = [
        one
        for one in view.owned_by(EndpointSlice, service.metadata.uid)
        if one.metadata.labels.get(MANAGED_BY) == MANAGER and one.metadata.deletion_timestamp is None
    ]
    families = _address_types(service)
    changes: list[Change] = [_delete(one) for one in existing if one.address_type not in families]
    for family in families:
        changes += _family(service, family, [one for one in existing if one.address_type == family], pods, view)
    return Plan(tuple(changes)) if changes else NOTHING


def _reachable(pod: Pod) -> bool:
    return bool(pod.status.pod_ip or pod.status.pod_ips)


def _address_types(service: Service) -> tuple[str, ...]:
    if service.spec.ip_families:
        return service.spec.ip_families
    address = service.spec.cluster_ip
    return ("IPv6",) if ":" in address else ("IPv4",)


def _family(
    service: Service, family: str, existing: Sequence[EndpointSlice], pods: Sequence[Pod], view: View
) -> Sequence[Change]:
    """The changes to the slices of one address type.

    Pods that are ending stay in as long as they may serve; one that has ended goes at once. Where it did not serve
    before either, no slice is written for its sake alone: it goes with the next change, as in Kubernetes.
    """
    idle = {
        each.target_ref.uid
        for one in existing
        for each in one.endpoints
        if each.target_ref is not None and each.conditions is not None and not each.conditions.serving
    }
    lazy = [pod for pod in pods if not podstate.ended(pod) or pod.metadata.uid in idle]
    going = [pod for pod in pods if not podstate.ended(pod)]
    if len(lazy) > len(going) and not _rewritten(service, family, existing, lazy, view):
        return ()
    return _rewritten(service, family, existing, going, view)


def _rewritten(
    service: Service, family: str, existing: Sequence[EndpointSlice], pods: Sequence[Pod], view: View
) -> Sequence[Change]:
    wanted: dict[Ports, list[Endpoint]] = {}
    for pod in pods:
        endpoint = _endpoint(service, pod, family, view)
        if endpoint is not None:
            wanted.setdefault(_ports(service, pod), []).append(endpoint)
    slots = arrange(existing, wanted)
    kept = {slot.slice.metadata.name for slot in slots if slot.slice is not None}
    changes: list[Change] = [_delete(one) for one in existing if one.metadata.name not in kept]
    for slot in slots:
        if slot.slice is None:
            if service.metadata.deletion_timestamp is None:
                changes.append(Create(_new_slice(service, family, slot)))
        elif (written := _written(slot.slice, service, slot)) != slot.slice:
            changes.append(Update(written))
    return changes


def _delete(one: EndpointSlice) -> Delete:
    return Delete(ref_of(one), uid=one.metadata.uid)


def _new_slice(service: Service, family: str, slot: Slot) -> EndpointSlice:
    stem = service.metadata.name[: 63 - len("-xxxxx")]
    metadata = ObjectMeta(
        generate_name=f"{stem}-",
        namespace=service.metadata.namespace,
        labels=_labels(service),
        owner_references=(controller_reference(service),),
    )
    return EndpointSlice(metadata=metadata, address_type=family, endpoints=tuple(slot.endpoints), ports=slot.ports)


def _written(one: EndpointSlice, service: Service, slot: Slot) -> EndpointSlice:
    ports = one.ports if ordered(one.ports) == slot.ports else slot.ports
    metadata = structs.replace(one.metadata, labels=_labels(service))
    return structs.replace(one, metadata=metadata, endpoints=tuple(slot.endpoints), ports=ports)


def _labels(service: Service) -> dict[str, str]:
    """Those of the Service, and by which a slice is found."""
    labels = {key: text for key, text in service.metadata.labels.items() if key not in _RESERVED}
    labels |= {SERVICE_NAME: service.metadata.name, MANAGED_BY: MANAGER}
    return labels | {HEADLESS: ""} if service.spec.cluster_ip == "None" else labels


def _endpoint(service: Service, pod: Pod, family: str, view: View) -> Endpoint | None:
    """The pod as an endpoint; None where it has no address of this family, or its node has gone."""
    addresses = tuple(ip for ip in _addresses(pod) if _is_of(ip, family))
    node = view.get(Node, "", pod.spec.node_name)
    eager = service.spec.publish_not_ready_addresses
    if not addresses or (node is None and not eager):
        return None
    ending = pod.metadata.deletion_timestamp is not None
    serving = podstate.ready(pod)
    zone = node.metadata.labels.get(ZONE, "") if node is not None else ""
    ready = eager or (serving and not ending)
    named = pod.spec.hostname and pod.spec.subdomain == service.metadata.name
    return Endpoint(
        addresses=addresses,
        conditions=EndpointConditions(ready=ready, serving=serving, terminating=ending),
        hints=_hints(service.spec.traffic_distribution, zone, pod.spec.node_name) if ready else None,
        hostname=pod.spec.hostname if named else "",
        node_name=pod.spec.node_name,
        target_ref=ObjectReference(
            kind="Pod", namespace=pod.metadata.namespace, name=pod.metadata.name, uid=pod.metadata.uid
        ),
        zone=zone,
    )


def _addresses(pod: Pod) -> Sequence[str]:
    return [one.ip for one in pod.status.pod_ips] or [pod.status.pod_ip]


def _is_of(address: str, family: str) -> bool:
    try:
        return f"IPv{ipaddress.ip_address(address).version}" == family
    except ValueError:  # What an agent has reported is not to be trusted to be an address.
        return False


def _hints(distribution: str, zone: str, node: str) -> EndpointHints | None:
    """Who had best use the endpoint (https://kubernetes.io/docs/reference/networking/virtual-ips/)."""
    if distribution not in _NEAR_ZONE:
        return None
    zones = (ForZone(zone),) if zone else ()
    nodes = (ForNode(node),) if node and distribution == "PreferSameNode" else ()
    return EndpointHints(for_nodes=nodes, for_zones=zones) if zones or nodes else None


def _ports(service: Service, pod: Pod) -> Ports:
    """Where the pod listens; a named port that it has not is left out."""
    found = []
    for port in service.spec.ports:
        number = _number(port, pod)
        if number is not None:
            found.append(
                EndpointPort(
                    app_protocol=port.app_protocol or None, name=port.name, port=number, protocol=port.protocol or "TCP"
                )
            )
    return ordered(found)


def _number(port: ServicePort, pod: Pod) -> int | None:
    if not isinstance(port.target_port, str):
        return port.target_port or port.port
    for container in _listening(pod):
        for one in container.ports:
            if one.name == port.target_port and (one.protocol or "TCP") == (port.protocol or "TCP"):
                return one.container_port
    return None


def _listening(pod: Pod) -> Iterator[Container]:
    yield from pod.spec.containers
    yield from (one for one in pod.spec.init_containers if one.restart_policy == "Always")


CONTROLLER = Controller("endpointslice", concerns, reconcile)
