"""The scheduler's decision: pods and a snapshot in, for each pod a node or why there is none out.

The whole fleet is considered. Among nodes of equal score the first by name is taken, so that the same cluster gives
the same answer. Pods of one class are answered from one `Standing`, which is kept with the snapshot.
"""

from collections import Counter
from collections.abc import Iterable

from msgspec import structs

from reconciler.scheduler import messages
from reconciler.scheduler.decision import DISRUPTION_TARGET, ERROR, GATED, PREEMPTED, UNSCHEDULABLE, Decision
from reconciler.scheduler.localchecks import Said
from reconciler.scheduler.nodeinfo import NodeInfo
from reconciler.scheduler.plugins import volume_binding
from reconciler.scheduler.podclass import key_of
from reconciler.scheduler.preemption import preempt
from reconciler.scheduler.profile import PLAIN, Profile
from reconciler.scheduler.snapshot import Snapshot
from reconciler.scheduler.standing import Standing
from reconciler.scheduler.storage import SELECTED_NODE
from schemas import conditions
from schemas.core.persistence import PersistentVolume, PersistentVolumeClaim
from schemas.core.pod import Pod
from schemas.core.reference import reference_to
from schemas.meta import Object

_FEWEST_KEPT, _MOST_KEPT, _NODES_KEPT = 16, 256, 150_000
"""Answers kept at a time: fewer on a large fleet, where each is large."""


def schedule(pods: Iterable[Pod], snapshot: Snapshot, profile: Profile = PLAIN) -> list[Decision]:
    """One pod after another; each that finds a node counts there for the next."""
    return [_decide(pod, snapshot, profile) for pod in pods]


def standing_for(pod: Pod, snapshot: Snapshot, profile: Profile) -> Standing:
    """The answer for the pod's class, as it is now."""
    key = key_of(pod, pod.spec.node_name)
    standings = snapshot.standings
    found = standings.pop(key, None)
    if found is None or found.profile is not profile:
        found = Standing(snapshot.class_of(pod, pod.spec.node_name), snapshot, profile)
        most = min(_MOST_KEPT, max(_FEWEST_KEPT, _NODES_KEPT // (len(snapshot.nodes) + 1)))
        while len(standings) >= most:
            del standings[next(iter(standings))]
    else:
        found.update()
    standings[key] = found  # The one used last comes last.
    return found


def _decide(pod: Pod, snapshot: Snapshot, profile: Profile) -> Decision:
    if pod.spec.scheduling_gates:
        return Decision(reason=GATED, message=messages.GATES)
    if not snapshot.nodes:
        return Decision(reason=UNSCHEDULABLE, message=messages.NO_NODES)
    held = snapshot.nominated.get(pod.metadata.uid)
    if held is not None:
        snapshot.withdraw(pod)  # A pod's own nomination is not in its way.
    standing = standing_for(pod, snapshot, profile)
    if held is not None and held.node is not None and standing.takes(held):
        return _placed(pod, held, standing, snapshot)
    best = standing.best()
    if best is not None:
        if standing.fault and standing.choices > 1:
            return Decision(reason=ERROR, message=standing.fault)
        return _placed(pod, best, standing, snapshot)
    decision = _refused(pod, held, standing, snapshot)
    return _nominated(pod, decision, snapshot) if decision.nominated_node else decision


def _nominated(pod: Pod, decision: Decision, snapshot: Snapshot) -> Decision:
    """Holds the place. Less important pods that hold one there may no longer fit beside it, and look elsewhere."""
    name, priority = decision.nominated_node, pod.spec.priority or 0
    there = snapshot.nodes[name].nominated.values()
    displaced = tuple(other for other, asked in there if asked.priority < priority)
    for other in displaced:
        snapshot.withdraw(other)
    snapshot.nominate(pod, name)
    return structs.replace(decision, displaced=displaced) if displaced else decision


def _placed(pod: Pod, info: NodeInfo, standing: Standing, snapshot: Snapshot) -> Decision:
    snapshot.place(pod, info.name, standing.asked)
    if not standing.asked.claims:
        return Decision(info.name)
    plan = volume_binding.plan(standing.asked, info, snapshot.storage)
    if plan is None:
        return Decision(info.name)
    objects = tuple(_written(plan, info))
    for one in objects:
        snapshot.put(one)
    return Decision(info.name, waits=True, objects=objects)


def _written(plan: volume_binding.Plan, info: NodeInfo) -> Iterable[Object]:
    """Volumes that are made out to their claims, and claims that say where a volume is to be made."""
    for claim, volume in plan.bound:
        if volume.spec.claim_ref is None or not volume.spec.claim_ref.uid:
            yield _made_out(volume, claim)
    for claim in plan.made:
        if claim.metadata.annotations.get(SELECTED_NODE) != info.name:
            annotations = {**claim.metadata.annotations, SELECTED_NODE: info.name}
            yield structs.replace(claim, metadata=structs.replace(claim.metadata, annotations=annotations))


def _made_out(volume: PersistentVolume, claim: PersistentVolumeClaim) -> PersistentVolume:
    annotations = {**volume.metadata.annotations, "pv.kubernetes.io/bound-by-controller": "yes"}
    return structs.replace(
        volume,
        metadata=structs.replace(volume.metadata, annotations=annotations),
        spec=structs.replace(volume.spec, claim_ref=reference_to(claim)),
    )


def _refused(pod: Pod, held: NodeInfo | None, standing: Standing, snapshot: Snapshot) -> Decision:
    """Why no node can take the pod, and what preemption does about it."""
    state = (snapshot.generation, snapshot.storage.version)
    if held is None and standing.told is not None and standing.told[0] == state:
        return standing.told[1]
    refused = list(standing.refusals())
    message = unavailable(standing, refused, len(snapshot.nodes))
    blocked_by = frozenset(said.plugin for _, said in refused)
    if pod.spec.preemption_policy == "Never":
        decision = Decision("", UNSCHEDULABLE, f"{message} preemption: {messages.NEVER}", blocked_by=blocked_by)
    elif held is not None and _room_is_made(held, standing, refused):
        text = f"{message} preemption: {messages.BEING_MADE}"
        return Decision("", UNSCHEDULABLE, text, held.name, blocked_by=blocked_by)
    else:
        found = preempt(pod, standing, snapshot, refused)
        if found.node:
            return Decision("", UNSCHEDULABLE, message, found.node, found.victims, blocked_by=blocked_by)
        text = f"{message} preemption: {found.message}"
        decision = Decision("", UNSCHEDULABLE, text, blocked_by=blocked_by, tried_in_vain=found.refused_by)
    standing.told = state, decision
    return decision


def unavailable(standing: Standing, refused: Iterable[tuple[NodeInfo, Said]], nodes: int) -> str:
    """`0/3 nodes are available: …`"""
    if standing.filters.everywhere is not None:
        return messages.everywhere(nodes, standing.filters.everywhere)
    return messages.unavailable(nodes, Counter(reason for _, said in refused for reason in said.refusal.reasons))


def _room_is_made(held: NodeInfo, standing: Standing, refused: Iterable[tuple[NodeInfo, Said]]) -> bool:
    """Whether victims on the node that the pod is nominated to are still ending."""
    if held.node is None or any(info is held and said.refusal.lasting for info, said in refused):
        return False
    priority = standing.asked.priority
    return any(
        one.asked.terminating and one.asked.priority < priority and _was_preempted(one.pod)
        for one in held.pods.values()
    )


def _was_preempted(pod: Pod) -> bool:
    told = conditions.find(pod.status.conditions, DISRUPTION_TARGET)
    return told is not None and (told.status, told.reason) == ("True", PREEMPTED)
