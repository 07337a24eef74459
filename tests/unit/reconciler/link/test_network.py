from typing import Any

import pytest

from reconciler.link.network import body, keys_of, network_policy, network_service, stirs
from reconciler.store.cache import Cache
from reconciler.store.view import Event
from schemas.core.config import Namespace
from schemas.core.container import Container, ContainerPort
from schemas.core.node import Node, NodeSpec
from schemas.core.pod import Pod, PodSpec
from schemas.core.podstatus import PodIP, PodStatus
from schemas.core.reference import ObjectReference
from schemas.core.service import ServicePort
from schemas.discovery import Endpoint, EndpointConditions, EndpointHints, EndpointPort, EndpointSlice, ForZone
from schemas.kinds import BY_NAME
from schemas.meta import LabelSelector, Object, ObjectMeta
from schemas.network import (
    NetworkEndpoint,
    NetworkNode,
    NetworkPolicyBody,
    NetworkPort,
    PolicyBlock,
    PolicyPort,
    PolicyRule,
    SlicePort,
)
from schemas.networking import (
    IPBlock,
    NetworkPolicy,
    NetworkPolicyEgressRule,
    NetworkPolicyIngressRule,
    NetworkPolicyPeer,
    NetworkPolicyPort,
    NetworkPolicySpec,
)
from tests.contracts.network import service, slice_of


def cluster(*objects: Object) -> Cache:
    cache = Cache()
    cache.load(objects)
    return cache


def pod(name: str, address: str, namespace: str = "shop", port: int = 80, **options: Any) -> Pod:  # noqa: ANN401
    return Pod(
        metadata=ObjectMeta(name=name, namespace=namespace, uid=f"uid-{name}", labels={"app": name}),
        spec=PodSpec(
            containers=(Container(name="c", ports=(ContainerPort(port, name="http"),)),), node_name="n1", **options
        ),
        status=PodStatus(phase="Running", pod_ips=(PodIP(address),) if address else ()),
    )


def chosen(app: str) -> LabelSelector:
    return LabelSelector(match_labels={"app": app})


def policy(**spec: Any) -> NetworkPolicy:  # noqa: ANN401
    return NetworkPolicy(
        metadata=ObjectMeta(name="p", namespace="shop"),
        spec=NetworkPolicySpec(**{"pod_selector": chosen("web")} | spec),
    )


SHOP = (
    Namespace(metadata=ObjectMeta(name="shop", labels={"team": "a"})),
    Namespace(metadata=ObjectMeta(name="bank", labels={"team": "b"})),
    pod("web", "10.0.0.1", port=8080),
    pod("api", "10.0.0.2"),
    pod("host", "192.0.2.1", host_network=True),
    pod("teller", "10.0.0.9", namespace="bank"),
)


def resolved(**spec: Any) -> NetworkPolicyBody:  # noqa: ANN401
    return network_policy(policy(**spec), cluster(*SHOP))


@pytest.mark.parametrize(
    ("peer", "rule"),
    [
        pytest.param(
            NetworkPolicyPeer(pod_selector=chosen("api")),
            PolicyRule(pods=("10.0.0.2",)),
            id="its own namespace",
        ),
        pytest.param(
            NetworkPolicyPeer(pod_selector=chosen("teller")),
            PolicyRule(),
            id="no other namespace",
        ),
        pytest.param(
            NetworkPolicyPeer(namespace_selector=LabelSelector(match_labels={"team": "b"})),
            PolicyRule(pods=("10.0.0.9",)),
            id="all pods of a namespace",
        ),
        pytest.param(
            NetworkPolicyPeer(namespace_selector=LabelSelector(), pod_selector=chosen("api")),
            PolicyRule(pods=("10.0.0.2",)),
            id="these pods in any namespace",
        ),
        pytest.param(
            NetworkPolicyPeer(ip_block=IPBlock("10.0.0.0/8", ("10.1.0.0/16",))),
            PolicyRule(blocks=(PolicyBlock("10.0.0.0/8", ("10.1.0.0/16",)),)),
            id="addresses",
        ),
        pytest.param(
            NetworkPolicyPeer(pod_selector=chosen("host")), PolicyRule(), id="no pod on its node's own network"
        ),
    ],
)
def test_a_peer_is_the_addresses_of_its_pods(peer: NetworkPolicyPeer, rule: PolicyRule) -> None:
    """https://kubernetes.io/docs/concepts/services-networking/network-policies/#behavior-of-to-and-from-selectors"""
    found = resolved(ingress=(NetworkPolicyIngressRule(from_=(peer,)),))
    assert found.ingress == (rule,)
    assert found.pods == ("10.0.0.1",)


@pytest.mark.parametrize(
    ("spec", "ingress", "egress"),
    [
        pytest.param({}, (), None, id="nothing said: nothing comes in"),
        pytest.param({"ingress": (NetworkPolicyIngressRule(),)}, (PolicyRule(anyone=True),), None, id="all may come"),
        pytest.param({"policy_types": ("Egress",)}, None, (), id="nothing goes out"),
        pytest.param(
            {"egress": (NetworkPolicyEgressRule(),)}, (), (PolicyRule(anyone=True),), id="a rule of egress means both"
        ),
    ],
)
def test_a_policy_speaks_of_the_directions_that_it_names(spec: dict[str, Any], ingress: object, egress: object) -> None:
    found = resolved(**spec)
    assert (found.ingress, found.egress) == (ingress, egress)


def test_a_range_of_ports_and_every_port_of_a_protocol() -> None:
    ports = (NetworkPolicyPort(port=80, end_port=90), NetworkPolicyPort(protocol="UDP"))
    found = resolved(ingress=(NetworkPolicyIngressRule(ports=ports),))
    assert found.ingress == (PolicyRule(anyone=True, ports=(PolicyPort("TCP", 80, 90), PolicyPort("UDP"))),)


def test_a_named_port_is_that_of_the_pod_where_the_connection_ends() -> None:
    named = (NetworkPolicyPort(port="http"),)
    incoming = resolved(ingress=(NetworkPolicyIngressRule(ports=named),))
    at = (PolicyPort("TCP", 8080, 8080),)
    assert incoming.ingress == (PolicyRule(anyone=True, ports=at, targets=("10.0.0.1",)),)
    outgoing = resolved(
        egress=(NetworkPolicyEgressRule(ports=named, to=(NetworkPolicyPeer(pod_selector=chosen("api")),)),)
    )
    assert outgoing.egress == (PolicyRule(pods=("10.0.0.2",), ports=(PolicyPort("TCP", 80, 80),)),)


def test_a_pod_without_an_address_is_named_for_its_node() -> None:
    found = network_policy(policy(), cluster(pod("web", "")))
    assert (found.pods, found.unplaced) == ((), ("uid-web",))


def test_a_service_is_told_with_its_ports_and_endpoints() -> None:
    declared = service("web", "10.96.0.7")
    slice_ = EndpointSlice(
        metadata=ObjectMeta(name="web-1", namespace="shop"),
        address_type="IPv4",
        endpoints=(
            Endpoint(
                ("10.0.0.1",),
                conditions=EndpointConditions(ready=False, serving=True, terminating=True),
                hints=EndpointHints(for_zones=(ForZone("z"),)),
                target_ref=ObjectReference(kind="Pod", uid="uid-web"),
                node_name="n1",
            ),
        ),
        ports=(EndpointPort(port=8080, name="http"),),
    )
    told = network_service(declared, [slice_])
    assert told.cluster_ips == ("10.96.0.7",)
    assert told.ports == (NetworkPort(80),)
    assert told.slices[0].ports == (SlicePort(8080, name="http"),)
    assert told.slices[0].endpoints == (
        NetworkEndpoint("10.0.0.1", "n1", "uid-web", ready=False, serving=True, terminating=True, zones=("z",)),
    )


def test_a_node_is_told_with_its_range() -> None:
    node = Node(metadata=ObjectMeta(name="n1"), spec=NodeSpec(pod_cidr="10.244.1.0/24"))
    assert body("nodes/n1", cluster(node), ()) == NetworkNode("n1", pod_cidrs=("10.244.1.0/24",), ready=False)


def test_what_is_gone_has_no_body() -> None:
    assert [body(key, cluster(), ()) for key in ("nodes/a", "services/a/b", "policies/a/b")] == [None] * 3


@pytest.mark.parametrize(
    ("object_", "keys"),
    [
        (slice_of("web"), ["services/shop/web"]),
        (service("web", "10.96.0.7"), ["services/shop/web"]),
        (policy(), ["policies/shop/p"]),
        (Node(metadata=ObjectMeta(name="n1")), ["nodes/n1"]),
        (pod("web", "10.0.0.1"), []),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_a_change_concerns_the_body_that_tells_of_it(object_: Object, keys: list[str]) -> None:
    assert BY_NAME[object_.kind]
    assert list(keys_of(Event(1, None, object_))) == keys


def test_policies_are_resolved_anew_when_a_pod_gets_its_address_and_not_when_it_only_reports() -> None:
    without, with_ = pod("web", ""), pod("web", "10.0.0.1")
    assert stirs(Event(1, without, with_))
    assert not stirs(Event(1, with_, with_))


def test_a_port_of_a_service_has_a_protocol_though_none_is_written() -> None:
    declared = service("web", "")
    spec = type(declared.spec)(ports=(ServicePort(53),), cluster_ip="None")
    told = network_service(type(declared)(metadata=declared.metadata, spec=spec), ())
    assert told.headless
    assert told.ports == (NetworkPort(53, "TCP"),)
