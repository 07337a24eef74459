"""Cases of the mix `statefulset`."""

import msgspec

from reconciler.controllers import garbagecollector, statefulset
from reconciler.controllers.statefulpods import revision_of
from reconciler.controllers.volumes import protection
from schemas.apps import ControllerRevision, StatefulSet
from schemas.core.persistence import PersistentVolumeClaim
from schemas.core.pod import Pod
from tests.oracles.controllers import pods
from tests.oracles.controllers.mix import NAMESPACE, Json, Mix
from tests.oracles.controllers.player import Player


def number(player: Player, name: str) -> int | None:
    """The number of a ControllerRevision that still exists."""
    found = player.world.cache.get(ControllerRevision, NAMESPACE, name)
    return None if found is None else found.revision


def revision(player: Player, pod: Pod) -> str:
    return str(number(player, revision_of(pod)))


def state(player: Player) -> Json:
    cache = player.world.cache
    told: Json = {
        "pods": {pod.metadata.name: [_shown(player, pod), pods.state(pod)] for pod in cache.list(Pod, NAMESPACE)},
        "revisions": sorted(one.revision for one in cache.list(ControllerRevision, NAMESPACE)),
    }
    for one in cache.list(StatefulSet, NAMESPACE):
        told["statefulSet"] = {"replicas": one.spec.replicas, "status": _status(player, one)}
    claims = cache.list(PersistentVolumeClaim, NAMESPACE)
    if claims:
        told["claims"] = {claim.metadata.name: _owners(claim) for claim in claims}
    return told


def _shown(player: Player, pod: Pod) -> int | str:
    found = number(player, revision_of(pod))
    return "?" if found is None else found


def _status(player: Player, one: StatefulSet) -> Json:
    status = msgspec.to_builtins(one.status)
    status.pop("observedGeneration", None)
    for name in ("currentRevision", "updateRevision"):
        status[name] = number(player, status.get(name, ""))
    return status


def _owners(claim: PersistentVolumeClaim) -> list[str]:
    owners = [
        f"{owner.kind}/{owner.name}{' controller' if owner.controller else ''}"
        for owner in claim.metadata.owner_references
    ]
    return owners + (["deleting"] if claim.metadata.deletion_timestamp is not None else [])


MIX = Mix(
    controllers=(statefulset.CONTROLLER, garbagecollector.CONTROLLER, protection.CLAIMS),
    state=state,
    revision=revision,
)
