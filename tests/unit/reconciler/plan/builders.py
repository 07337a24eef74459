"""Clusters and folders for the tests of plans."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from reconciler.manifests.documents import FileState, load
from reconciler.plan.forecast import Run, forecast, run
from reconciler.plan.outcome import Forecast, ObjectChange, Workload
from schemas.core.node import ContainerImage, Node, NodeCondition, NodeSpec, NodeStatus, Taint
from schemas.kinds import KINDS
from schemas.meta import Object, ObjectMeta

NOW = datetime(2026, 1, 1, tzinfo=UTC)
Json = dict[str, Any]


def node(
    name: str, *, cpu: str = "4", ready: str = "True", images: Mapping[str, int] | None = None, tainted: bool = False
) -> Node:
    sizes: dict[str, str | int | float] = {"cpu": cpu, "memory": "8Gi", "pods": "110"}
    return Node(
        metadata=ObjectMeta(name=name, uid=f"uid-{name}", labels={"kubernetes.io/hostname": name}),
        spec=NodeSpec(taints=(Taint("NoSchedule", "camera"),) if tainted else ()),
        status=NodeStatus(
            allocatable=sizes,
            capacity=sizes,
            conditions=(NodeCondition(ready, "Ready", last_transition_time=NOW),),
            images=tuple(ContainerImage((image,), size) for image, size in (images or {}).items()),
        ),
    )


def deployment(name: str = "web", image: str = "web:1", replicas: int = 3, **spec: object) -> Json:
    """`pod` goes into the template's spec, `container` into its container, anything else into the Deployment's spec."""
    pod, container = spec.pop("pod", {}), spec.pop("container", {})
    assert isinstance(pod, dict)
    assert isinstance(container, dict)
    labels = {"app": name}
    main: Json = {"name": "main", "image": image, **container}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [main], **pod}}
    selector = {"matchLabels": labels}
    return manifest("Deployment", name, spec={"replicas": replicas, "selector": selector, "template": template} | spec)


def manifest(kind: str, name: str, annotations: Mapping[str, str] | None = None, **rest: object) -> Json:
    version = "apps/v1" if kind in ("Deployment", "ReplicaSet") else "v1"
    metadata: Json = {"name": name}
    if annotations:
        metadata["annotations"] = annotations
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **rest}


def files(*documents: Json | str) -> dict[str, FileState]:
    """One file for each: `f0.yaml` and so on, text as it is written."""
    found = {}
    for number, document in enumerate(documents):
        name = f"f{number}.yaml"
        found[name] = load(name, document.encode() if isinstance(document, str) else msgspec.json.encode(document))
    return found


def after(done: Run) -> tuple[Object, ...]:
    return tuple(found for kind in KINDS for found in done.after.list(kind.type))


def at_rest(nodes: tuple[Node, ...], *documents: Json | str) -> tuple[tuple[Object, ...], datetime]:
    """A cluster of these nodes in which all of the documents are carried out."""
    done = run(nodes, files(*documents), NOW)
    assert not done.folder.faults
    return after(done), done.now


def planned(nodes: tuple[Node, ...], before: tuple[Json | str, ...], *documents: Json | str) -> Forecast:
    """The plan of a folder's change from `before` to the documents."""
    objects, now = at_rest(nodes, *before)
    return forecast(objects, files(*documents), now)


def only(plan: Forecast) -> Workload:
    (workload,) = plan.workloads
    return workload


def acted(plan: Forecast) -> dict[str, str]:
    return {one.title: one.action for one in plan.objects}


def change_of(plan: Forecast, title: str) -> ObjectChange:
    return next(one for one in plan.objects if one.title == title)


THREE = tuple(node(f"n{number}") for number in (1, 2, 3))
