from typing import Any

import pytest
from msgspec import structs

from reconciler.addresspools import CLASS, LoadBalancerPool, pools
from reconciler.controllers.loadbalancer import ALL_SERVICES, loadbalancer
from reconciler.store.changes import Emit, Update
from schemas.core.event import Event
from schemas.core.service import Service, ServicePort, ServiceSpec
from schemas.meta import ObjectMeta, Ref
from tests.unit.reconciler.controllers.world import World

BOTH = ("192.0.2.8/30", "2001:db8::1")


def a_world(*addresses: str) -> World:
    return World((loadbalancer(pools((LoadBalancerPool(addresses=addresses or BOTH),))),))


def balanced(name: str, **spec: Any) -> Service:  # noqa: ANN401
    return Service(
        metadata=ObjectMeta(name=name, namespace="shop"),
        spec=ServiceSpec(**{"type": "LoadBalancer", "ports": (ServicePort(port=80),)} | spec),
    )


def addresses(world: World, name: str) -> list[str]:
    status = world.get(Service, "shop", name).status.load_balancer
    return [one.ip for one in status.ingress] if status else []


def changed(world: World, name: str, **spec: Any) -> None:  # noqa: ANN401
    found = world.get(Service, "shop", name)
    world.apply((Update(structs.replace(found, spec=structs.replace(found.spec, **spec))),))
    world.settle()


def warnings(world: World) -> list[str]:
    return [one.message for one in world.cache.list(Event) if one.type == "Warning"]


def test_each_service_gets_an_address_of_its_own_and_one_too_many_is_told() -> None:
    world = a_world()
    world.create(*(balanced(name) for name in ("a", "b", "c")))
    world.settle()
    assert sorted(addresses(world, "a") + addresses(world, "b")) == ["192.0.2.10", "192.0.2.9"]
    assert addresses(world, "c") == []
    assert any("no address is free" in one for one in warnings(world))
    world.delete(Ref("Service", "shop", "a"))
    world.settle()
    assert len(addresses(world, "c")) == 1


def test_what_is_given_stays_and_a_second_pass_changes_nothing() -> None:
    world = a_world()
    world.create(balanced("a"))
    world.settle()
    before, commits = addresses(world, "a"), world.commits
    changed(world, "a", session_affinity="ClientIP")
    assert addresses(world, "a") == before
    assert world.commits == commits + 1


def test_a_service_of_both_families_gets_one_of_each() -> None:
    world = a_world()
    world.create(balanced("a", ip_family_policy="RequireDualStack"))
    world.settle()
    assert [":" in one for one in addresses(world, "a")] == [False, True]


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        pytest.param("192.0.2.10", ["192.0.2.10"], id="in the pool and free"),
        pytest.param("203.0.113.1", [], id="in no pool"),
    ],
)
def test_a_certain_address_can_be_asked_for(asked: str, given: list[str]) -> None:
    world = a_world()
    world.create(balanced("a", load_balancer_ip=asked))
    world.settle()
    assert addresses(world, "a") == given
    assert bool(warnings(world)) == (not given)


def test_an_address_asked_for_later_replaces_the_one_given() -> None:
    world = a_world()
    world.create(balanced("a"))
    world.settle()
    other = ({"192.0.2.9", "192.0.2.10"} - set(addresses(world, "a"))).pop()
    changed(world, "a", load_balancer_ip=other)
    assert addresses(world, "a") == [other]


def test_an_address_of_another_is_not_given_and_comes_when_it_is_free() -> None:
    world = a_world()
    world.create(balanced("a", load_balancer_ip="192.0.2.9"))
    world.settle()
    world.create(balanced("b", load_balancer_ip="192.0.2.9"))
    world.settle()
    assert addresses(world, "b") == []
    changed(world, "a", type="ClusterIP", load_balancer_ip="", external_traffic_policy="")
    assert (addresses(world, "a"), addresses(world, "b")) == ([], ["192.0.2.9"])


@pytest.mark.parametrize(("class_", "count"), [(CLASS, 1), ("example.com/other", 0)])
def test_another_class_is_left_to_whom_it_names(class_: str, count: int) -> None:
    world = a_world()
    world.create(balanced("a", load_balancer_class=class_))
    world.settle()
    assert len(addresses(world, "a")) == count


def test_it_says_what_it_has_given() -> None:
    world = a_world("192.0.2.9")
    world.create(balanced("a"))
    (change,) = [
        one
        for one in loadbalancer(pools((LoadBalancerPool(addresses=("192.0.2.9",)),)))
        .reconcile(ALL_SERVICES, world.cache, world.now)
        .changes
        if isinstance(one, Emit)
    ]
    assert (change.reason, change.message) == ("IPAllocated", "Assigned 192.0.2.9")
