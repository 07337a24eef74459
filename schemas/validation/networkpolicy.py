"""Rules of NetworkPolicies."""

from ipaddress import ip_network

from schemas.faults import Path
from schemas.networking import IPBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort
from schemas.validation import address
from schemas.validation.report import Faults, forbidden, invalid, one_of, port_number, required, unsupported
from schemas.validation.scheduling import label_selector

_SPEC: Path = ("spec",)
_TYPES = ("Ingress", "Egress")


def network_policy(declared: NetworkPolicy) -> Faults:
    spec = declared.spec
    yield from label_selector((*_SPEC, "podSelector"), spec.pod_selector)
    for index, incoming in enumerate(spec.ingress):
        at = (*_SPEC, "ingress", index)
        yield from _rule(at, incoming.ports, (*at, "from"), incoming.from_)
    for index, outgoing in enumerate(spec.egress):
        at = (*_SPEC, "egress", index)
        yield from _rule(at, outgoing.ports, (*at, "to"), outgoing.to)
    at = (*_SPEC, "policyTypes")
    if len(spec.policy_types) > len(_TYPES):
        yield invalid(at, spec.policy_types, "may not specify more than two policyTypes")
        return
    for index, type_ in enumerate(spec.policy_types):
        if type_ not in _TYPES:
            yield unsupported((*at, index), type_, _TYPES)


def _rule(
    path: Path, ports: tuple[NetworkPolicyPort, ...], peers_path: Path, peers: tuple[NetworkPolicyPeer, ...]
) -> Faults:
    for index, port in enumerate(ports):
        yield from _port((*path, "ports", index), port)
    for index, peer in enumerate(peers):
        yield from _peer((*peers_path, index), peer)


def _port(path: Path, port: NetworkPolicyPort) -> Faults:
    yield from one_of((*path, "protocol"), port.protocol, ("TCP", "UDP", "SCTP"))
    at, last = (*path, "endPort"), port.end_port
    if port.port is not None:
        yield from address.port((*path, "port"), port.port)
    if last is None:
        return
    if port.port is None:
        yield invalid(at, last, "may not be specified when `port` is not specified")
    elif isinstance(port.port, str):
        yield invalid(at, last, "may not be specified when `port` is non-numeric")
    else:
        if last < port.port:
            # Kubernetes 1.36 shows the first port here.
            yield invalid(at, port.port, "must be greater than or equal to `port`")
        yield from port_number(at, last)


def _peer(path: Path, peer: NetworkPolicyPeer) -> Faults:
    if peer.pod_selector is not None:
        yield from label_selector((*path, "podSelector"), peer.pod_selector)
    if peer.namespace_selector is not None:
        yield from label_selector((*path, "namespaceSelector"), peer.namespace_selector)
    selects = peer.pod_selector is not None or peer.namespace_selector is not None
    if peer.ip_block is not None:
        yield from _block((*path, "ipBlock"), peer.ip_block)
        if selects:
            yield forbidden(path, "may not specify both ipBlock and another peer")
    elif not selects:
        yield required(path, "must specify a peer")


def _block(path: Path, block: IPBlock) -> Faults:
    if not block.cidr:
        yield required((*path, "cidr"))
        return
    faults = tuple(address.network((*path, "cidr"), block.cidr))
    yield from faults
    for index, text in enumerate(() if faults else block.except_):
        at = (*path, "except", index)
        if faults := tuple(address.network(at, text)):
            yield from faults
        elif not _is_within(text, block.cidr):
            yield invalid(at, text, "must be a strict subset of `cidr`")


def _is_within(inner: str, outer: str) -> bool:
    """Both well-formed."""
    part, whole = ip_network(inner, strict=False), ip_network(outer, strict=False)
    within = part.version == whole.version and part.network_address in whole
    return within and part.prefixlen > whole.prefixlen
