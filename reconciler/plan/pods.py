"""Which pods start, stop, restart or move: pods before and after, told apart by what they belong to.

Pure. The names of pods say nothing, for they are made anew. A pod that is in both is kept (or started anew in its
place, where its containers change); of the others of one workload, one that goes and one that comes on the same node
are a restart, on different nodes a move, and what is left over stops or starts.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from reconciler.controllers import podstate
from reconciler.plan.nodes import waits_for
from reconciler.plan.outcome import Pending, PodChange, Verb
from reconciler.scheduler.binding import SCHEDULED
from reconciler.store.view import View
from schemas import conditions
from schemas.core.pod import Pod
from schemas.meta import Object, Ref, controller_of, ref_of


class Fate(NamedTuple):
    """Where a pod runs, and what. `node` is empty for one that does not run, be it bound or not."""

    node: str
    images: tuple[str, ...]


def by_workload(view: View) -> dict[Ref, list[Pod]]:
    """The pods that have not ended and are not ending, by what they belong to in the end."""
    found: dict[Ref, list[Pod]] = {}
    tops: dict[str, Ref] = {}
    for pod in view.list(Pod):
        if podstate.active(pod):
            owner = controller_of(pod)
            uid = owner.uid if owner is not None else pod.metadata.uid
            if uid not in tops:
                tops[uid] = ref_of(top(pod, view))
            found.setdefault(tops[uid], []).append(pod)
    return found


def top(object_: Object, view: View) -> Object:
    """The Deployment of a pod, say; the object itself where nobody owns it."""
    while (owner := controller_of(object_)) is not None:
        found = view.find(Ref(owner.kind, object_.metadata.namespace, owner.name))
        if found is None or found.metadata.uid != owner.uid:
            break
        object_ = found
    return object_


def fate(pod: Pod) -> Fate:
    node = "" if idle_for(pod) else pod.spec.node_name
    return Fate(node, tuple(one.image for one in pod.spec.containers))


def changes(before: Sequence[Pod], after: Sequence[Pod]) -> tuple[PodChange, ...]:
    """What happens to the pods of one workload, equal ones counted."""
    old = {pod.metadata.uid: pod for pod in before}
    new = {pod.metadata.uid: pod for pod in after}
    counted: Counter[tuple[Verb, str, str, tuple[str, ...]]] = Counter()
    for uid in sorted(old.keys() & new.keys()):
        was, now = fate(old[uid]), fate(new[uid])
        if bool(was.node) != bool(now.node):
            counted["start" if now.node else "stop", now.node or was.node, "", now.images] += 1
        elif now.node and was.images != now.images:
            counted["restart", now.node, "", now.images] += 1
    goes = sorted(fate(pod) for uid, pod in old.items() if uid not in new)
    comes = sorted(fate(pod) for uid, pod in new.items() if uid not in old)
    counted.update(_paired(goes, comes))
    told = (
        PodChange(verb=verb, count=count, node=node, from_node=origin, images=images)
        for (verb, node, origin, images), count in counted.items()
    )
    return tuple(sorted(told, key=lambda one: (_ORDER[one.verb], one.images, one.node, one.from_node)))


_ORDER: dict[Verb, int] = {"restart": 0, "move": 1, "start": 2, "stop": 3}


def _paired(goes: list[Fate], comes: list[Fate]) -> Iterator[tuple[Verb, str, str, tuple[str, ...]]]:
    """Same nodes first, then the others in the order of their names; what does not run is no event."""
    for one in tuple(comes):
        same = next((other for other in goes if other.node == one.node), None)
        if same is not None:
            goes.remove(same)
            comes.remove(one)
            if one.node:
                yield "restart", one.node, "", one.images
    origins = [one for one in goes if one.node]
    targets = [one for one in comes if one.node]
    for origin, target in zip(origins, targets, strict=False):
        yield "move", target.node, origin.node, target.images
    for target in targets[len(origins) :]:
        yield "start", target.node, "", target.images
    for origin in origins[len(targets) :]:
        yield "stop", origin.node, "", origin.images


def pending(before: Sequence[Pod], after: Sequence[Pod]) -> tuple[Pending, ...]:
    """The pods that do not run in the end, by reason."""
    known = Counter(reason for pod in before if (reason := idle_for(pod)))
    found = Counter(reason for pod in after if (reason := idle_for(pod)))
    return tuple(
        Pending(count=count, reason=reason, is_new=count > known[reason]) for reason, count in sorted(found.items())
    )


def idle_for(pod: Pod) -> str:
    """Why the pod has not started; empty for one that has."""
    if pod.status.phase not in ("", "Pending"):
        return ""
    placed = conditions.find(pod.status.conditions, SCHEDULED)
    if placed is not None and placed.status == "False":
        return placed.message or placed.reason
    if not pod.spec.node_name:
        return f"it waits for the scheduler {pod.spec.scheduler_name}, which is not Wherry's"
    return waits_for(pod) or f"node {pod.spec.node_name} does not report"


def ready(pods: Iterable[Pod]) -> int:
    return sum(map(podstate.ready, pods))


def ready_by_workload(view: View) -> Mapping[Ref, int]:
    return {ref: ready(pods) for ref, pods in by_workload(view).items()}
