"""What a namespace uses: https://kubernetes.io/docs/concepts/policy/resource-quotas/."""

import pytest
from msgspec import structs

from reconciler.controllers import deployment, replicaset, resourcequota
from reconciler.store.changes import Update, UpdateStatus
from schemas.apps import Deployment, ReplicaSet
from schemas.core.config import ConfigMap, Secret
from schemas.core.quota import ResourceQuota, ResourceQuotaSpec, ScopedResourceSelectorRequirement, ScopeSelector
from schemas.core.service import Service, ServicePort, ServiceSpec
from schemas.meta import ObjectMeta, Quantity, Ref
from tests.unit.reconciler.controllers import builders
from tests.unit.reconciler.controllers.world import World, make_ready, with_phase

CONTROLLERS = (deployment.CONTROLLER, replicaset.CONTROLLER, resourcequota.CONTROLLER)


def quota(*, scopes: tuple[str, ...] = (), selector: ScopeSelector | None = None, **hard: Quantity) -> ResourceQuota:
    named = {name.replace("__", ".").replace("_of_", "/"): amount for name, amount in hard.items()}
    spec = ResourceQuotaSpec(hard=named, scope_selector=selector, scopes=scopes)
    return ResourceQuota(metadata=ObjectMeta(name="q", namespace="default"), spec=spec)


def used(world: World) -> dict[str, Quantity]:
    return world.get(ResourceQuota, "default", "q").status.used


def place(name: str) -> ObjectMeta:
    return ObjectMeta(name=name, namespace="default")


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(quota(pods="5"), {"pods": "2"}, id="pods that have not ended"),
        pytest.param(
            quota(requests__cpu="2", cpu="2", limits__memory="1Gi"),
            {"requests.cpu": "1500m", "cpu": "1500m", "limits.memory": "0"},
            id="what pods ask for",
        ),
        pytest.param(
            quota(configmaps="9", count_of_configmaps="9"), {"configmaps": "1", "count/configmaps": "1"}, id="n"
        ),
        pytest.param(
            quota(services="9", services__nodeports="9", services__loadbalancers="9"),
            {"services": "1", "services.nodeports": "2", "services.loadbalancers": "0"},
            id="kinds of Services",
        ),
        pytest.param(quota(count_of_deployments__apps="9"), {"count/deployments.apps": "0"}, id="none yet"),
        pytest.param(quota(count_of_widgets__example__com="9"), {}, id="a kind that nobody knows"),
        pytest.param(quota(scopes=("BestEffort",), pods="5"), {"pods": "0"}, id="of a scope"),
        pytest.param(
            quota(
                selector=ScopeSelector((ScopedResourceSelectorRequirement("DoesNotExist", "PriorityClass"),)), pods="5"
            ),
            {"pods": "2"},
            id="of a scope selector",
        ),
    ],
)
def test_what_is_used(asked: ResourceQuota, expected: dict[str, Quantity]) -> None:
    world = World(CONTROLLERS)
    world.create(
        builders.pod("a", requests={"cpu": "500m"}),
        builders.pod("b", requests={"cpu": "1"}),
        builders.pod("ended", requests={"cpu": "4"}),
        ConfigMap(metadata=place("c")),
        Secret(metadata=place("s")),
        Service(
            metadata=place("s"), spec=ServiceSpec(type="NodePort", ports=(ServicePort(80), ServicePort(81, name="b")))
        ),
    )
    world.apply((UpdateStatus(with_phase(world.pods()[2], "Succeeded", world.now)),))
    world.create(asked)
    world.settle()
    found = world.get(ResourceQuota, "default", "q").status
    assert found.used == expected
    assert found.hard == {name: str(amount) for name, amount in asked.spec.hard.items()}
    assert resourcequota.reconcile(Ref("ResourceQuota", "default", "q"), world.cache, world.now).changes == ()


def test_usage_follows_the_objects() -> None:
    world = World(CONTROLLERS)
    world.create(quota(pods="5"), builders.pod("a"))
    world.settle()
    assert used(world) == {"pods": "1"}
    world.delete(Ref("Pod", "default", "a"), grace_seconds=0)
    world.settle()
    assert used(world) == {"pods": "0"}


def test_pods_beyond_a_quota_are_told_and_made_once_there_is_room() -> None:
    world = World(CONTROLLERS)
    world.create(quota(pods="2"), builders.deployment(3))
    world.settle()
    assert len(world.pods()) == 2
    set_ = world.cache.list(ReplicaSet)[0]
    told = [(one.type, one.status, one.reason) for one in set_.status.conditions]
    assert told == [("ReplicaFailure", "True", "FailedCreate")]
    assert "exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2" in set_.status.conditions[0].message
    assert "ReplicaFailure" in [one.type for one in world.get(Deployment, "default", "web").status.conditions]
    found = world.get(ResourceQuota, "default", "q")
    world.apply((Update(structs.replace(found, spec=ResourceQuotaSpec(hard={"pods": "9"}))),))
    world.settle()
    make_ready(world, world.pods())
    world.settle()
    assert len(world.pods()) == 3
    assert not world.cache.list(ReplicaSet)[0].status.conditions
    assert "ReplicaFailure" not in [one.type for one in world.get(Deployment, "default", "web").status.conditions]
