"""Cases of the mix `replicaset`."""

from collections import Counter

from reconciler.controllers import garbagecollector, replicaset
from schemas.apps import ReplicaSet
from schemas.meta import controller_of
from tests.oracles.controllers import pods, sets
from tests.oracles.controllers.mix import NAMESPACE, Json, Mix
from tests.oracles.controllers.player import Player


def state(player: Player) -> Json:
    found = player.world.cache.list(ReplicaSet, NAMESPACE)
    given: Json = {}
    made: dict[str, Counter[str]] = {}
    for pod in player.world.pods(NAMESPACE):
        owner = controller_of(pod)
        if pod.metadata.name in player.given:
            given[pod.metadata.name] = [pods.state(pod), owner.name if owner is not None else None]
        else:
            made.setdefault(pods.owner(pod), Counter())[pods.state(pod)] += 1
    return {
        "replicaSets": {one.metadata.name: sets.replica_set(one) for one in found},
        "pods": given,
        "made": {key: dict(value) for key, value in made.items()},
    }


MIX = Mix(controllers=(replicaset.CONTROLLER, garbagecollector.CONTROLLER), state=state, revision=sets.revision)
