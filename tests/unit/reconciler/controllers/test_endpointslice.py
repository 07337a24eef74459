"""The pods behind a Service: https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/."""

import pytest
from msgspec import structs

from reconciler.controllers import endpointslice
from reconciler.controllers.endpointslice import HEADLESS, SERVICE_NAME
from reconciler.store.changes import Update, UpdateStatus
from schemas.core.container import Container, ContainerPort
from schemas.core.pod import Pod
from schemas.core.podstatus import PodIP
from schemas.core.service import Service, ServicePort, ServiceSpec
from schemas.discovery import Endpoint, EndpointConditions, EndpointSlice
from schemas.meta import ObjectMeta, Ref
from tests.unit.reconciler.controllers import builders
from tests.unit.reconciler.controllers.world import World, with_phase

LABELS = builders.LABELS
REF = Ref("Service", "default", "web")


def service(*ports: ServicePort, **spec: object) -> Service:
    usual = ServiceSpec(selector=LABELS, ports=ports or (ServicePort(80, target_port=8080),))
    metadata = ObjectMeta(name="web", namespace="default", labels={"team": "x"})
    return Service(metadata=metadata, spec=structs.replace(usual, **spec))


def a_pod(name: str, ip: str, *, ready: bool = True, phase: str = "Running", second: str = "") -> Pod:
    http = ContainerPort(container_port=8080, name="http", protocol="TCP")
    found = builders.pod(name, node="n1", labels=LABELS)
    containers = (Container(name="c", image="app:1", ports=(http,)),)
    found = structs.replace(found, spec=structs.replace(found.spec, containers=containers))
    found = with_phase(found, phase, World().now, ready=ready)
    ips = (PodIP(ip), PodIP(second)) if second else (PodIP(ip),)
    return structs.replace(found, status=structs.replace(found.status, pod_ip=ip, pod_ips=ips))


def world(declared: Service, *pods: Pod) -> World:
    made = World((endpointslice.CONTROLLER,))
    placed = builders.node("n1")
    labels = {"topology.kubernetes.io/zone": "z1"}
    made.create(structs.replace(placed, metadata=structs.replace(placed.metadata, labels=labels)), *pods, declared)
    for pod in pods:
        present = made.get(Pod, "default", pod.metadata.name)
        made.apply((UpdateStatus(structs.replace(present, status=pod.status)),))
    made.settle()
    return made


def endpoints(made: World) -> dict[str, Endpoint]:
    return {
        each.target_ref.name: each
        for one in made.cache.list(EndpointSlice)
        for each in one.endpoints
        if each.target_ref is not None
    }


@pytest.mark.parametrize(
    ("ready", "ending", "eager", "expected"),
    [
        pytest.param(True, False, False, (True, True, False), id="ready"),
        pytest.param(False, False, False, (False, False, False), id="not ready"),
        pytest.param(True, True, False, (False, True, True), id="on its way out, and still serving"),
        pytest.param(False, True, False, (False, False, True), id="on its way out"),
        pytest.param(False, False, True, (True, False, False), id="published all the same"),
        pytest.param(True, True, True, (True, True, True), id="published to the end"),
    ],
)
def test_conditions(ready: bool, ending: bool, eager: bool, expected: tuple[bool, bool, bool]) -> None:
    made = world(service(publish_not_ready_addresses=eager), a_pod("p", "10.0.0.1", ready=ready))
    if ending:
        made.delete(Ref("Pod", "default", "p"))
        made.settle()
    assert endpoints(made)["p"].conditions == EndpointConditions(*expected)


def test_a_slice_bears_the_labels_of_its_service() -> None:
    made = world(service(cluster_ip="None"))
    labels = made.cache.list(EndpointSlice)[0].metadata.labels
    assert (labels["team"], labels[SERVICE_NAME], labels[HEADLESS]) == ("x", "web", "")


@pytest.mark.parametrize(
    ("port", "expected"),
    [
        pytest.param(ServicePort(80), 80, id="the same"),
        pytest.param(ServicePort(80, target_port=9090), 9090, id="a number"),
        pytest.param(ServicePort(80, target_port="http"), 8080, id="a name"),
        pytest.param(ServicePort(80, target_port="http", protocol="UDP"), None, id="a name of another protocol"),
        pytest.param(ServicePort(80, target_port="none"), None, id="a name that the pod has not"),
    ],
)
def test_where_a_pod_listens(port: ServicePort, expected: int | None) -> None:
    made = world(service(port), a_pod("p", "10.0.0.1"))
    found = made.cache.list(EndpointSlice)
    assert [one.port for one in found[0].ports] == ([] if expected is None else [expected])
    assert list(endpoints(made)) == ["p"]


@pytest.mark.parametrize(
    ("distribution", "zones", "nodes"),
    [("", [], []), ("PreferClose", ["z1"], []), ("PreferSameZone", ["z1"], []), ("PreferSameNode", ["z1"], ["n1"])],
)
def test_hints_are_for_those_that_are_ready(distribution: str, zones: list[str], nodes: list[str]) -> None:
    pods = (a_pod("p", "10.0.0.1"), a_pod("q", "10.0.0.2", ready=False))
    found = endpoints(world(service(traffic_distribution=distribution), *pods))
    hints = found["p"].hints
    assert ([one.name for one in hints.for_zones] if hints else []) == zones
    assert ([one.name for one in hints.for_nodes] if hints else []) == nodes
    assert found["q"].hints is None


def test_each_family_has_slices_of_its_own() -> None:
    made = world(
        service(ip_families=("IPv4", "IPv6"), ip_family_policy="PreferDualStack"),
        a_pod("p", "10.0.0.1", second="fd00::1"),
    )
    found = {one.address_type: one.endpoints[0].addresses for one in made.cache.list(EndpointSlice)}
    assert found == {"IPv4": ("10.0.0.1",), "IPv6": ("fd00::1",)}


@pytest.mark.parametrize(
    "declared", [pytest.param(service(selector={}), id="no selector"), pytest.param(service(type="ExternalName"))]
)
def test_some_services_have_none(declared: Service) -> None:
    assert world(declared, a_pod("p", "10.0.0.1")).cache.list(EndpointSlice) == ()


def test_what_has_ended_or_has_no_address_is_no_endpoint() -> None:
    made = world(service(), a_pod("p", "", ready=False), a_pod("q", "10.0.0.2", phase="Succeeded", ready=False))
    assert endpoints(made) == {}


def test_a_slice_that_somebody_changed_is_put_right_and_a_second_look_writes_nothing() -> None:
    made = world(service(), a_pod("p", "10.0.0.1"))
    found = made.cache.list(EndpointSlice)[0]
    made.apply((Update(structs.replace(found, endpoints=())),))
    made.settle()
    assert list(endpoints(made)) == ["p"]
    assert endpointslice.reconcile(REF, made.cache, made.now).changes == ()


def test_the_heartbeat_of_a_pod_is_no_reason_to_look() -> None:
    made = world(service(), a_pod("p", "10.0.0.1"))
    before, pod = made.commits, made.get(Pod, "default", "p")
    made.apply((UpdateStatus(structs.replace(pod, status=structs.replace(pod.status, message="as before"))),))
    assert made.queued == ()
    assert made.commits == before + 1


@pytest.mark.parametrize(
    ("hostname", "subdomain", "named"),
    [
        pytest.param("db-0", "web", "db-0", id="of the Service that the subdomain names"),
        pytest.param("db-0", "other", "", id="of another one"),
        pytest.param("", "web", "", id="without a host name"),
        pytest.param("db-0", "", "", id="without a subdomain"),
    ],
)
def test_a_pod_has_a_name_in_dns(hostname: str, subdomain: str, named: str) -> None:
    pod = a_pod("p", "10.0.0.1")
    pod = structs.replace(pod, spec=structs.replace(pod.spec, hostname=hostname, subdomain=subdomain))
    assert endpoints(world(service(), pod))["p"].hostname == named
