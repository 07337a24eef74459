"""Which of the nodes that are lost lose their pods, zone by zone: one after the other, and none while most are gone.

A node that is lost is tainted `NoExecute`, and from then on the tolerations of its pods run. That comes to one node of
a zone at a time, and to none of a zone, or of the fleet, that is lost for the greater part: then it is the link that is
broken, and a fleet must not move for that. What was tainted before the others went is freed again. The rates and
thresholds are those of Kubernetes' node controller
(https://kubernetes.io/docs/concepts/architecture/nodes/#rate-limits-on-eviction); all is worked out anew from the
nodes, so that a restart forgets nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from msgspec import structs

from reconciler.controllers.interface import NOTHING, Controller, Plan
from reconciler.controllers.nodestate import LOST, executing, is_lost, is_ready, lost_taint
from reconciler.store.changes import Change, Emit, Update
from reconciler.store.view import Event, View
from schemas import conditions
from schemas.core.node import Node, Taint
from schemas.meta import Ref

ZONE, REGION = "topology.kubernetes.io/zone", "topology.kubernetes.io/region"
EVERY_SECONDS = 10.0
"""Between two nodes of a zone."""
BROKEN_SHARE = 0.55
"""A zone of which so much is lost is broken, unless that is one node or two."""
FEW = 2
COMPONENT = "node-controller"
_FLEET = Ref("Zones", "", "fleet")
"""What is decided about one zone hangs on the others: all are looked at together."""


def nodezones(every_seconds: float = EVERY_SECONDS) -> Controller:
    return Controller("nodezones", concerns, partial(reconcile, every=timedelta(seconds=every_seconds)))


def concerns(event: Event, view: View) -> Iterable[Ref]:
    """The fleet, where something of the kind has changed."""
    if not isinstance(event.object, Node):
        return ()
    return () if _counted(event.old) == _counted(event.new) else (_FLEET,)


def _counted(node: object) -> object:
    if not isinstance(node, Node):
        return None
    return zone_of(node), is_ready(node), is_lost(node), node.spec.taints


def zone_of(node: Node) -> tuple[str, str]:
    """Region and zone; nodes that are in none are in one together."""
    labels = node.metadata.labels
    return labels.get(REGION, ""), labels.get(ZONE, "")


def reconcile(_: Ref, view: View, now: datetime, *, every: timedelta) -> Plan:
    nodes = [node for node in view.list(Node) if node.metadata.deletion_timestamp is None]
    if not any(is_lost(node) for node in nodes):
        return NOTHING
    is_dark = not any(is_ready(node) for node in nodes)
    changes: list[Change] = []
    next_look: float | None = None
    for members in _zones(nodes).values():
        if is_dark or is_broken(members):
            changes += (change for node in members for change in _freed(node))
            continue
        chosen, wait = _next(members, now, every)
        changes += (Update(_tainted(node, now)) for node in chosen)
        if wait is not None:
            next_look = wait if next_look is None else min(next_look, wait)
    return Plan(tuple(changes), next_look)


def _zones(nodes: Sequence[Node]) -> Mapping[tuple[str, str], list[Node]]:
    zones: dict[tuple[str, str], list[Node]] = {}
    for node in nodes:
        zones.setdefault(zone_of(node), []).append(node)
    return zones


def is_broken(members: Sequence[Node]) -> bool:
    """Whether so much of a zone is lost that it is the link that is."""
    lost = sum(is_lost(node) for node in members)
    return lost > FEW and lost >= BROKEN_SHARE * (lost + sum(is_ready(node) for node in members))


def _freed(node: Node) -> Iterable[Change]:
    """The node without the taints that evict for its loss."""
    if not is_lost(node) or not executing(node, LOST):
        return
    taints = tuple(taint for taint in node.spec.taints if taint not in executing(node, LOST))
    yield Update(structs.replace(node, spec=structs.replace(node.spec, taints=taints)))
    text = "Most of the nodes are lost: it is taken for the link, and no pod is evicted until some are back"
    yield Emit(node, "Warning", "EvictionsHalted", text, COMPONENT)


def _next(members: Sequence[Node], now: datetime, every: timedelta) -> tuple[Sequence[Node], float | None]:
    """The nodes to be tainted now, and the seconds until the next one may be."""
    waiting = sorted((node for node in members if is_lost(node) and not executing(node, LOST)), key=_since)
    if not waiting:
        return (), None
    if not every:
        return waiting, None
    given = (taint.time_added for node in members if is_lost(node) for taint in executing(node, LOST))
    latest = max((time for time in given if time is not None), default=None)
    left = (latest + every - now).total_seconds() if latest is not None else 0.0
    if left > 0:
        return (), left
    return waiting[:1], every.total_seconds() if len(waiting) > 1 else None


def _since(node: Node) -> tuple[float, str]:
    """Those that have been lost for longest come first."""
    ready = conditions.find(node.status.conditions, "Ready")
    since = ready.last_transition_time if ready is not None else None
    return since.timestamp() if since is not None else 0.0, node.metadata.name


def _tainted(node: Node, now: datetime) -> Node:
    added = Taint(effect="NoExecute", key=lost_taint(node), time_added=now)
    return structs.replace(node, spec=structs.replace(node.spec, taints=(*node.spec.taints, added)))
