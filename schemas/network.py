"""What concerns the network of all nodes alike: told once, beside `nodes/`, and fanned out by the broker.

Everything lies under `wherry/v1/<cluster>/network/`, retained, one topic for each node, Service, policy. What a
topic holds is whole and stands for itself, so that it counts as soon as it is there; a topic that is cleared is
gone. The `network` digest tells how much there is in all, so that a node notices what it has missed.
"""

import hashlib
from collections.abc import Iterable
from typing import Literal

from msgspec import field

from schemas.meta import Record

NODES, SERVICES, POLICIES, INGRESSES = "nodes/", "services/", "policies/", "ingresses/"
"""What a key begins with; the name of the node follows, or `<namespace>/<name>`."""

Family = Literal["IPv4", "IPv6"]
Protocol = Literal["TCP", "UDP", "SCTP"]


def network_digest(cluster: str) -> str:
    """The topic of `NetworkDigest`; each body is told below it, by its key."""
    return f"wherry/v1/{cluster}/network"


class NetworkDigest(Record, frozen=True):
    """`network` (retained): how many bodies there are, and the `combined` hash of them.

    `store` and `revision` say of which state of the cluster, for a person who compares two nodes.
    """

    store: str
    revision: int
    count: int
    hash: str


def body_hash(key: str, payload: bytes) -> int:
    """Of one body under its key: 64 bits."""
    return int.from_bytes(hashlib.blake2b(key.encode() + b"\0" + payload, digest_size=8).digest())


def combined(hashes: Iterable[int]) -> str:
    """Of all bodies, in whatever order: one that comes or goes changes it by itself alone."""
    total = 0
    for each in hashes:
        total ^= each
    return f"{total:016x}"


class NetworkNode(Record, frozen=True):
    """`nodes/<name>`: where the pods of a node are reached. `public_key`: of its WireGuard device, where it has one."""

    name: str
    addresses: tuple[str, ...] = ()
    pod_cidrs: tuple[str, ...] = field(default=(), name="podCIDRs")
    zone: str = ""
    public_key: str = ""
    ready: bool = True


class NetworkPort(Record, frozen=True):
    """A port of a Service, as the Service has it."""

    port: int
    protocol: Protocol = "TCP"
    name: str = ""
    node_port: int = 0


class SlicePort(Record, frozen=True):
    """Where the endpoints of a slice serve the Service's port of that name."""

    port: int
    protocol: Protocol = "TCP"
    name: str = ""


class NetworkEndpoint(Record, frozen=True):
    """One address that serves a Service; the conditions are those of an EndpointSlice.

    `zones` and `nodes` are hints: where it should be preferred. `hostname` names it in DNS. `pod`: the uid of the pod
    that it is; the pod's own node knows better what its address is now, and whether it is ready.
    """

    address: str
    node: str = ""
    pod: str = ""
    ready: bool = True
    serving: bool = True
    terminating: bool = False
    hostname: str = ""
    zone: str = ""
    zones: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()


class NetworkSlice(Record, frozen=True):
    """Endpoints of one family that serve the same ports."""

    family: Family
    ports: tuple[SlicePort, ...] = ()
    endpoints: tuple[NetworkEndpoint, ...] = ()


class NetworkService(Record, frozen=True):
    """`services/<namespace>/<name>`: a Service with its endpoints.

    `cluster_ips` is empty for a headless one. `affinity_seconds`: a client stays with its endpoint for so long; 0 for
    no affinity. `internal_local` and `external_local`: the traffic policy is `Local`. `announcer`: the node that
    answers for `load_balancer_ips` on their link.
    """

    namespace: str
    name: str
    type: Literal["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"] = "ClusterIP"
    cluster_ips: tuple[str, ...] = field(default=(), name="clusterIPs")
    external_ips: tuple[str, ...] = field(default=(), name="externalIPs")
    load_balancer_ips: tuple[str, ...] = field(default=(), name="loadBalancerIPs")
    announcer: str = ""
    source_ranges: tuple[str, ...] = ()
    external_name: str = ""
    ports: tuple[NetworkPort, ...] = ()
    slices: tuple[NetworkSlice, ...] = ()
    affinity_seconds: int = 0
    internal_local: bool = False
    external_local: bool = False
    health_check_node_port: int = 0
    load_balancer_node_ports: bool = True

    @property
    def headless(self) -> bool:
        return not self.cluster_ips and self.type != "ExternalName"


class PolicyBlock(Record, frozen=True):
    """Addresses from `cidr`, less those of `excepted`."""

    cidr: str
    excepted: tuple[str, ...] = ()


class PolicyPort(Record, frozen=True):
    """`first` to `last`, both included; 0 for every port of the protocol."""

    protocol: Protocol = "TCP"
    first: int = 0
    last: int = 0


class PolicyRule(Record, frozen=True):
    """What may pass: to or from `pods` (addresses) and `blocks`, at `ports` (none: all of them).

    `anyone`: the other end does not matter. `targets`: the rule holds for these of the policy's pods alone, for a
    named port may be another one in each pod; empty for all of them.
    """

    anyone: bool = False
    pods: tuple[str, ...] = ()
    blocks: tuple[PolicyBlock, ...] = ()
    ports: tuple[PolicyPort, ...] = ()
    targets: tuple[str, ...] = ()


class NetworkPolicyBody(Record, frozen=True):
    """`policies/<namespace>/<name>`: a NetworkPolicy with its selectors resolved to the addresses of now.

    `pods`: the addresses that it holds. `unplaced`: uids of pods that it holds and whose address has not been
    reported yet; their own node knows it before their first container starts. `ingress` or `egress` is None
    where the policy does not speak of that direction; an empty one lets nothing pass.
    """

    namespace: str
    name: str
    pods: tuple[str, ...] = ()
    unplaced: tuple[str, ...] = ()
    ingress: tuple[PolicyRule, ...] | None = None
    egress: tuple[PolicyRule, ...] | None = None


class IngressTarget(Record, frozen=True):
    """A port of a Service in the namespace of the Ingress, by number or by name."""

    service: str
    port: int = 0
    port_name: str = ""


class IngressRoute(Record, frozen=True):
    """`host` is empty for any, and may begin with `*.`; `exact`: the path as it is, else all that is below it."""

    target: IngressTarget
    host: str = ""
    path: str = "/"
    exact: bool = False


class IngressCertificate(Record, frozen=True):
    """The Secret whose certificate these hosts have; none for those that it names itself."""

    secret: str
    hosts: tuple[str, ...] = ()


class NetworkIngress(Record, frozen=True):
    """`ingresses/<namespace>/<name>`: one that is ours. `created`, in seconds: of two that want the same, the older
    has it. `default`: for what no route of it matches.
    """

    namespace: str
    name: str
    created: float = 0
    routes: tuple[IngressRoute, ...] = ()
    default: IngressTarget | None = None
    hosts: tuple[str, ...] = ()
    certificates: tuple[IngressCertificate, ...] = ()


NetworkBody = NetworkNode | NetworkService | NetworkPolicyBody | NetworkIngress
