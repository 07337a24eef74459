"""Cases of the mix `deployment`."""

from reconciler.controllers import deployment, garbagecollector, replicaset
from schemas.apps import Deployment, ReplicaSet
from tests.oracles.controllers import sets
from tests.oracles.controllers.mix import NAMESPACE, Json, Mix
from tests.oracles.controllers.player import Player


def state(player: Player) -> Json:
    cache = player.world.cache
    told: Json = {
        "replicaSets": {sets.number(one): sets.rolled_set(one) for one in cache.list(ReplicaSet, NAMESPACE)},
        "pods": sets.counted(player),
    }
    for one in cache.list(Deployment, NAMESPACE)[:1]:
        told["deployment"] = sets.deployment(player, one)
    return told


MIX = Mix(
    controllers=(deployment.CONTROLLER, replicaset.CONTROLLER, garbagecollector.CONTROLLER),
    state=state,
    resting=1.1,
    revision=sets.revision,
)
