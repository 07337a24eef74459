"""Endpoints for old clients, slices of what was written by hand, and the Service that leads to the API."""

from typing import Any

from msgspec import structs

from reconciler.controllers import endpoints, endpointslice, endpointsmirror, garbagecollector
from reconciler.controllers.apiservice import Served, apiservice, first_address
from reconciler.store.changes import Update
from schemas.core.config import Namespace
from schemas.core.endpoints import EndpointAddress, EndpointPort, Endpoints, EndpointSubset
from schemas.core.node import Node
from schemas.core.pod import Pod, PodSpec
from schemas.core.podstatus import PodCondition, PodIP, PodStatus
from schemas.core.service import Service, ServicePort, ServiceSpec
from schemas.discovery import EndpointSlice
from schemas.meta import ObjectMeta, Ref
from tests.unit.reconciler.controllers.world import World

_ALL = (endpointslice.CONTROLLER, endpoints.CONTROLLER, endpointsmirror.CONTROLLER, garbagecollector.CONTROLLER)


def _service(**spec: Any) -> Service:  # noqa: ANN401
    fields: dict[str, Any] = {"selector": {"app": "web"}, "ports": (ServicePort(80, protocol="TCP", target_port=8080),)}
    return Service(
        metadata=ObjectMeta(name="web", namespace="shop", labels={"a": "b"}), spec=ServiceSpec(**fields | spec)
    )


def _pod(name: str, ip: str, *, ready: bool = True) -> Pod:
    status = PodStatus(
        phase="Running",
        pod_ip=ip,
        pod_ips=(PodIP(ip),),
        conditions=(PodCondition("True" if ready else "False", "Ready"),),
    )
    metadata = ObjectMeta(name=name, namespace="shop", labels={"app": "web"})
    return Pod(metadata=metadata, spec=PodSpec(containers=(), node_name="n1"), status=status)


def _world(*objects: Any) -> World:  # noqa: ANN401
    made = World(_ALL)
    made.create(Node(metadata=ObjectMeta(name="n1")), *objects)
    made.settle()
    return made


def _subset(made: World) -> EndpointSubset:
    (found,) = made.get(Endpoints, "shop", "web").subsets
    return found


def test_endpoints_say_what_the_slices_say() -> None:
    made = _world(_service(), _pod("a", "10.0.0.2"), _pod("b", "10.0.0.1"), _pod("c", "10.0.0.3", ready=False))
    found = _subset(made)
    assert [one.ip for one in found.addresses] == ["10.0.0.1", "10.0.0.2"]
    assert [one.ip for one in found.not_ready_addresses] == ["10.0.0.3"]
    assert found.ports == (EndpointPort(8080, name="", protocol="TCP"),)
    target = found.addresses[0].target_ref
    assert target is not None
    assert (target.kind, target.name, found.addresses[0].node_name) == ("Pod", "b", "n1")
    labels = made.get(Endpoints, "shop", "web").metadata.labels
    assert labels == {"a": "b", "endpoints.kubernetes.io/managed-by": "endpoint-controller"}


def test_endpoints_follow_and_a_second_look_writes_nothing() -> None:
    made = _world(_service(), _pod("a", "10.0.0.2"))
    made.delete(Ref("Pod", "shop", "a"), grace_seconds=0)
    made.settle()
    assert made.get(Endpoints, "shop", "web").subsets == ()
    commits = made.commits
    made.settle()
    assert made.commits == commits


def test_endpoints_that_somebody_changed_are_put_right_and_go_with_their_service() -> None:
    made = _world(_service(), _pod("a", "10.0.0.2"))
    there = made.get(Endpoints, "shop", "web")
    made.apply((Update(structs.replace(there, subsets=())),))
    made.settle()
    assert _subset(made) == there.subsets[0]
    made.delete(Ref("Service", "shop", "web"))
    made.settle()
    assert made.cache.list(Endpoints) == ()


def test_no_more_than_a_thousand_addresses_are_told() -> None:
    made = _world(_service(), *(_pod(f"p{n}", f"10.0.{n // 250}.{n % 250 + 1}") for n in range(1003)))
    found = made.get(Endpoints, "shop", "web")
    assert sum(len(one.addresses) for one in found.subsets) == 1000
    assert found.metadata.annotations == {"endpoints.kubernetes.io/over-capacity": "truncated"}


def _by_hand(**metadata: Any) -> Endpoints:  # noqa: ANN401
    addresses = (EndpointAddress("192.0.2.1"), EndpointAddress("2001:db8::1"))
    subset = EndpointSubset(addresses, (EndpointAddress("192.0.2.2"),), (EndpointPort(5432, protocol="TCP"),))
    return Endpoints(metadata=ObjectMeta(name="web", namespace="shop", **metadata), subsets=(subset,))


def test_endpoints_written_by_hand_become_slices() -> None:
    made = _world(_service(selector={}), _by_hand())
    found = {one.address_type: one for one in made.cache.list(EndpointSlice)}
    assert sorted(found) == ["IPv4", "IPv6"]
    ready = {one.addresses[0]: one.conditions and one.conditions.ready for one in found["IPv4"].endpoints}
    assert ready == {"192.0.2.1": True, "192.0.2.2": False}
    assert found["IPv4"].ports[0].port == 5432
    assert found["IPv4"].metadata.labels["kubernetes.io/service-name"] == "web"
    made.apply((Update(structs.replace(made.get(Endpoints, "shop", "web"), subsets=())),))
    made.settle()
    assert made.cache.list(EndpointSlice) == ()


def test_some_endpoints_are_not_mirrored() -> None:
    skipped = _by_hand(labels={"endpointslice.kubernetes.io/skip-mirror": "true"})
    assert _world(_service(selector={}), skipped).cache.list(EndpointSlice) == ()
    assert _world(_by_hand()).cache.list(EndpointSlice) == ()


def test_the_api_has_a_service_with_the_first_address_that_leads_to_it() -> None:
    made = World((apiservice(Served(first_address("10.96.0.0/16,fd00::/112"), 6443, "192.0.2.9")), *_ALL))
    made.create(Namespace(metadata=ObjectMeta(name="default")))
    made.settle()
    service = made.get(Service, "default", "kubernetes")
    assert (service.spec.cluster_ip, service.spec.ports[0].target_port) == ("10.96.0.1", 6443)
    assert made.get(EndpointSlice, "default", "kubernetes").endpoints[0].addresses == ("192.0.2.9",)
    assert made.get(Endpoints, "default", "kubernetes").subsets[0].ports[0].name == "https"
    assert len(made.cache.list(EndpointSlice)) == 1
    made.delete(Ref("Service", "default", "kubernetes"))
    made.settle()
    assert made.get(Service, "default", "kubernetes").spec.cluster_ip == "10.96.0.1"


def test_an_api_that_nobody_else_can_reach_has_a_service_that_leads_nowhere() -> None:
    made = World((apiservice(Served("10.96.0.1", 6443)),))
    made.create(Namespace(metadata=ObjectMeta(name="default")))
    made.settle()
    assert made.get(Service, "default", "kubernetes").spec.cluster_ip == "10.96.0.1"
    assert made.cache.list(EndpointSlice) == ()
