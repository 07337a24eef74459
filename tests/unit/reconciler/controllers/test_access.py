from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from reconciler.controllers import roleaggregation, serviceaccount
from reconciler.controllers.rootca import NAME, rootca
from reconciler.store.changes import Update
from schemas.core.config import ConfigMap, Namespace, ServiceAccount
from schemas.meta import LabelSelector, ObjectMeta, Ref
from schemas.rbac import AggregationRule, ClusterRole, PolicyRule
from tests.unit.reconciler.controllers.world import World


def role(name: str, *verbs: str, into: str = "", of: str = "") -> ClusterRole:
    selector = LabelSelector(match_labels={f"to-{of}": "true"})
    return ClusterRole(
        metadata=ObjectMeta(name=name, labels={f"to-{into}": "true"} if into else {}),
        rules=tuple(PolicyRule((verb,), api_groups=("",), resources=("pods",)) for verb in verbs),
        aggregation_rule=AggregationRule((selector,)) if of else None,
    )


def verbs(world: World, name: str) -> list[str]:
    return [rule.verbs[0] for rule in world.get(ClusterRole, "", name).rules]


def test_a_role_that_is_put_together_follows_those_that_it_picks() -> None:
    world = World((roleaggregation.CONTROLLER,))
    world.create(
        role("all", of="all"), role("b", "list", "get", into="all"), role("a", "get", into="all"), role("c", "x")
    )
    world.settle()
    assert verbs(world, "all") == ["get", "list"]
    world.apply(
        (
            Update(
                structs.replace(
                    world.get(ClusterRole, "", "c"), metadata=ObjectMeta(name="c", labels={"to-all": "true"})
                )
            ),
        )
    )
    world.settle()
    assert verbs(world, "all") == ["get", "list", "x"]
    world.delete(Ref("ClusterRole", "", "b"))
    world.settle()
    assert verbs(world, "all") == ["get", "x"]
    world.apply((Update(structs.replace(world.get(ClusterRole, "", "all"), rules=())),))
    world.settle()
    assert verbs(world, "all") == ["get", "x"]


@settings(max_examples=40, deadline=None)
@given(st.permutations(["leaf", "middle", "top"]))
def test_roles_put_together_from_such_come_to_rest_in_any_order(order: list[str]) -> None:
    roles = {
        "leaf": role("leaf", "get", into="middle"),
        "middle": role("middle", into="top", of="middle"),
        "top": role("top", of="top"),
    }
    world = World((roleaggregation.CONTROLLER,))
    for name in order:
        world.create(roles[name])
        world.settle()
    assert verbs(world, "top") == verbs(world, "middle") == ["get"]


def test_every_namespace_has_its_account_and_the_authority_to_trust() -> None:
    world = World((serviceaccount.CONTROLLER, rootca("PEM")))
    world.create(Namespace(metadata=ObjectMeta(name="shop")))
    world.settle()
    assert world.get(ServiceAccount, "shop", "default").metadata.uid
    assert world.get(ConfigMap, "shop", NAME).data == {"ca.crt": "PEM"}
    world.delete(Ref("ServiceAccount", "shop", "default"))
    changed = structs.replace(world.get(ConfigMap, "shop", NAME), data={"ca.crt": "another"})
    world.apply((Update(changed),))
    world.settle()
    assert world.get(ServiceAccount, "shop", "default")
    assert world.get(ConfigMap, "shop", NAME).data == {"ca.crt": "PEM"}
    commits = world.commits
    world.restart([*world.cache.list(Namespace), *world.cache.list(ServiceAccount), *world.cache.list(ConfigMap)])
    world.settle()
    assert world.commits == commits


def test_a_namespace_that_ends_gets_nothing_more() -> None:
    world = World((serviceaccount.CONTROLLER, rootca("PEM")))
    world.create(Namespace(metadata=ObjectMeta(name="shop", finalizers=("example.com/hold",))))
    world.delete(Ref("Namespace", "", "shop"))
    world.settle()
    assert not world.cache.list(ServiceAccount)
    assert not world.cache.list(ConfigMap)
