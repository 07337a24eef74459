"""Ingress, IngressClass and NetworkPolicy."""

from msgspec import field

from schemas.core.reference import TypedLocalObjectReference
from schemas.meta import LabelSelector, Object, Record


class ServiceBackendPort(Record, frozen=True):
    name: str = ""
    number: int = 0


class IngressServiceBackend(Record, frozen=True):
    name: str
    port: ServiceBackendPort | None = None


class IngressBackend(Record, frozen=True):
    resource: TypedLocalObjectReference | None = None
    service: IngressServiceBackend | None = None


class HTTPIngressPath(Record, frozen=True):
    backend: IngressBackend
    path_type: str
    path: str = ""


class HTTPIngressRuleValue(Record, frozen=True):
    paths: tuple[HTTPIngressPath, ...]


class IngressRule(Record, frozen=True):
    host: str = ""
    http: HTTPIngressRuleValue | None = None


class IngressTLS(Record, frozen=True):
    hosts: tuple[str, ...] = ()
    secret_name: str = ""


class IngressSpec(Record, frozen=True):
    default_backend: IngressBackend | None = None
    ingress_class_name: str = ""
    rules: tuple[IngressRule, ...] = ()
    tls: tuple[IngressTLS, ...] = ()


class IngressPortStatus(Record, frozen=True):
    port: int
    protocol: str
    error: str = ""


class IngressLoadBalancerIngress(Record, frozen=True):
    hostname: str = ""
    ip: str = ""
    ports: tuple[IngressPortStatus, ...] = ()


class IngressLoadBalancerStatus(Record, frozen=True):
    ingress: tuple[IngressLoadBalancerIngress, ...] = ()


class IngressStatus(Record, frozen=True):
    load_balancer: IngressLoadBalancerStatus | None = None


class Ingress(Object, frozen=True, kw_only=True):
    api_version: str = field(default_factory=lambda: "networking.k8s.io/v1")
    kind: str = field(default_factory=lambda: "Ingress")
    spec: IngressSpec = field(default_factory=IngressSpec)
    status: IngressStatus = field(default_factory=IngressStatus)


class IngressClassParametersReference(Record, frozen=True):
    kind: str
    name: str
    api_group: str | None = None
    namespace: str = ""
    scope: str = ""


class IngressClassSpec(Record, frozen=True):
    controller: str = ""
    parameters: IngressClassParametersReference | None = None


class IngressClass(Object, frozen=True, kw_only=True):
    api_version: str = field(default_factory=lambda: "networking.k8s.io/v1")
    kind: str = field(default_factory=lambda: "IngressClass")
    spec: IngressClassSpec = field(default_factory=IngressClassSpec)


class NetworkPolicyPort(Record, frozen=True):
    end_port: int | None = None
    port: int | str | None = None
    protocol: str = ""


class IPBlock(Record, frozen=True):
    cidr: str
    except_: tuple[str, ...] = field(default=(), name="except")


class NetworkPolicyPeer(Record, frozen=True):
    ip_block: IPBlock | None = None
    namespace_selector: LabelSelector | None = None
    pod_selector: LabelSelector | None = None


class NetworkPolicyEgressRule(Record, frozen=True):
    ports: tuple[NetworkPolicyPort, ...] = ()
    to: tuple[NetworkPolicyPeer, ...] = ()


class NetworkPolicyIngressRule(Record, frozen=True):
    from_: tuple[NetworkPolicyPeer, ...] = field(default=(), name="from")
    ports: tuple[NetworkPolicyPort, ...] = ()


class NetworkPolicySpec(Record, frozen=True):
    egress: tuple[NetworkPolicyEgressRule, ...] = ()
    ingress: tuple[NetworkPolicyIngressRule, ...] = ()
    pod_selector: LabelSelector = field(default_factory=LabelSelector)
    policy_types: tuple[str, ...] = ()


class NetworkPolicy(Object, frozen=True, kw_only=True):
    api_version: str = field(default_factory=lambda: "networking.k8s.io/v1")
    kind: str = field(default_factory=lambda: "NetworkPolicy")
    spec: NetworkPolicySpec = field(default_factory=NetworkPolicySpec)
