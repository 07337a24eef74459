"""Cases of the mix `nodes`.

What Kubernetes' node controller writes about a node that is silent is the link's affair here: the link knows from
the broker when an agent is gone. It is played by `_silence`, in the words and at the time of the recordings, so that
what follows (taints, readiness of pods, evictions) is what is compared. As there, a node that begins to speak again
is taken for silent until its lease is renewed the first time, and what was written in its name before that is written
over: nobody says again that it is ready.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from msgspec import structs

from reconciler.controllers import nodelifecycle, podgc
from reconciler.controllers.interface import NOTHING, Controller, Plan
from reconciler.controllers.nodezones import nodezones
from reconciler.store.changes import Update, UpdateStatus
from reconciler.store.view import Event, View
from reconciler.taints import NOT_READY, UNREACHABLE
from schemas import conditions
from schemas.core.node import Node, NodeCondition, NodeStatus
from schemas.core.pod import Pod
from schemas.meta import Object, ObjectMeta, Ref, ref_of
from tests.oracles.controllers import pods
from tests.oracles.controllers.mix import NAMESPACE, Json, Mix
from tests.oracles.controllers.player import VERBS, Player

_SINCE, _UNTIL = "test/silent-since", "test/silent-until"
_GRACE, _RENEWAL = timedelta(seconds=4.5), timedelta(seconds=0.7)
_NEVER = ("NodeStatusNeverUpdated", "Kubelet never posted node status.")
_STOPPED = ("NodeStatusUnknown", "Kubelet stopped posting node status.")


def _concerns(event: Event, view: View) -> Iterable[Ref]:
    return (ref_of(event.new),) if isinstance(event.new, Node) else ()


def _silence(ref: Ref, view: View, now: datetime) -> Plan:
    node = view.get(Node, "", ref.name)
    since = node.metadata.annotations.get(_SINCE) if node is not None else None
    if node is None or since is None:
        return NOTHING
    until = node.metadata.annotations.get(_UNTIL)
    speaks_in = None if until is None else (datetime.fromisoformat(until) - now).total_seconds()
    if speaks_in is not None and speaks_in <= 0:
        return Plan((Update(_marked(node)),))
    left = (datetime.fromisoformat(since) + _GRACE - now).total_seconds()
    if left > 0:
        return Plan(requeue_after=left if speaks_in is None else min(left, speaks_in))
    told = node.status.conditions
    for type_ in ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure"):
        found = conditions.find(told, type_)
        reason, message = _NEVER if found is None else _STOPPED
        if found is None or found.status != "Unknown":
            told = conditions.updated(told, NodeCondition("Unknown", type_, message=message, reason=reason))
    if told == node.status.conditions:
        return Plan(requeue_after=speaks_in)
    change = UpdateStatus(structs.replace(node, status=structs.replace(node.status, conditions=told)))
    return Plan((change,), speaks_in)


def _marked(node: Node, **marks: str) -> Node:
    """With these marks of silence, and no others."""
    annotations = {key: text for key, text in node.metadata.annotations.items() if key not in (_SINCE, _UNTIL)}
    return structs.replace(node, metadata=structs.replace(node.metadata, annotations=annotations | marks))


def _heartbeat(player: Player, action: Json) -> None:
    node, now = player.world.get(Node, "", action["heartbeat"]), player.world.now
    since = node.metadata.annotations.get(_SINCE)
    if not action["on"]:
        node = _marked(node, **{_SINCE: since or now.isoformat()})
    elif since is not None:
        node = _marked(node, **{_SINCE: since, _UNTIL: (now + _RENEWAL).isoformat()})
    player.world.apply((Update(node),))


def _create(player: Player, action: Json) -> None:
    """Pods tolerate a node that is away for 300 s, as the API server of the recordings had it."""
    written = action["create"]
    if written["kind"] == "Pod":
        given = written["spec"].get("tolerations", [])
        for key in (NOT_READY, UNREACHABLE):
            if not any(one.get("key", key) == key for one in given):
                usual = {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
                given = [*given, usual]
        written = {**written, "spec": {**written["spec"], "tolerations": given}}
    VERBS["create"](player, {"create": written})


def state(player: Player) -> Json:
    cache = player.world.cache
    given = set(player.given)
    return {
        "nodes": {one.metadata.name: _node(one) for one in cache.list(Node) if one.metadata.name in given},
        "pods": {one.metadata.name: _pod(one) for one in cache.list(Pod, NAMESPACE)},
    }


def _node(one: Node) -> Json:
    return {
        "taints": sorted([taint.key, taint.value, taint.effect] for taint in one.spec.taints),
        "conditions": sorted([each.type, each.status, each.reason, each.message] for each in one.status.conditions),
    }


def _pod(one: Pod) -> Json:
    def told(type_: str) -> Sequence[Json]:
        return [each for each in one.status.conditions if each.type == type_]

    disrupted = [[each.status, each.reason, each.message] for each in told("DisruptionTarget")]
    ready = [[each.status, each.reason] for each in told("Ready")]
    return [pods.state(one), ready, *([{"DisruptionTarget": disrupted}] if disrupted else [])]


def setting() -> Sequence[Object]:
    """Healthy nodes, as in the recordings, so that no zone is taken for lost as a whole."""
    ready = NodeStatus(conditions=(NodeCondition("True", "Ready", reason="KubeletReady"),))
    return tuple(Node(metadata=ObjectMeta(name=f"healthy-{number}"), status=ready) for number in range(60))


MIX = Mix(
    controllers=(Controller("silence", _concerns, _silence), nodelifecycle.CONTROLLER, nodezones(0), podgc.CONTROLLER),
    state=state,
    setting=setting,
    node=lambda player, pod: pod.spec.node_name or "n1",
    verbs={"create": _create, "heartbeat": _heartbeat},
    differences={
        **dict.fromkeys(
            ("nodes-a001", "nodes-a015", "nodes-a045"),
            "pods of a node that is silent are not ready, also where it had said that it was not ready before",
        ),
    },
)
