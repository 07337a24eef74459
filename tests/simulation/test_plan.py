"""What a plan says is what then happens, over generated edits of a cluster of 50 nodes and 500 pods."""

import os
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import msgspec

from reconciler.controllers import podstate
from reconciler.controllers.imagewait import STATES
from reconciler.manifests.documents import FileState, load
from reconciler.plan import forecast as planning
from reconciler.plan.outcome import Forecast
from reconciler.plan.pods import idle_for, top
from reconciler.store.cache import Cache
from reconciler.store.view import View
from schemas.core.node import Node, NodeCondition, NodeSpec, NodeStatus, Taint
from schemas.core.pod import Pod
from schemas.discovery import EndpointSlice
from schemas.kinds import KINDS
from schemas.meta import Object, ObjectMeta, controller_of, ref_of
from tests.simulation.edits import ZONES, Folder
from tests.simulation.stepped import START, live

NODES, WORKLOADS, REPLICAS = 50, 62, 8
EDITS = int(os.environ.get("WHERRY_EXAMPLES", "120"))
Seen = dict[str, object]
_STAMPED = ("wherry.dev/commit", "wherry.dev/source", STATES)
"""Annotations that are of the moment; how images stand on nodes is no matter of a plan."""


def node(number: int) -> Node:
    """Three sizes, three zones, and some that not everything may run on."""
    cpu, memory = ((2, "2Gi"), (4, "4Gi"), (8, "16Gi"))[number % 3]
    name = f"n{number:02}"
    sizes: dict[str, str | int | float] = {"cpu": str(cpu), "memory": memory, "pods": "30"}
    taints = (Taint("NoSchedule", "camera"),) if number % 17 == 3 else ()
    return Node(
        metadata=ObjectMeta(name=name, labels={"zone": ZONES[number % 3], "kubernetes.io/hostname": name}),
        spec=NodeSpec(taints=taints),
        status=NodeStatus(
            allocatable=sizes, capacity=sizes, conditions=(NodeCondition("True", "Ready", last_transition_time=START),)
        ),
    )


@lru_cache(maxsize=2_000)
def loaded(name: str, content: bytes) -> FileState:
    return load(name, content)


def states(folder: Path) -> dict[str, FileState]:
    return {path.name: loaded(path.name, path.read_bytes()) for path in sorted(folder.iterdir())}


def seen(view: View) -> Seen:
    """All that can be told of a cluster, but for what is made up by chance or by the clock."""
    found: Seen = {
        str(ref_of(one)): wanted(one)
        for kind in KINDS
        if kind.name not in ("EndpointSlice", "Event", "Pod")
        for one in view.list(kind.type)
    }
    pods = Counter(placed(pod, view) for pod in view.list(Pod))
    endpoints = Counter(told for slice_ in view.list(EndpointSlice) for told in reached(slice_))
    found |= {f"pods {name}": count for name, count in pods.items()}
    return found | {f"endpoints {name}": count for name, count in endpoints.items()}


def reached(slice_: EndpointSlice) -> Iterator[str]:
    """The endpoints of a slice, whose name and whose pods' names are made up by chance."""
    owner = controller_of(slice_)
    for endpoint in slice_.endpoints:
        ready = endpoint.conditions.ready if endpoint.conditions else None
        yield f"of {owner.name if owner else ''} on {endpoint.node_name} ready {ready}"


def wanted(object_: Object) -> object:
    built = msgspec.to_builtins(object_)
    metadata = built.pop("metadata")
    annotations = metadata.get("annotations", {})
    kept = {key: value for key, value in annotations.items() if key not in _STAMPED}
    status = built.pop("status", {})
    counts = {key: value for key, value in status.items() if key.endswith("eplicas")}
    told = [(one["type"], one["status"]) for one in status.get("conditions", ()) if one["type"] != "Progressing"]
    return built, kept, metadata.get("labels"), "deletionTimestamp" in metadata, counts, told


def placed(pod: Pod, view: View) -> str:
    owner = controller_of(pod)
    parts = (
        ref_of(top(pod, view)),
        owner.name if owner else "",
        f"on {pod.spec.node_name}",
        pod.spec.containers[0].image,
        "ready" if podstate.ready(pod) else f"not ready: {idle_for(pod)}",
        "ending" if pod.metadata.deletion_timestamp else "",
    )
    return " ".join(map(str, parts))


def differences(plan: Seen, life: Seen) -> list[str]:
    return [
        f"{key}: {parts(plan.get(key), life.get(key))}"
        for key in sorted(plan.keys() | life.keys())
        if plan.get(key) != life.get(key)
    ]


def parts(planned: object, came: object) -> str:
    if isinstance(planned, tuple) and isinstance(came, tuple):
        return "; ".join(parts(one, other) for one, other in zip(planned, came, strict=True) if one != other)
    if isinstance(planned, dict) and isinstance(came, dict):
        keys = [key for key in {**planned, **came} if planned.get(key) != came.get(key)]
        return ", ".join(f"{key}: {parts(planned.get(key), came.get(key))}" for key in keys)
    return f"planned {planned}, came {came}"


def copied(view: View, revision: int) -> Cache:
    copy = Cache(revision)
    copy.load(found for kind in KINDS for found in view.list(kind.type))
    return copy


def comparable(plan: Forecast) -> Forecast:
    """What happens on the way is left out: nobody looks at the live cluster in every moment of it."""
    workloads = tuple(msgspec.structs.replace(one, lowest_ready=0) for one in plan.workloads)
    return msgspec.structs.replace(plan, workloads=workloads, dangers=(), notes=())


async def test_what_a_plan_says_is_what_then_happens(tmp_path: Path) -> None:
    """Edits come alone, and several in one merge; pods are told apart by owner, template, node and state."""
    folder = Folder(seed=3, workloads=WORKLOADS, replicas=REPLICAS)
    edits: list[str] = []
    happened: Counter[str] = Counter()
    async with live(tmp_path, tuple(map(node, range(NODES))), folder.files()) as there:
        cache = there.cluster.cache
        assert len(cache.list(Pod)) >= WORKLOADS * REPLICAS
        while len(edits) < EDITS:
            merged = [folder.edit() for _ in range(folder.random.choice((1, 1, 2, 4)))]
            state = there.prepare(folder.files())
            planned = planning.run(there.objects(), states(state), there.now)
            await there.merge(state)
            found = differences(seen(planned.after), seen(cache))
            assert not found, "\n  ".join((f"after {len(edits)} edits, {', '.join(merged)}:", *found[:20]))
            said = planning.told(planned)
            came = planning.told(msgspec.structs.replace(planned, after=copied(cache, cache.revision)))
            assert comparable(said) == comparable(came)
            assert list(map(str, said.faults)) == list(map(str, there.sync.status.faults))
            edits += merged
            happened.update({key: value for key, value in msgspec.to_builtins(said.summary).items() if value})
    assert len({edit.split()[0] for edit in edits}) >= 12
    assert happened.keys() >= {"created", "changed", "deleted", "started", "stopped", "moved", "pending", "faults"}
