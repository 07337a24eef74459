"""Cases of the mix `quota`."""

from collections import Counter
from collections.abc import Sequence

from reconciler.controllers import deployment, garbagecollector, replicaset, resourcequota, serviceaccount
from reconciler.controllers.rootca import rootca
from schemas.apps import Deployment, ReplicaSet
from schemas.core.config import Namespace
from schemas.core.quota import ResourceQuota
from schemas.meta import Object, ObjectMeta, controller_of
from tests.oracles.controllers import pods, sets
from tests.oracles.controllers.mix import NAMESPACE, Json, Mix, usual_nodes
from tests.oracles.controllers.player import Player


def state(player: Player) -> Json:
    cache = player.world.cache
    found: dict[str, Counter[str]] = {}
    for pod in player.world.pods(NAMESPACE):
        owner = controller_of(pod)
        found.setdefault(owner.kind if owner is not None else "bare", Counter())[pods.state(pod)] += 1
    told: Json = {
        "quotas": {
            one.metadata.name: {"hard": one.status.hard, "used": one.status.used}
            for one in cache.list(ResourceQuota, NAMESPACE)
        },
        "pods": {kind: dict(counts) for kind, counts in found.items()},
    }
    for one in cache.list(Deployment, NAMESPACE)[:1]:
        whole = sets.deployment(player, one)
        told["deployment"] = {"status": whole["status"], "conditions": [each[:3] for each in whole["conditions"]]}
    for set_ in cache.list(ReplicaSet, NAMESPACE)[:1]:
        status = sets.replica_set(set_)["status"]
        conditions = status.pop("conditions", ())
        told["replicaSet"] = {
            "status": status,
            "conditions": [[each["type"], each["status"], each["reason"]] for each in conditions],
        }
    return told


def setting() -> Sequence[Object]:
    """As usual, and what every namespace has: a quota counts it."""
    return [*usual_nodes(), Namespace(metadata=ObjectMeta(name=NAMESPACE))]


MIX = Mix(
    controllers=(
        deployment.CONTROLLER,
        garbagecollector.CONTROLLER,
        replicaset.CONTROLLER,
        resourcequota.CONTROLLER,
        rootca("a certificate"),
        serviceaccount.CONTROLLER,
    ),
    state=state,
    setting=setting,
    differences={"quota-a044": "pods that a quota refused are made as soon as it allows them, not at the next try"},
)
