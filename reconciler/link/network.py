"""What every node is told of the network, as the cluster says it: pure, from the view to bodies by key.

A policy is told with its selectors resolved to addresses, for only the reconciler knows the labels of all pods.
Follows https://kubernetes.io/docs/concepts/services-networking/network-policies/ and the EndpointSlice page.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from msgspec import structs

from reconciler.addresspools import Pool, announcer
from reconciler.link.ingresses import network_ingress
from reconciler.store.view import Event, View
from schemas.core.config import Namespace
from schemas.core.container import ContainerPort
from schemas.core.node import Node
from schemas.core.pod import Pod
from schemas.core.service import Service, ServicePort
from schemas.discovery import Endpoint, EndpointSlice
from schemas.meta import LabelSelector, Ref
from schemas.network import (
    INGRESSES,
    NODES,
    POLICIES,
    SERVICES,
    Family,
    NetworkBody,
    NetworkEndpoint,
    NetworkNode,
    NetworkPolicyBody,
    NetworkPort,
    NetworkService,
    NetworkSlice,
    PolicyBlock,
    PolicyPort,
    PolicyRule,
    Protocol,
    SlicePort,
)
from schemas.networking import Ingress, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort
from schemas.selectors import matches

SERVICE_NAME = "kubernetes.io/service-name"
ZONE = "topology.kubernetes.io/zone"
PUBLIC_KEY = "wherry.dev/wireguard-public-key"
"""Annotation of a Node: its agent has made the key, and told the public part."""
AFFINITY_SECONDS = 10_800
"""What `sessionAffinity: ClientIP` means where no time is given."""


def keys_of(event: Event) -> Iterable[str]:
    """The bodies that an event may change, save that pods and namespaces may change every policy: see `stirs`."""
    versions = [one for one in (event.old, event.new) if one is not None]
    for object_ in versions:
        metadata = object_.metadata
        match object_:
            case Node():
                yield NODES + metadata.name
            case Service():
                yield f"{SERVICES}{metadata.namespace}/{metadata.name}"
            case EndpointSlice() if name := metadata.labels.get(SERVICE_NAME):
                yield f"{SERVICES}{metadata.namespace}/{name}"
            case Ingress():
                yield f"{INGRESSES}{metadata.namespace}/{metadata.name}"
            case NetworkPolicy():
                yield f"{POLICIES}{metadata.namespace}/{metadata.name}"


def stirs(event: Event) -> bool:
    """Whether policies may have to be resolved anew: by the labels or addresses of a pod, or a namespace's labels."""
    return isinstance(event.object, Pod | Namespace) and _place(event.old) != _place(event.new)


def moves(event: Event) -> bool:
    """Whether another node may have to answer for addresses of Services: by a node's readiness or labels."""
    return isinstance(event.object, Node) and _standing(event.old) != _standing(event.new)


def body(key: str, view: View, slices: Iterable[EndpointSlice], pools: Sequence[Pool] = ()) -> NetworkBody | None:
    """The body of a key; None where there is nothing to be told. `slices`: those of the Service, if it is one."""
    part, _, name = key.partition("/")
    namespace, _, own = name.rpartition("/")
    match part + "/":
        case "nodes/":
            node = view.get(Node, "", name)
            return None if node is None else network_node(node)
        case "ingresses/":
            ingress = view.get(Ingress, namespace, own)
            return None if ingress is None else network_ingress(ingress, view)
        case "services/":
            service = view.get(Service, namespace, own)
            return None if service is None else _announced(network_service(service, slices), view, pools)
        case _:
            policy = view.get(NetworkPolicy, namespace, own)
            return None if policy is None else network_policy(policy, view)


def network_node(node: Node) -> NetworkNode:
    addresses = tuple(one.address for one in node.status.addresses if one.type == "InternalIP")
    ranges = node.spec.pod_cidrs or ((node.spec.pod_cidr,) if node.spec.pod_cidr else ())
    return NetworkNode(
        name=node.metadata.name,
        addresses=addresses,
        pod_cidrs=ranges,
        zone=node.metadata.labels.get(ZONE, ""),
        public_key=node.metadata.annotations.get(PUBLIC_KEY, ""),
        ready=any(one.type == "Ready" and one.status == "True" for one in node.status.conditions),
    )


def network_service(service: Service, slices: Iterable[EndpointSlice]) -> NetworkService:
    spec, metadata = service.spec, service.metadata
    ingress = service.status.load_balancer.ingress if service.status.load_balancer else ()
    affinity = spec.session_affinity_config.client_ip if spec.session_affinity_config else None
    seconds = AFFINITY_SECONDS if affinity is None or affinity.timeout_seconds is None else affinity.timeout_seconds
    addresses = spec.cluster_ips or ((spec.cluster_ip,) if spec.cluster_ip else ())
    return NetworkService(
        namespace=metadata.namespace,
        name=metadata.name,
        type=cast(Any, spec.type or "ClusterIP"),
        cluster_ips=tuple(one for one in addresses if one and one != "None"),
        external_ips=spec.external_ips,
        load_balancer_ips=tuple(one.ip for one in ingress if one.ip and one.ip_mode != "Proxy"),
        source_ranges=spec.load_balancer_source_ranges,
        external_name=spec.external_name,
        ports=tuple(_service_port(port) for port in spec.ports),
        slices=tuple(_slice(one) for one in sorted(slices, key=lambda one: one.metadata.name) if _told(one)),
        affinity_seconds=seconds if spec.session_affinity == "ClientIP" else 0,
        internal_local=spec.internal_traffic_policy == "Local",
        external_local=spec.external_traffic_policy == "Local",
        health_check_node_port=spec.health_check_node_port or 0,
        load_balancer_node_ports=spec.allocate_load_balancer_node_ports is not False,
    )


def _announced(service: NetworkService, view: View, pools: Sequence[Pool]) -> NetworkService:
    """Under `externalTrafficPolicy: Local` only nodes with an endpoint that is ready may answer."""
    if not service.load_balancer_ips:
        return service
    ready = {one.node for slice_ in service.slices for one in slice_.endpoints if one.ready}
    only = ready if service.external_local else None
    return structs.replace(service, announcer=announcer(service.load_balancer_ips, pools, view.list(Node), only))


def _service_port(port: ServicePort) -> NetworkPort:
    return NetworkPort(port.port, _protocol(port.protocol), port.name, port.node_port)


def _told(slice_: EndpointSlice) -> bool:
    return slice_.address_type in ("IPv4", "IPv6") and slice_.metadata.deletion_timestamp is None


def _slice(slice_: EndpointSlice) -> NetworkSlice:
    return NetworkSlice(
        family=cast(Family, slice_.address_type),
        ports=tuple(
            SlicePort(port.port, _protocol(port.protocol), port.name or "") for port in slice_.ports if port.port
        ),
        endpoints=tuple(_endpoint(one) for one in slice_.endpoints if one.addresses),
    )


def _endpoint(endpoint: Endpoint) -> NetworkEndpoint:
    conditions, hints = endpoint.conditions, endpoint.hints
    ready = conditions is None or conditions.ready is not False
    return NetworkEndpoint(
        address=endpoint.addresses[0],
        node=endpoint.node_name,
        pod=endpoint.target_ref.uid if endpoint.target_ref and endpoint.target_ref.kind == "Pod" else "",
        ready=ready,
        serving=ready if conditions is None or conditions.serving is None else conditions.serving,
        terminating=conditions is not None and conditions.terminating is True,
        hostname=endpoint.hostname,
        zone=endpoint.zone,
        zones=tuple(one.name for one in hints.for_zones) if hints else (),
        nodes=tuple(one.name for one in hints.for_nodes) if hints else (),
    )


def network_policy(policy: NetworkPolicy, view: View) -> NetworkPolicyBody:
    """The policy, resolved. Pods on their node's own network are held by none and matched by none."""
    spec, namespace = policy.spec, policy.metadata.namespace
    chosen = [pod for pod in view.list(Pod, namespace) if _on_network(pod) and _matched(spec.pod_selector, pod)]
    held = [pod for pod in chosen if _addresses(pod)]
    types = spec.policy_types or (("Ingress", "Egress") if spec.egress else ("Ingress",))
    ingress = [_rules(rule.from_, rule.ports, held, True, namespace, view) for rule in spec.ingress]
    egress = [_rules(rule.to, rule.ports, held, False, namespace, view) for rule in spec.egress]
    return NetworkPolicyBody(
        namespace=namespace,
        name=policy.metadata.name,
        pods=_sorted_addresses(held),
        unplaced=tuple(sorted(pod.metadata.uid for pod in chosen if pod.spec.node_name and not _addresses(pod))),
        ingress=tuple(one for rules in ingress for one in rules) if "Ingress" in types else None,
        egress=tuple(one for rules in egress for one in rules) if "Egress" in types else None,
    )


def _rules(
    peers: Sequence[NetworkPolicyPeer],
    ports: Sequence[NetworkPolicyPort],
    held: Sequence[Pod],
    ingress: bool,
    namespace: str,
    view: View,
) -> Iterator[PolicyRule]:
    """One rule for the numbered ports, and one for each pod that has a number for a port's name.

    The name is looked up where the connection ends: in the pods that the policy holds, or else in the peers.
    """
    pods = [pod for peer in peers for pod in _peers(peer, namespace, view)]
    blocks = tuple(
        PolicyBlock(peer.ip_block.cidr, tuple(sorted(peer.ip_block.except_))) for peer in peers if peer.ip_block
    )
    addresses = _sorted_addresses(pods)
    numbered = tuple(_policy_port(port, port.port) for port in ports if not isinstance(port.port, str))
    if numbered or not ports:
        yield PolicyRule(not peers, addresses, blocks, numbered)
    for port in ports:
        if isinstance(port.port, str):
            ends = held if ingress else pods
            if not ingress and not peers:
                ends = [pod for pod in view.list(Pod) if _has_address(pod)]
            for number, named in sorted(_by_number(ends, port).items()):
                at = (_policy_port(port, number),)
                if ingress:
                    yield PolicyRule(not peers, addresses, blocks, at, _sorted_addresses(named))
                else:
                    yield PolicyRule(False, _sorted_addresses(named), (), at)


def _by_number(pods: Iterable[Pod], port: NetworkPolicyPort) -> Mapping[int, list[Pod]]:
    found: dict[int, list[Pod]] = {}
    for pod in pods:
        for own in _container_ports(pod):
            if own.name == port.port and (own.protocol or "TCP") == _protocol(port.protocol):
                found.setdefault(own.container_port, []).append(pod)
    return found


def _container_ports(pod: Pod) -> Iterator[ContainerPort]:
    sidecars = (one for one in pod.spec.init_containers if one.restart_policy == "Always")
    for container in (*sidecars, *pod.spec.containers):
        yield from container.ports


def _policy_port(port: NetworkPolicyPort, number: int | str | None) -> PolicyPort:
    if number is None:
        return PolicyPort(_protocol(port.protocol))
    assert isinstance(number, int)
    return PolicyPort(_protocol(port.protocol), number, port.end_port or number)


def _peers(peer: NetworkPolicyPeer, namespace: str, view: View) -> Iterator[Pod]:
    """The pods of a peer: of the policy's own namespace, unless it selects others."""
    if peer.ip_block is not None:
        return
    if peer.namespace_selector is None:
        namespaces: Iterable[str] = (namespace,)
    else:
        chosen = peer.namespace_selector
        namespaces = [one.metadata.name for one in view.list(Namespace) if matches(chosen, one.metadata.labels)]
    for name in namespaces:
        for pod in view.list(Pod, name):
            if _has_address(pod) and (peer.pod_selector is None or _matched(peer.pod_selector, pod)):
                yield pod


def _matched(selector: LabelSelector, pod: Pod) -> bool:
    return matches(selector, pod.metadata.labels)


def _on_network(pod: Pod) -> bool:
    return not pod.spec.host_network and pod.status.phase not in ("Succeeded", "Failed")


def _has_address(pod: Pod) -> bool:
    return _on_network(pod) and bool(_addresses(pod))


def _addresses(pod: Pod) -> tuple[str, ...]:
    found = tuple(one.ip for one in pod.status.pod_ips if one.ip)
    return found or ((pod.status.pod_ip,) if pod.status.pod_ip else ())


def _sorted_addresses(pods: Iterable[Pod]) -> tuple[str, ...]:
    return tuple(sorted({address for pod in pods for address in _addresses(pod)}))


def _standing(object_: object) -> tuple[object, ...]:
    if not isinstance(object_, Node):
        return ()
    ready = any(one.type == "Ready" and one.status == "True" for one in object_.status.conditions)
    return object_.metadata.labels, ready, object_.metadata.deletion_timestamp is None


def _place(object_: object) -> tuple[object, ...]:
    match object_:
        case Pod():
            return object_.metadata.labels, _addresses(object_), _on_network(object_), object_.spec.node_name
        case Namespace():
            return (object_.metadata.labels,)
    return ()


def _protocol(written: str) -> Protocol:
    return cast(Protocol, written or "TCP")


def service_of(slice_: EndpointSlice) -> Ref | None:
    """The Service that a slice belongs to."""
    name = slice_.metadata.labels.get(SERVICE_NAME)
    return Ref("Service", slice_.metadata.namespace, name) if name else None
