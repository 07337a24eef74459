import yaml
from msgspec import structs

from reconciler.accessdefaults import BINDINGS, ROLES, changes
from reconciler.store.changes import Delete, Update
from schemas.meta import ObjectMeta, Ref, ref_of
from schemas.rbac import ClusterRole, ClusterRoleBinding, PolicyRule, Subject
from schemas.validation import validate
from tests.unit.reconciler.api.builders import object_of, shared
from tests.unit.reconciler.controllers.world import World
from tests.unit.reconciler.recordings import recorded

OWN = PolicyRule(("get",), api_groups=("example.com",), resources=("things",))


def begun() -> World:
    world = World()
    world.apply(changes(world.cache))
    return world


def test_a_cluster_begins_with_its_roles_and_needs_them_once() -> None:
    world = begun()
    assert len(world.cache.list(ClusterRole)) == len(ROLES)
    assert len(world.cache.list(ClusterRoleBinding)) == len(BINDINGS)
    assert changes(world.cache) == ()
    for object_ in (*world.cache.list(ClusterRole), *world.cache.list(ClusterRoleBinding)):
        assert not list(validate(object_)), ref_of(object_)
        assert object_.metadata.labels["kubernetes.io/bootstrapping"] == "rbac-defaults"


def test_roles_that_are_put_together_are_whole_from_the_start() -> None:
    world = begun()
    rules = {name: set(world.get(ClusterRole, "", name).rules) for name in ("view", "edit", "admin")}
    assert rules["view"] < rules["edit"] < rules["admin"]


def test_what_is_missing_comes_back_and_what_was_added_stays() -> None:
    world = begun()
    role = world.get(ClusterRole, "", "system:basic-user")
    world.apply((Update(structs.replace(role, rules=(role.rules[1], OWN))),))
    binding = world.get(ClusterRoleBinding, "", "system:discovery")
    bob = Subject("User", "bob", "rbac.authorization.k8s.io")
    world.apply((Update(structs.replace(binding, subjects=(bob,))),))
    world.apply((Delete(Ref("ClusterRole", "", "edit")),))
    world.apply(changes(world.cache))
    assert set(world.get(ClusterRole, "", "system:basic-user").rules) == {*role.rules, OWN}
    assert world.get(ClusterRoleBinding, "", "system:discovery").subjects == (bob, *binding.subjects)
    assert world.get(ClusterRole, "", "edit").rules
    assert changes(world.cache) == ()


def test_one_that_shall_not_be_kept_up_is_left_alone() -> None:
    world = begun()
    metadata = ObjectMeta(
        name="system:basic-user", annotations={"rbac.authorization.kubernetes.io/autoupdate": "false"}
    )
    role = world.get(ClusterRole, "", "system:basic-user")
    binding = world.get(ClusterRoleBinding, "", "system:basic-user")
    world.apply((Update(structs.replace(role, metadata=metadata, rules=())),))
    world.apply((Update(structs.replace(binding, metadata=metadata, subjects=())),))
    assert changes(world.cache) == ()


def test_the_role_view_is_that_of_kubernetes() -> None:
    shared()
    (step,) = [step for step in recorded("transcripts", "kubectl") if step["id"] == "discovery/clusterroles-view"]
    document = yaml.safe_load(step["stdout"])
    document["metadata"] = {
        key: value for key, value in document["metadata"].items() if key in ("name", "labels", "annotations")
    }
    expected = object_of(document)
    assert isinstance(expected, ClusterRole)
    found = begun().get(ClusterRole, "", "view")
    assert found.rules == expected.rules
    assert (found.metadata.labels, found.metadata.annotations) == (
        expected.metadata.labels,
        expected.metadata.annotations,
    )
    assert found.aggregation_rule == expected.aggregation_rule
