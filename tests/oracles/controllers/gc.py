"""Cases of the mix `gc`."""

import re

from reconciler.controllers import deployment, garbagecollector, replicaset
from schemas.apps import Deployment, ReplicaSet
from schemas.core.config import ConfigMap
from schemas.core.pod import Pod
from schemas.kinds import BY_NAME
from schemas.meta import Object, OwnerReference
from tests.oracles.controllers.mix import NAMESPACE, Json, Mix
from tests.oracles.controllers.player import Player


def state(player: Player) -> Json:
    found: dict[str, Json] = {}
    for type_ in (ConfigMap, Deployment, ReplicaSet, Pod):
        for one in player.world.cache.list(type_, NAMESPACE):
            name = f"{BY_NAME[one.kind].plural}/{_plain(one.metadata.name)}"
            if name.endswith("*"):
                found.setdefault(name, []).append(_object(one))
            else:
                found[name] = _object(one)
    return {"objects": found}


def recorded(state: Json) -> Json:
    """Names with a random part are left as they are where nobody owns the object any more."""
    found: dict[str, Json] = {}
    for name, told in state["objects"].items():
        if re.search("/web-", name) and not isinstance(told, list):
            found.setdefault(re.sub("/web-.*", "/web-*", name), []).append(told)
        else:
            found[name] = told
    return {**state, "objects": found}


def _plain(name: str) -> str:
    return re.sub(r"^web-.*", "web-*", name)


def _object(one: Object) -> Json:
    metadata = one.metadata
    return {
        **({"deleting": True} if metadata.deletion_timestamp is not None else {}),
        **({"finalizers": list(metadata.finalizers)} if metadata.finalizers else {}),
        **({"owners": sorted(map(_owner, metadata.owner_references))} if metadata.owner_references else {}),
    }


def _owner(owner: OwnerReference) -> str:
    words = [f"{owner.kind}/{_plain(owner.name)}"]
    words += ["controller"] if owner.controller else []
    words += ["block"] if owner.block_owner_deletion else []
    return " ".join(words)


MIX = Mix(
    controllers=(deployment.CONTROLLER, garbagecollector.CONTROLLER, replicaset.CONTROLLER),
    state=state,
    recorded=recorded,
)
