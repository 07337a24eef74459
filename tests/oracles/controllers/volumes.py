"""Cases of the mix `volumes`."""

from collections.abc import Sequence

import msgspec

from reconciler.controllers.volumes import binder, protection
from reconciler.controllers.volumes.facts import BOUND_BY_CONTROLLER
from schemas.core.persistence import PersistentVolume, PersistentVolumeClaim
from schemas.meta import Object
from tests.oracles.controllers import pods
from tests.oracles.controllers.mix import NAMESPACE, Json, Mix
from tests.oracles.controllers.player import VERBS, Player


def state(player: Player) -> Json:
    cache = player.world.cache
    return {
        "volumes": {one.metadata.name: _volume(one) for one in cache.list(PersistentVolume)},
        "claims": {one.metadata.name: _claim(one) for one in cache.list(PersistentVolumeClaim, NAMESPACE)},
        "pods": {one.metadata.name: pods.state(one) for one in player.world.pods(NAMESPACE)},
    }


def _volume(one: PersistentVolume) -> Json:
    kept = one.spec.claim_ref
    return {
        "phase": one.status.phase,
        **({"claim": kept.name} if kept is not None else {}),
        **({"message": one.status.message} if one.status.message else {}),
        **_ending(one),
        "boundByController": one.metadata.annotations.get(BOUND_BY_CONTROLLER),
    }


def _claim(one: PersistentVolumeClaim) -> Json:
    status = msgspec.json.decode(msgspec.json.encode(one.status))
    found = {key: status[key] for key in ("capacity", "accessModes", "conditions") if status.get(key)}
    annotations = sorted(one.metadata.annotations)
    return {
        "phase": one.status.phase,
        "volume": one.spec.volume_name or None,
        "class": one.spec.storage_class_name,
        **_ending(one),
        **found,
        **({"annotations": annotations} if annotations else {}),
    }


def _ending(one: Object) -> Json:
    return {
        **({"deleting": True} if one.metadata.deletion_timestamp is not None else {}),
        **({"finalizers": list(one.metadata.finalizers)} if one.metadata.finalizers else {}),
    }


def setting() -> Sequence[Object]:
    """None: the script binds pods to nodes that nobody looks at."""
    return ()


def _create(player: Player, action: Json) -> None:
    """A volume may name the claim that it is kept for, and with it the namespace of the case."""
    written = action["create"]
    kept = written.get("spec", {}).get("claimRef")
    if kept is not None:
        written = {**written, "spec": {**written["spec"], "claimRef": {**kept, "namespace": NAMESPACE}}}
    VERBS["create"](player, {"create": written})


MIX = Mix(
    controllers=(binder.CONTROLLER, protection.CLAIMS, protection.VOLUMES),
    state=state,
    setting=setting,
    verbs={"create": _create},
)
