"""The commit that caused something, on all that follows from it."""

from msgspec import structs

from reconciler.controllers import deployment as deployments
from reconciler.controllers import replicaset
from reconciler.provenance import COMMIT, SOURCE, provenance, without_provenance
from reconciler.store.changes import Emit, Update
from schemas.apps import Deployment, ReplicaSet
from schemas.core.event import Event
from schemas.core.reference import ObjectReference
from tests.unit.reconciler.controllers.builders import deployment
from tests.unit.reconciler.controllers.world import World


def declared(found: Deployment, commit: str, *, replicas: int = 2, image: str = "app:1") -> Deployment:
    """As the manifests would write it."""
    annotations = without_provenance(found.metadata.annotations) | {SOURCE: "web.yaml:1"}
    if commit:
        annotations[COMMIT] = commit
    spec = structs.replace(deployment(replicas, image=image).spec, selector=found.spec.selector)
    return structs.replace(found, spec=spec, metadata=structs.replace(found.metadata, annotations=annotations))


def a_world(commit: str = "a") -> World:
    world = World([deployments.CONTROLLER, replicaset.CONTROLLER])
    world.create(declared(deployment(), commit))
    world.settle()
    return world


def change(world: World, commit: str, *, replicas: int = 2, image: str = "app:1") -> None:
    found = world.get(Deployment, "default", "web")
    world.apply([Update(declared(found, commit, replicas=replicas, image=image))])
    world.settle()


def commits(world: World) -> list[str]:
    return sorted(pod.metadata.annotations.get(COMMIT, "") for pod in world.pods())


def test_what_a_deployment_leads_to_bears_its_commit() -> None:
    world = a_world()
    told = {SOURCE: "web.yaml:1", COMMIT: "a"}
    assert [provenance(one) for one in world.cache.list(ReplicaSet)] == [told]
    assert [provenance(one) for one in world.pods()] == [told, told]
    assert [provenance(one) for one in world.cache.list(Event)] == [told] * 3


def test_a_commit_that_asks_for_more_pods_causes_only_those() -> None:
    world = a_world()
    before = {pod.metadata.uid for pod in world.pods()}
    change(world, "b", replicas=3)
    assert commits(world) == ["a", "a", "b"]
    assert before < {pod.metadata.uid for pod in world.pods()}
    (only,) = world.cache.list(ReplicaSet)
    assert provenance(only)[COMMIT] == "b"


def test_the_commit_is_no_part_of_the_template() -> None:
    world = a_world()
    (before,) = world.cache.list(ReplicaSet)
    change(world, "b")
    (after,) = world.cache.list(ReplicaSet)
    assert after.spec == before.spec
    assert commits(world) == ["a", "a"]
    assert after.spec.template is not None
    assert not after.spec.template.metadata.annotations


def test_a_commit_that_changes_the_template_causes_new_pods() -> None:
    world = a_world()
    change(world, "b", image="app:2")
    assert set(commits(world)) == {"a", "b"}


def test_a_folder_that_left_git_leaves_no_old_commit_behind() -> None:
    world = a_world()
    change(world, "", replicas=3)
    assert commits(world) == ["", "a", "a"]


def test_an_event_of_an_agent_says_where_its_pod_comes_from() -> None:
    world = a_world()
    pod = world.pods()[0]
    about = ObjectReference(kind="Pod", namespace="default", name=pod.metadata.name, uid=pod.metadata.uid)
    world.apply([Emit(about, "Warning", "BackOff", "it crashes", "kubelet")])
    (told,) = [one for one in world.cache.list(Event) if one.reason == "BackOff"]
    assert provenance(told) == {SOURCE: "web.yaml:1", COMMIT: "a"}


def test_a_fault_of_a_file_is_told_with_the_commit_that_brought_it() -> None:
    world = a_world()
    found = world.get(Deployment, "default", "web")
    world.apply([Emit(found, "Warning", "InvalidManifest", "it is broken", "wherry-manifests", commit="b")])
    (told,) = [one for one in world.cache.list(Event) if one.reason == "InvalidManifest"]
    assert provenance(told)[COMMIT] == "b"


def test_what_no_manifest_has_caused_bears_nothing() -> None:
    world = World([deployments.CONTROLLER, replicaset.CONTROLLER])
    world.create(deployment())
    world.settle()
    assert not any(provenance(one) for one in (*world.pods(), *world.cache.list(ReplicaSet), *world.cache.list(Event)))
