"""Deployments and ReplicaSets, as the recordings tell their states."""

import re
from collections import Counter

import msgspec

from reconciler.controllers.revision import DESIRED, MAX, REVISION
from schemas.apps import Deployment, ReplicaSet
from schemas.core.pod import Pod
from schemas.meta import controller_of
from tests.oracles.controllers import pods
from tests.oracles.controllers.mix import NAMESPACE, Json
from tests.oracles.controllers.player import Player


def number(one: ReplicaSet) -> str:
    """The revision of the set."""
    return one.metadata.annotations.get(REVISION, "None")


def revision(player: Player, pod: Pod) -> str:
    """The revision of the set that the pod belongs to now."""
    owner = controller_of(pod)
    found = player.world.cache.get(ReplicaSet, NAMESPACE, owner.name) if owner is not None else None
    return number(found) if found is not None else "None"


def counted(player: Player) -> Json:
    """Pods by revision and state."""
    found: dict[str, Counter[str]] = {}
    for pod in player.world.pods(NAMESPACE):
        found.setdefault(revision(player, pod), Counter())[pods.state(pod)] += 1
    return {key: dict(value) for key, value in found.items()}


def replica_set(one: ReplicaSet) -> Json:
    status = msgspec.to_builtins(one.status)
    status.pop("observedGeneration", None)
    return {"replicas": one.spec.replicas, "status": status}


def rolled_set(one: ReplicaSet) -> Json:
    """A set of a Deployment."""
    told = replica_set(one)
    if one.spec.template is not None and one.spec.template.spec is not None:
        told["image"] = one.spec.template.spec.containers[0].image
    annotations = one.metadata.annotations
    return told | {"desired": annotations.get(DESIRED), "max": annotations.get(MAX)}


def deployment(player: Player, one: Deployment) -> Json:
    status = msgspec.to_builtins(one.status)
    for left_out in ("observedGeneration", "conditions"):
        status.pop(left_out, None)
    conditions = [[each.type, each.status, each.reason, _plain(player, each.message)] for each in one.status.conditions]
    return {
        "replicas": one.spec.replicas,
        "status": status,
        "conditions": sorted(conditions),
        "revision": one.metadata.annotations.get(REVISION),
    }


def _plain(player: Player, message: str) -> str:
    """The message with the revision of a set in place of its name."""
    sets = {one.metadata.name: number(one) for one in player.world.cache.list(ReplicaSet, NAMESPACE)}
    return re.sub(r"web-\w+", lambda name: f"web-<revision {sets.get(name[0], name[0])}>", message)
