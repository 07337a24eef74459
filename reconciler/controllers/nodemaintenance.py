"""Maintenance windows: a node with `wherry.dev/maintenance` is cordoned and drained while one of them is open.

As `kubectl drain` does it: pods of DaemonSets stay, and so do pods that nobody would replace; the others go as far as
their budgets allow, and what those hold back is tried again until the window closes. Then the node is uncordoned, if
it was cordoned by this: whoever has cordoned it before, or has uncordoned it meanwhile, has the last word. Which it was
is kept in an annotation, so that a restart at any moment changes nothing
(https://kubernetes.io/docs/tasks/administer-cluster/safely-drain-node/).
"""

from collections.abc import Iterable, Iterator
from datetime import datetime

from msgspec import structs

from reconciler.controllers import podstate
from reconciler.controllers.budgets import Blocked, taken, told_why
from reconciler.controllers.interface import NOTHING, Controller, Plan
from reconciler.store.changes import Change, Delete, Emit, Update
from reconciler.store.view import Event, View
from schemas.core.node import Node
from schemas.core.pod import Pod
from schemas.maintenance import ANNOTATION, Span, open_or_next, parse
from schemas.meta import Ref, controller_of, ref_of

CORDONED = "wherry.dev/maintenance-since"
"""Annotation of a node that was cordoned for a window: when that opened."""
RETRY_SECONDS = 5.0
"""How soon a pod that its budget keeps is asked for again."""
COMPONENT = "maintenance-controller"


def concerns(event: Event, view: View) -> Iterable[Ref]:
    """The node itself where something of the kind has changed, and that of a pod that has come to such a node."""
    if isinstance(event.new, Node):
        old = event.old
        return (ref_of(event.new),) if not isinstance(old, Node) or _asked(old) != _asked(event.new) else ()
    if isinstance(event.new, Pod) and event.new.spec.node_name:
        node = view.get(Node, "", event.new.spec.node_name)
        return (ref_of(node),) if node is not None and ANNOTATION in node.metadata.annotations else ()
    return ()


def _asked(node: Node) -> object:
    annotations = node.metadata.annotations
    return annotations.get(ANNOTATION), annotations.get(CORDONED), node.spec.unschedulable


def reconcile(ref: Ref, view: View, now: datetime) -> Plan:
    node = view.get(Node, "", ref.name)
    if node is None or node.metadata.deletion_timestamp is not None:
        return NOTHING
    span = _window(node, now)
    if span is None or span.start > now:
        wait = (span.start - now).total_seconds() if span is not None else None
        return Plan(tuple(_reopened(node)), wait)
    changes = list[Change](_cordoned(node, span))
    if not changes and not node.spec.unschedulable:  # uncordoned by hand while the window is open
        return Plan(requeue_after=(span.end - now).total_seconds())
    drained = _drained(node, view, now)
    wait = (span.end - now).total_seconds()
    if drained.requeue_after is not None:
        wait = min(wait, drained.requeue_after)
    return Plan((*changes, *drained.changes), wait)


def _window(node: Node, now: datetime) -> Span | None:
    """The window that is open, or the next one. What is no window is refused where it is written, and is none."""
    try:
        return open_or_next(parse(node.metadata.annotations.get(ANNOTATION, "")), now)
    except ValueError:
        return None


def _cordoned(node: Node, span: Span) -> Iterator[Change]:
    since = span.start.isoformat()
    if node.spec.unschedulable or node.metadata.annotations.get(CORDONED) == since:
        return
    yield Update(_with(node, node.metadata.annotations | {CORDONED: since}, unschedulable=True))
    text = f"Cordoned and being drained: its maintenance window is open until {span.end.isoformat()}"
    yield Emit(node, "Normal", "MaintenanceStarted", text, COMPONENT)


def _reopened(node: Node) -> Iterator[Change]:
    annotations = node.metadata.annotations
    if CORDONED not in annotations:
        return
    left = {key: value for key, value in annotations.items() if key != CORDONED}
    yield Update(_with(node, left, unschedulable=False))
    yield Emit(node, "Normal", "MaintenanceEnded", "Uncordoned: its maintenance window is over", COMPONENT)


def _with(node: Node, annotations: dict[str, str], *, unschedulable: bool) -> Node:
    metadata = structs.replace(node.metadata, annotations=annotations)
    return structs.replace(node, metadata=metadata, spec=structs.replace(node.spec, unschedulable=unschedulable))


def _drained(node: Node, view: View, now: datetime) -> Plan:
    """Ends what may go; of pods under one budget one at a time."""
    changes: list[Change] = []
    budgets: set[Ref] = set()
    is_held = False
    for pod in view.pods_on(node.metadata.name):
        if not _goes(pod):
            continue
        toll = taken(pod, view, now)
        if isinstance(toll, Blocked) or any(ref_of(one.object) in budgets for one in toll):
            is_held = True
            continue
        budgets |= {ref_of(one.object) for one in toll}
        changes += (*toll, *told_why(pod, "NodeMaintenance", "The node's maintenance window is open", now))
        changes.append(Delete(ref_of(pod), uid=pod.metadata.uid))
    return Plan(tuple(changes), RETRY_SECONDS if is_held else None)


def _goes(pod: Pod) -> bool:
    owner = controller_of(pod)
    going = pod.metadata.deletion_timestamp is not None or podstate.ended(pod)
    return not going and owner is not None and owner.kind != "DaemonSet"


CONTROLLER = Controller("nodemaintenance", concerns, reconcile)
