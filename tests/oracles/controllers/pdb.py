"""Cases of the mix `pdb`."""

from collections import Counter
from collections.abc import Sequence

import msgspec

from reconciler.api.eviction import budgeted
from reconciler.controllers import deployment, disruption, garbagecollector, replicaset, statefulset
from reconciler.store.changes import Delete
from schemas.core.pod import Pod
from schemas.meta import controller_of, ref_of
from schemas.policy import PodDisruptionBudget
from tests.oracles.controllers import pods
from tests.oracles.controllers.mix import NAMESPACE, Json, Mix
from tests.oracles.controllers.player import Player


def state(player: Player) -> Json:
    found: dict[str, Counter[str]] = {}
    for pod in player.world.pods(NAMESPACE):
        owner = controller_of(pod)
        found.setdefault(owner.kind if owner is not None else "bare", Counter())[pods.state(pod)] += 1
    return {
        "budgets": {one.metadata.name: _budget(one) for one in player.world.cache.list(PodDisruptionBudget, NAMESPACE)},
        "pods": {kind: dict(counts) for kind, counts in found.items()},
    }


def _budget(one: PodDisruptionBudget) -> Json:
    counts = ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods")
    status = msgspec.to_builtins(one.status)
    return {
        "status": {name: status.get(name, 0) for name in counts},
        "disrupted": len(one.status.disrupted_pods),
        "conditions": [[each.type, each.status, each.reason, each.message] for each in one.status.conditions],
    }


def _evict(player: Player, action: Json) -> None:
    found: Sequence[Pod] = player.taken(action, "evict", lambda one: one.metadata.deletion_timestamp is None)
    for pod in found:
        player.world.apply((*budgeted(pod, player.world.cache, player.world.now), Delete(ref_of(pod))))


MIX = Mix(
    controllers=(
        deployment.CONTROLLER,
        disruption.CONTROLLER,
        garbagecollector.CONTROLLER,
        replicaset.CONTROLLER,
        statefulset.CONTROLLER,
    ),
    state=state,
    verbs={"evict": _evict},
    differences=dict.fromkeys(
        ("pdb-a017", "pdb-a026", "pdb-a068"),
        "two budgets over the same pods: both are kept, Kubernetes keeps one of them by chance",
    ),
)
