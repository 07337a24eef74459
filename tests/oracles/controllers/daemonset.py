"""Cases of the mix `daemonset`."""

from collections.abc import Iterable

import msgspec
from msgspec import structs

from reconciler.controllers import daemonset, garbagecollector
from reconciler.controllers.daemonpods import fitness, node_of
from reconciler.controllers.history import POD_LABEL
from reconciler.store.view import Event, View
from schemas.apps import ControllerRevision, DaemonSet
from schemas.core.node import Node
from schemas.core.pod import Pod
from schemas.meta import Ref
from tests.oracles.controllers import pods
from tests.oracles.controllers.mix import NAMESPACE, Json, Mix
from tests.oracles.controllers.player import Player


def _number(player: Player, pod: Pod) -> int | None:
    hash_ = pod.metadata.labels.get(POD_LABEL)
    for one in player.world.cache.list(ControllerRevision, NAMESPACE):
        if one.metadata.labels.get(POD_LABEL) == hash_:
            return one.revision
    return None


def state(player: Player) -> Json:
    cache = player.world.cache
    found: dict[str, list[Json]] = {}
    for pod in cache.list(Pod, NAMESPACE):
        number = _number(player, pod)
        found.setdefault(node_of(pod), []).append(["?" if number is None else number, pods.state(pod)])
    told: Json = {
        "pods": {node: sorted(states, key=str) for node, states in found.items()},
        "revisions": sorted(one.revision for one in cache.list(ControllerRevision, NAMESPACE)),
    }
    for one in cache.list(DaemonSet, NAMESPACE):
        status = msgspec.to_builtins(one.status)
        status.pop("observedGeneration", None)
        told["daemonSet"] = {"status": status}
    return told


def _heard(event: Event, view: View) -> Iterable[Ref]:
    """What Kubernetes hears of: a node counts where it lacks a pod, or has one that may not stay; never its end.

    Here the set is looked at in every case, so that its status is right at once; see `docs/differences.md`.
    """
    if not isinstance(event.object, Node):
        return daemonset.concerns(event, view)
    if not isinstance(event.new, Node):
        return ()
    return [ref for ref in daemonset.concerns(event, view) if _is_urgent(event.new, ref, view)]


def _is_urgent(node: Node, ref: Ref, view: View) -> bool:
    owner = view.get(DaemonSet, ref.namespace, ref.name)
    assert owner is not None
    fit = fitness(owner)(node)
    owned = [pod for pod in view.owned_by(Pod, owner.metadata.uid) if pod.metadata.deletion_timestamp is None]
    there = any(node_of(pod) == node.metadata.name for pod in owned)
    return fit.runs if not there else not fit.stays


MIX = Mix(
    # No pod garbage collection: Kubernetes' waits for longer than the cases last.
    controllers=(structs.replace(daemonset.CONTROLLER, concerns=_heard), garbagecollector.CONTROLLER),
    setting=lambda: (),
    state=state,
    revision=lambda player, pod: str(_number(player, pod)),
    node=lambda player, pod: node_of(pod),
    by_node=True,
    differences={"daemonset-a065": "which of several equal nodes an update takes first is chance in Kubernetes"},
)
