import pytest
from msgspec import structs

from reconciler.controllers.ingress import CONTROLLER, DEFAULT_CLASS, OLD_CLASS, is_ours
from reconciler.link.ingresses import certificates, network_ingress
from reconciler.store.changes import UpdateStatus
from schemas.core.node import Node, NodeAddress
from schemas.ingress import CONTROLLER_NAME, SERVES
from schemas.meta import ObjectMeta, Ref
from schemas.network import IngressCertificate, IngressRoute, IngressTarget
from schemas.networking import (
    HTTPIngressPath,
    HTTPIngressRuleValue,
    Ingress,
    IngressBackend,
    IngressClass,
    IngressClassSpec,
    IngressRule,
    IngressServiceBackend,
    IngressSpec,
    IngressTLS,
    ServiceBackendPort,
)
from tests.unit.reconciler.controllers.builders import node
from tests.unit.reconciler.controllers.world import World


def backend(name: str) -> IngressBackend:
    return IngressBackend(service=IngressServiceBackend(name, ServiceBackendPort(number=80)))


def ingress(class_: str = "", annotation: str = "") -> Ingress:
    paths = (
        HTTPIngressPath(backend("web"), "Prefix", "/"),
        HTTPIngressPath(backend("api"), "Exact", "/api"),
    )
    return Ingress(
        metadata=ObjectMeta(name="site", namespace="shop", annotations={OLD_CLASS: annotation} if annotation else {}),
        spec=IngressSpec(
            ingress_class_name=class_,
            rules=(IngressRule("shop.example", HTTPIngressRuleValue(paths)),),
            tls=(IngressTLS(("shop.example",), "shop-tls"),),
        ),
    )


def named(name: str, controller: str, default: bool = False) -> IngressClass:
    annotations = {DEFAULT_CLASS: "true"} if default else {}
    return IngressClass(metadata=ObjectMeta(name=name, annotations=annotations), spec=IngressClassSpec(controller))


def serving(name: str, address: str, ready: str = "True") -> Node:
    found = node(name, ready=ready)
    status = structs.replace(found.status, addresses=(NodeAddress(address, "InternalIP"),))
    return structs.replace(found, metadata=structs.replace(found.metadata, labels={SERVES: "true"}), status=status)


@pytest.mark.parametrize(
    ("written", "classes", "expected"),
    [
        pytest.param(ingress(), (), True, id="no class at all"),
        pytest.param(ingress(), (named("other", "example.com/other"),), True, id="another one that is not the default"),
        pytest.param(ingress(), (named("other", "example.com/other", True),), False, id="another one is the default"),
        pytest.param(ingress("wherry"), (), True, id="called like ours"),
        pytest.param(ingress("edge"), (named("edge", CONTROLLER_NAME),), True, id="our controller"),
        pytest.param(
            ingress("wherry"), (named("wherry", "example.com/other"),), False, id="our name, not our controller"
        ),
        pytest.param(ingress("nginx"), (), False, id="a class that is not there"),
        pytest.param(ingress(annotation="wherry"), (), True, id="by the old annotation"),
        pytest.param(ingress(annotation="nginx"), (), False, id="another's by the old annotation"),
    ],
)
def test_an_ingress_is_ours_by_its_class(written: Ingress, classes: tuple[IngressClass, ...], expected: bool) -> None:
    world = World()
    world.create(*classes)
    assert is_ours(written, world.cache) == expected


def test_its_routes_and_certificates_are_told() -> None:
    told = network_ingress(ingress(), World().cache)
    assert told is not None
    assert told.routes == (
        IngressRoute(IngressTarget("web", 80), "shop.example"),
        IngressRoute(IngressTarget("api", 80), "shop.example", "/api", exact=True),
    )
    assert told.certificates == (IngressCertificate("shop-tls", ("shop.example",)),)
    assert network_ingress(ingress("nginx"), World().cache) is None


def test_only_nodes_with_a_proxy_are_given_the_certificates() -> None:
    world = World()
    world.create(serving("n1", "192.0.2.1"), node("n2"), ingress())
    assert certificates("n1", world.cache) == {Ref("Secret", "shop", "shop-tls")}
    assert certificates("n2", world.cache) == certificates("n3", world.cache) == frozenset()


def test_its_status_tells_the_addresses_of_the_nodes_that_serve_it() -> None:
    world = World((CONTROLLER,))
    world.create(serving("n1", "192.0.2.1"), serving("n2", "192.0.2.2", ready="Unknown"), ingress())
    world.settle()

    def addresses() -> list[str]:
        status = world.get(Ingress, "shop", "site").status.load_balancer
        return [one.ip for one in status.ingress] if status else []

    assert addresses() == ["192.0.2.1"]
    back = serving("n2", "192.0.2.2")
    world.apply((UpdateStatus(structs.replace(world.get(Node, "", "n2"), status=back.status)),))
    world.settle()
    assert addresses() == ["192.0.2.1", "192.0.2.2"]
    commits = world.commits
    world.settle()
    assert world.commits == commits
