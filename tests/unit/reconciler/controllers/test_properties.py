"""Deployments and ReplicaSets over generated histories: edits, agents, lost pods, restarts."""

from collections.abc import Callable, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from reconciler.controllers import deployment as deployments
from reconciler.controllers import garbagecollector, replicaset
from reconciler.controllers.podstate import active, ready
from reconciler.controllers.replicacounts import max_surge, max_unavailable, wanted
from reconciler.store.changes import Delete, Update
from schemas.apps import Deployment, ReplicaSet
from schemas.core.pod import Pod
from schemas.defaults import defaulted
from schemas.kinds import KINDS
from schemas.meta import Ref, ref_of
from tests.unit.reconciler.controllers.builders import deployment, template
from tests.unit.reconciler.controllers.world import World, make_ready, remove_terminating

CONTROLLERS = (deployments.CONTROLLER, replicaset.CONTROLLER, garbagecollector.CONTROLLER)
ACTIONS = ("ready one", "ready all", "end", "image", "replicas", "kill", "restart", "reconcile", "settle", "wait")


def _web(world: World) -> Deployment:
    return world.get(Deployment, "default", "web")


def _restart(world: World) -> None:
    world.restart([found for kind in KINDS for found in world.cache.list(kind.type)])


def _edit(world: World, *, image: str | None = None, replicas: int | None = None) -> None:
    web = _web(world)
    spec = web.spec
    if image is not None:
        spec = structs.replace(spec, template=template(image))
    if replicas is not None:
        spec = structs.replace(spec, replicas=replicas)
    world.apply((Update(defaulted(structs.replace(web, spec=spec))),))


def _unready(world: World) -> list[Pod]:
    return [pod for pod in world.pods() if active(pod) and not ready(pod)]


def _play(world: World, action: str, number: int, pick: Callable[[Sequence[tuple[str, Ref]]], tuple[str, Ref]]) -> None:
    if action == "ready one":
        make_ready(world, _unready(world)[:1])
    elif action == "ready all":
        make_ready(world, _unready(world))
    elif action == "end":
        remove_terminating(world)
    elif action == "image":
        _edit(world, image=f"app:{number}")
    elif action == "replicas":
        _edit(world, replicas=number)
    elif action == "kill" and world.pods():
        world.apply((Delete(ref_of(world.pods()[number % len(world.pods())]), grace_seconds=0),))
    elif action == "restart":
        _restart(world)
    elif action == "settle":
        world.settle()
    elif action == "wait":
        world.advance(number)
    else:
        world.step(pick)


def _converge(world: World) -> None:
    """Agents that do their part until nothing is left to do."""
    for _ in range(200):
        world.settle()
        removed, waiting = remove_terminating(world), _unready(world)
        make_ready(world, waiting)
        world.advance(1)
        if not removed and not waiting and not world.queued:
            return
    raise AssertionError("does not come to rest")


def _assert_converged(world: World) -> None:
    web = _web(world)
    pods = [pod for pod in world.pods() if active(pod)]
    assert len(pods) == wanted(web)
    assert {pod.spec.containers[0].image for pod in pods} <= {web.spec.template.spec.containers[0].image}  # type: ignore[union-attr]
    assert web.status.updated_replicas == web.status.available_replicas == wanted(web)
    commits = world.commits
    _restart(world)
    world.settle()
    assert world.commits == commits, "a second pass over a converged state writes"
    uids = {one.metadata.uid for one in world.cache.list(ReplicaSet)}
    assert all(pod.metadata.owner_references[0].uid in uids for pod in world.pods())


@settings(max_examples=60, deadline=None)
@given(data=st.data(), strategy=st.sampled_from(["RollingUpdate", "Recreate"]))
def test_any_history_converges(data: st.DataObject, strategy: str) -> None:
    world = World(CONTROLLERS)
    first = data.draw(st.integers(0, 6), label="replicas")
    surge, unavailable = data.draw(st.integers(0, 2)), data.draw(st.integers(0, 2))
    world.create(deployment(first, surge=surge, unavailable=unavailable, strategy=strategy))
    history = data.draw(st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 6)), max_size=25))
    for action, number in history:
        _play(world, action, number, lambda keys: keys[number % len(keys)])  # noqa: B023  # called at once
    _converge(world)
    _assert_converged(world)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_rollout_never_has_more_or_fewer_pods_than_allowed(data: st.DataObject) -> None:
    """Agents only ever move on, so every pod that is lost is lost by choice."""
    replicas = data.draw(st.integers(1, 6))
    surge, unavailable = data.draw(st.integers(0, 3)), data.draw(st.integers(0, 3))
    world = World(CONTROLLERS)
    world.create(deployment(replicas, surge=surge, unavailable=unavailable))
    _converge(world)
    web = _web(world)
    most, fewest = wanted(web) + max_surge(web), wanted(web) - max_unavailable(web)
    steps = st.lists(st.sampled_from(("ready one", "end", "image", "restart", *["reconcile"] * 6)), max_size=60)
    for index, action in enumerate(data.draw(steps)):
        chosen = data.draw(st.integers(0, 5))
        _play(world, action, index, lambda keys: keys[chosen % len(keys)])  # noqa: B023  # called at once
        pods = [pod for pod in world.pods() if active(pod)]
        assert len(pods) <= most
        assert sum(ready(pod) for pod in pods) >= fewest


@settings(max_examples=30, deadline=None)
@given(cut=st.integers(0, 40), replicas=st.integers(1, 5))
def test_a_restart_after_any_commit_converges_to_the_same(cut: int, replicas: int) -> None:
    def run(stop_after: int | None) -> tuple[int, str, int]:
        world = World(CONTROLLERS)
        world.create(deployment(replicas, image="app:1"))
        _converge(world)
        _edit(world, image="app:2")
        for _ in range(stop_after or 0):
            if not world.step():
                make_ready(world, _unready(world)[:1])
                remove_terminating(world)
        if stop_after is not None:
            _restart(world)
        _converge(world)
        _assert_converged(world)
        web = _web(world)
        sets = world.cache.list(ReplicaSet)
        return web.status.available_replicas, web.metadata.annotations["deployment.kubernetes.io/revision"], len(sets)

    assert run(cut) == run(None)
