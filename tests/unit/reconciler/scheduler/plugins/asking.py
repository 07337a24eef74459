"""Small clusters for tables of cases, asked of the scheduler and of the reference at once: they have to agree."""

from collections.abc import Sequence
from typing import Any

from reconciler.scheduler.explain import explain
from reconciler.scheduler.snapshot import Snapshot
from schemas.core.node import Node
from schemas.core.pod import Pod
from schemas.meta import Object
from tests.oracles.scheduler.chance import made
from tests.oracles.scheduler.reference.decide import decide
from tests.oracles.scheduler.reference.world import World

Json = dict[str, Any]

ZONE, HOSTNAME = "topology.kubernetes.io/zone", "kubernetes.io/hostname"
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def node(
    name: str = "n1",
    labels: Json | None = None,
    taints: Sequence[Json] = (),
    *,
    more: Json | None = None,
    **amounts: str,
) -> Node:
    """With room for whatever is not the point. `more` are amounts whose names are no Python names."""
    allocatable = {"cpu": "4", "memory": "8Gi", "pods": "110"}
    allocatable |= amounts | (more or {})
    return made(
        Node,
        {
            "metadata": {"name": name, "labels": {HOSTNAME: name} | (labels or {})},
            "spec": {"taints": list(taints)},
            "status": {"allocatable": allocatable},
        },
    )


def zoned(name: str, zone: str, **labels: str) -> Node:
    return node(name, {ZONE: zone} | labels)


def pod(name: str = "p", on: str = "", labels: Json | None = None, namespace: str = "default", **spec: Any) -> Pod:  # noqa: ANN401
    """Of one container without requests, where `containers` are not given."""
    whole = {"containers": [{"name": "c", "image": "app:1"}], **spec} | ({"nodeName": on} if on else {})
    metadata = {"name": name, "namespace": namespace, "uid": name, "labels": labels or {}}
    return made(Pod, {"metadata": metadata, "spec": whole})


def asking(more: Json | None = None, **requests: str) -> Json:
    """A container with these requests."""
    return {"name": "c", "image": "app:1", "resources": {"requests": requests | (more or {})}}


def refusals(asked: Pod, *objects: Object) -> dict[str, str]:
    """Of each node that cannot take the pod: the plugin that says so and its reasons."""
    found = explain(asked, Snapshot(objects))
    told = {name: f"{one.plugin}: {', '.join(one.reasons)}" for name, one in found.nodes.items() if not one.feasible}
    theirs = decide(asked, World(objects)).refusals
    assert told == {name: f"{one.plugin}: {', '.join(one.reasons)}" for name, one in theirs.items()}
    return told


def fits(asked: Pod, *objects: Object) -> set[str]:
    """The nodes that can take the pod."""
    names = {one.metadata.name for one in objects if isinstance(one, Node)}
    return names - set(refusals(asked, *objects))


def scores(plugin: str, asked: Pod, *objects: Object) -> dict[str, int]:
    """What the plugin gives to each node, with its weight."""
    found = {name: one.scores.get(plugin, 0) for name, one in explain(asked, Snapshot(objects)).nodes.items()}
    theirs = decide(asked, World(objects)).scores
    assert found == {name: row.get(plugin, 0) for name, row in theirs.items()}
    return found
