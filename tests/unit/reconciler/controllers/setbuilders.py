"""StatefulSets and DaemonSets for tests, and the agents and scheduler that these need."""

from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import structs

from reconciler.controllers.daemonpods import node_of
from reconciler.controllers.podstate import active, ready
from reconciler.store.changes import Update
from schemas.apps import (
    DaemonSet,
    DaemonSetSpec,
    DaemonSetUpdateStrategy,
    RollingUpdateDaemonSet,
    RollingUpdateStatefulSetStrategy,
    StatefulSet,
    StatefulSetOrdinals,
    StatefulSetPersistentVolumeClaimRetentionPolicy,
    StatefulSetSpec,
    StatefulSetUpdateStrategy,
)
from schemas.core.persistence import PersistentVolumeClaim
from schemas.core.pod import Pod
from schemas.defaults import defaulted
from schemas.kinds import KINDS
from schemas.meta import LabelSelector, ObjectMeta
from tests.unit.reconciler.controllers.builders import template
from tests.unit.reconciler.controllers.world import World, make_ready, remove_terminating

LABELS = {"app": "db"}


def stateful_set(
    replicas: int = 3,
    *,
    image: str = "db:1",
    parallel: bool = False,
    partition: int = 0,
    start: int = 0,
    on_delete: bool = False,
    claims: tuple[str, ...] = (),
    retention: tuple[str, str] = ("Retain", "Retain"),
    history: int = 10,
    min_ready_seconds: int = 0,
) -> StatefulSet:
    strategy = StatefulSetUpdateStrategy(RollingUpdateStatefulSetStrategy(partition=partition), "RollingUpdate")
    return StatefulSet(
        metadata=ObjectMeta(name="db", namespace="default"),
        spec=StatefulSetSpec(
            selector=LabelSelector(match_labels=LABELS),
            template=template(image, LABELS),
            min_ready_seconds=min_ready_seconds,
            ordinals=StatefulSetOrdinals(start) if start else None,
            persistent_volume_claim_retention_policy=StatefulSetPersistentVolumeClaimRetentionPolicy(*retention),
            pod_management_policy="Parallel" if parallel else "OrderedReady",
            replicas=replicas,
            revision_history_limit=history,
            service_name="db",
            update_strategy=StatefulSetUpdateStrategy(type="OnDelete") if on_delete else strategy,
            volume_claim_templates=tuple(PersistentVolumeClaim(metadata=ObjectMeta(name=name)) for name in claims),
        ),
    )


def daemon_set(
    *,
    image: str = "db:1",
    unavailable: int | str = 1,
    surge: int | str = 0,
    on_delete: bool = False,
    **spec: Any,  # noqa: ANN401
) -> DaemonSet:
    rolling = DaemonSetUpdateStrategy(RollingUpdateDaemonSet(surge, unavailable), "RollingUpdate")
    return DaemonSet(
        metadata=ObjectMeta(name="db", namespace="default"),
        spec=DaemonSetSpec(
            selector=LabelSelector(match_labels=LABELS),
            template=template(image, LABELS),
            update_strategy=DaemonSetUpdateStrategy(type="OnDelete") if on_delete else rolling,
            **spec,
        ),
    )


def names(pods: Iterable[Pod]) -> list[str]:
    return sorted(pod.metadata.name for pod in pods)


def image_of(pod: Pod) -> str:
    return pod.spec.containers[0].image


def edit(world: World, type_: type[StatefulSet] | type[DaemonSet], **spec: Any) -> None:  # noqa: ANN401
    """Changes the spec of `db`; `image` stands for the template."""
    found = world.get(type_, "default", "db")
    if image := spec.pop("image", ""):
        spec["template"] = template(image, LABELS)
    world.apply((Update(defaulted(structs.replace(found, spec=structs.replace(found.spec, **spec)))),))


def bind(world: World, pods: Iterable[Pod]) -> None:
    """Plays the scheduler: daemon pods to their node, others to n1."""
    for pod in pods:
        if not pod.spec.node_name:
            bound = structs.replace(pod.spec, node_name=node_of(pod) or "n1")
            world.apply((Update(structs.replace(pod, spec=bound)),))


def unready(world: World) -> Sequence[Pod]:
    return [pod for pod in world.pods() if active(pod) and not ready(pod)]


def serve(world: World, pods: Iterable[Pod]) -> None:
    """The pods run and are ready."""
    chosen = [pod.metadata.name for pod in pods]
    bind(world, [world.get(Pod, "default", name) for name in chosen])
    make_ready(world, [world.get(Pod, "default", name) for name in chosen])


def converge(world: World) -> None:
    """Scheduler and agents do their part until nothing is left to do."""
    for _ in range(300):
        world.settle()
        removed, waiting = remove_terminating(world), unready(world)
        serve(world, waiting)
        world.advance(1)
        if not removed and not waiting and not world.queued:
            return
    raise AssertionError("does not come to rest")


def look_again(world: World) -> None:
    world.restart([found for kind in KINDS for found in world.cache.list(kind.type)])


def assert_at_rest(world: World) -> None:
    commits = world.commits
    look_again(world)
    world.settle()
    assert world.commits == commits, "a second pass over a converged state writes"
