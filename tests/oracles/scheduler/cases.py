"""Recorded cases, read and admitted as Wherry admits objects."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec import structs

from reconciler.admission import AdmissionSettings, completion
from reconciler.store.cache import Cache
from reconciler.store.draft import Draft
from schemas.apps import ReplicaSet
from schemas.core.config import Namespace
from schemas.core.node import Node
from schemas.core.persistence import PersistentVolume, PersistentVolumeClaim
from schemas.core.pod import Pod
from schemas.core.service import Service
from schemas.meta import Object, ref_of
from schemas.policy import PodDisruptionBudget
from schemas.scheduling import PriorityClass
from schemas.storage import StorageClass

Json = Any
"""Of a case, as recorded."""

_TYPES: dict[str, type[Object]] = {
    "priorityClasses": PriorityClass,
    "namespaces": Namespace,
    "nodes": Node,
    "services": Service,
    "replicaSets": ReplicaSet,
    "podDisruptionBudgets": PodDisruptionBudget,
    "storageClasses": StorageClass,
    "persistentVolumes": PersistentVolume,
    "persistentVolumeClaims": PersistentVolumeClaim,
}
"""In the order in which one needs the other."""

_COMPLETE = completion(AdmissionSettings())


class Case(NamedTuple):
    """`limits`: for each node and CSI driver the number of volumes that can be attached."""

    id: str
    mix: str
    objects: tuple[Object, ...]
    pending: tuple[Pod, ...]
    results: tuple[Json, ...]
    limits: dict[str, dict[str, int]]


def cases(folder: Path, mix: str = "") -> Iterator[Case]:
    """All cases of a folder, or those of one mix."""
    for path in sorted(folder.glob("*.jsonl")):
        with path.open() as lines:
            for line in lines:
                recorded = json.loads(line)
                if mix in ("", recorded.get("mix", path.stem)):
                    yield read(recorded)


def read(recorded: Json) -> Case:
    draft = Draft(Cache(1))
    objects = [
        _admitted(msgspec.convert(one, type_, strict=False), draft)
        for name, type_ in _TYPES.items()
        for one in recorded.get(name, ())
    ]
    pods = [_pod(one, draft) for one in recorded["pods"]]
    return Case(
        recorded["id"],
        recorded["mix"],
        (*objects, *pods),
        tuple(_pod(one, draft) for one in recorded["pending"]),
        tuple(recorded["result"]),
        {
            node["metadata"]["name"]: {
                driver["name"]: driver["allocatable"]["count"]
                for driver in node["spec"]["drivers"]
                if "count" in driver.get("allocatable", {})
            }
            for node in recorded.get("csiNodes", ())
        },
    )


def _admitted(written: Object, draft: Draft) -> Object:
    known = structs.replace(written, metadata=structs.replace(written.metadata, uid=_uid(written)))
    completed = _COMPLETE(known, draft)
    if isinstance(completed, Node) and isinstance(written, Node):
        # Its taints are those that were recorded: it had long said that it is ready.
        completed = structs.replace(completed, spec=structs.replace(completed.spec, taints=written.spec.taints))
    draft.write(ref_of(completed), completed)
    return completed


def _pod(recorded: Json, draft: Draft) -> Pod:
    """Without the tolerations that every pod is given for nodes that are away: the recorded ones had none."""
    written = msgspec.convert(recorded, Pod, strict=False)
    completed = _admitted(written, draft)
    assert isinstance(completed, Pod)
    return structs.replace(completed, spec=structs.replace(completed.spec, tolerations=written.spec.tolerations))


def _uid(one: Object) -> str:
    return "/".join(part for part in ref_of(one) if part)
