"""DaemonSet: one pod on every node that may have one.

Which nodes these are, `daemonpods` asks the scheduler's filters; the scheduler itself binds the pods. How an update
goes over the nodes is in `daemonrollout`. A pod on a node that is away stays, and is looked after when it returns.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec import structs

from reconciler.admission.ahead import ahead
from reconciler.controllers import daemoncalm, imagewait, podstate
from reconciler.controllers.daemoncalm import Calm
from reconciler.controllers.daemonpods import Fitness, by_node, failures, fitness, is_new, new_pod, node_of, replaced_in
from reconciler.controllers.daemonrollout import allows_surge, rollout
from reconciler.controllers.history import POD_LABEL, History, forgotten, history
from reconciler.controllers.interface import NOTHING, Controller, Plan
from reconciler.controllers.ownership import claim, keepers
from reconciler.controllers.podnames import free_name, free_suffixes
from reconciler.controllers.replicaset import REFUSED_SECONDS
from reconciler.store.changes import Change, Create, Delete, Emit, UpdateStatus
from reconciler.store.view import Event, View
from schemas import selectors
from schemas.apps import ControllerRevision, DaemonSet, DaemonSetStatus
from schemas.core.node import Node
from schemas.core.pod import Pod
from schemas.meta import Ref, ref_of

COMPONENT = "daemonset-controller"
BURST = 250
"""Pods that one plan creates or deletes at most; the rest follow in the next."""


def concerns(event: Event, view: View) -> Iterable[Ref]:
    """The set itself; for a pod or revision its set, or those that might adopt it; for a node that is another, all."""
    if isinstance(event.object, DaemonSet):
        return () if event.new is None else (ref_of(event.new),)
    if isinstance(event.object, Node):
        if _is_another(event):
            return tuple(map(ref_of, view.list(DaemonSet)))
        return imagewait.owners(event, "DaemonSet", view)
    if not isinstance(event.object, Pod | ControllerRevision):
        return ()
    return keepers(event, DaemonSet, view, lambda one, labels: selectors.matches(one.spec.selector, labels))


def _is_another(event: Event) -> bool:
    """Whether the node has come or gone, or takes other pods than before."""
    old, new = event.old, event.new
    if not isinstance(old, Node) or not isinstance(new, Node):
        return True
    return old.spec != new.spec or old.metadata.labels != new.metadata.labels


class _Found(msgspec.Struct, frozen=True):
    """What there is: nodes that are calm, with those of their pods that are old, and of all others fitness and pods."""

    owner: DaemonSet
    calm: Calm
    waiting: Sequence[Pod]
    nodes: Mapping[str, Fitness]
    pods: Mapping[str, Sequence[Pod]]
    hash: str
    now: datetime

    @property
    def desired(self) -> int:
        return len(self.calm.pods) + sum(fit.runs for fit in self.nodes.values())


def reconcile(ref: Ref, view: View, now: datetime) -> Plan:
    owner = view.get(DaemonSet, ref.namespace, ref.name)
    if owner is None or owner.metadata.deletion_timestamp is not None:
        daemoncalm.forget(ref)
        return NOTHING
    known = daemoncalm.calm(owner, view)
    claimed = claim(owner, owner.spec.selector, Pod, view, there=known.others)
    past = history(owner, POD_LABEL, view)
    judge = fitness(owner)
    hash_ = past.present.metadata.labels.get(POD_LABEL, "")
    found = _Found(
        owner,
        known,
        known.old(hash_),
        {node.metadata.name: judge(node) for node in view.list(Node) if node.metadata.name not in known.pods},
        by_node(pod for pod in claimed.owned if not (podstate.ended(pod) and pod.metadata.deletion_timestamp)),
        hash_,
        now,
    )
    daemoncalm.remember(owner, known, found.nodes, found.pods, now, view)
    created, deleted = _decided(found, lambda pod: imagewait.awaited(pod, owner.spec.template, view) != "")
    pods, refusal = ahead(tuple(_new_pods(found, dict([*created.items()][:BURST]), view)), view)
    changes: list[Change] = [*claimed.changes, *past.changes]
    for pod in deleted[:BURST]:
        if not is_new(pod, hash_):
            changes += imagewait.given_up(owner, pod, owner.spec.template, view, COMPONENT)
    changes += _deletions(owner, deleted[:BURST])
    changes += _creations(owner, pods, refusal)
    changes += _forgotten(past, (*claimed.owned, *known.pods.values()), owner)
    status = _status(found, past.collisions, {node_of(pod) for pod in pods})
    if status != owner.status:
        # Counts follow from the pods at any time: they need not be on disk.
        durable = status.collision_count != owner.status.collision_count
        changes.append(UpdateStatus(structs.replace(owner, status=status), durable=durable))
    return Plan(tuple(changes), REFUSED_SECONDS if refusal else _look_again_in(found))


def _decided(found: _Found, awaits: Callable[[Pod], bool]) -> tuple[dict[str, int], list[Pod]]:
    """Nodes that get a pod, with the number of those that have failed there, and pods that go."""
    created = {name: 0 for name, fit in found.nodes.items() if fit.runs and name not in found.pods}
    deleted = [pod for name in found.pods for pod in _superfluous(found, name)]
    for pod in deleted:
        node = node_of(pod)
        if podstate.ended(pod) and len(found.pods[node]) == 1 and node in found.nodes and found.nodes[node].runs:
            created[node] = failures(pod, found.now) + 1
    if created or deleted or _has_lost_pods(found):
        return created, deleted
    here = {name: pods for name, pods in found.pods.items() if name in found.nodes}
    step = rollout(found.owner, here, found.waiting, found.hash, found.desired, found.now, awaits)
    useless = [name for name in step.surged if name in found.nodes and not found.nodes[name].runs]
    deleted = [*step.deleted, *(pod for name in useless for pod in found.pods[name])]
    return {name: 0 for name in step.surged if name not in useless}, deleted


def _has_lost_pods(found: _Found) -> bool:
    """Whether a pod is on a node that is no more: an update goes on once it has been cleared away."""
    return any(
        pod.metadata.deletion_timestamp is None for name in found.pods.keys() - found.nodes for pod in found.pods[name]
    )


def _superfluous(found: _Found, node: str) -> Iterable[Pod]:
    """Pods of a node that have ended, are too many there, or may not be there."""
    fit = found.nodes.get(node)
    staying = [pod for pod in found.pods[node] if pod.metadata.deletion_timestamp is None]
    if fit is None:
        return [pod for pod in staying if not pod.spec.node_name]  # Pods that ran there are garbage: `podgc`.
    if not fit.stays:
        return staying
    running = [pod for pod in staying if not podstate.ended(pod)]
    ended = [pod for pod in staying if podstate.ended(pod) and replaced_in(pod, found.now) == 0]
    surplus = _surplus(found, running) if allows_surge(found.owner) else running[1:]
    return [*ended, *surplus]


def _surplus(found: _Found, running: Sequence[Pod]) -> list[Pod]:
    """Of several pods in an update with surge, all but the oldest new one, and the oldest old one while it serves."""
    new = [pod for pod in running if is_new(pod, found.hash)]
    old = [pod for pod in running if not is_new(pod, found.hash)]
    surplus = [*new[1:], *old[1:]]
    if new and old:
        available = podstate.available(new[0], found.owner.spec.min_ready_seconds, found.now)
        if available or not podstate.ready(old[0]):
            surplus.append(old[0])
    return surplus


def _new_pods(found: _Found, nodes: Mapping[str, int], view: View) -> Iterator[Pod]:
    owner, suffixes = found.owner, free_suffixes(found.owner, view)
    for node, failed in nodes.items():
        name = free_name(f"{owner.metadata.name}-", owner.metadata.namespace, suffixes, view)
        yield new_pod(owner, found.hash, node, name, failed)


def _creations(owner: DaemonSet, pods: Sequence[Pod], refusal: str) -> Iterator[Change]:
    for pod in pods:
        yield Create(pod)
        yield Emit(owner, "Normal", "SuccessfulCreate", f"Created pod: {pod.metadata.name}", COMPONENT)
    if refusal:
        yield Emit(owner, "Warning", "FailedCreate", f"Error creating: {refusal}", COMPONENT)


def _deletions(owner: DaemonSet, pods: Sequence[Pod]) -> Iterator[Change]:
    for pod in pods:
        name = pod.metadata.name
        if podstate.ended(pod):
            what, doing = ("failed", "kill") if pod.status.phase == "Failed" else ("succeeded", "delete")
            where = f"{pod.metadata.namespace}/{name} on node {node_of(pod)}"
            text = f"Found {what} daemon pod {where}, will try to {doing} it"
            reason = f"{what.capitalize()}DaemonPod"
            yield Emit(owner, "Warning" if what == "failed" else "Normal", reason, text, COMPONENT)
        yield Delete(ref_of(pod), uid=pod.metadata.uid)
        yield Emit(owner, "Normal", "SuccessfulDelete", f"Deleted pod: {name}", COMPONENT)


def _status(found: _Found, collisions: int | None, created: Collection[str]) -> DaemonSetStatus:
    """The status that follows from the pods as they are after the plan, those that end included."""
    owner, now = found.owner, found.now
    current = ready = available = len(found.calm.pods)
    updated = current - len(found.waiting)
    misscheduled = 0
    for name, fit in found.nodes.items():
        pods = found.pods.get(name, ())
        if not fit.runs:
            misscheduled += bool(pods)
            continue
        current += bool(pods) or name in created
        if not pods:
            updated += name in created
            continue
        ready += podstate.ready(pods[0])
        available += podstate.available(pods[0], owner.spec.min_ready_seconds, now)
        updated += is_new(pods[0], found.hash)
    return structs.replace(
        owner.status,
        collision_count=collisions,
        current_number_scheduled=current,
        desired_number_scheduled=found.desired,
        number_available=available,
        number_misscheduled=misscheduled,
        number_ready=ready,
        number_unavailable=found.desired - available,
        observed_generation=owner.metadata.generation,
        updated_number_scheduled=updated,
    )


def _forgotten(past: History, pods: Sequence[Pod], owner: DaemonSet) -> Sequence[Change]:
    """Old revisions beyond the limit; what a pod is of stays in any case."""
    limit = owner.spec.revision_history_limit
    if limit is None:
        return ()
    old = past.revisions[:-1]
    if len(old) <= limit:
        return ()
    live = {pod.metadata.labels.get(POD_LABEL) for pod in pods}
    expendable = [one for one in old if one.metadata.labels.get(POD_LABEL) not in live]
    return forgotten(expendable, max(0, limit - (len(old) - len(expendable))))


def _look_again_in(found: _Found) -> float | None:
    """Seconds until a pod counts as available, or one that has failed may be replaced."""
    seconds = found.owner.spec.min_ready_seconds
    waits = [
        replaced_in(pod, found.now) if podstate.ended(pod) else podstate.available_in(pod, seconds, found.now)
        for pods in found.pods.values()
        for pod in pods
    ]
    return min((wait for wait in waits if wait), default=None)


CONTROLLER = Controller("daemonset", concerns, reconcile)
