"""Preemption: who would have to leave which node for a pod that no node can take.

https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/. The fewest and lowest victims:
all that are less important leave in thought, then as many as can stay are let stay, those first whose
PodDisruptionBudget would be broken, the most important ones before the others.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from schemas.core.pod import Pod
from schemas.selectors import matches
from tests.oracles.scheduler.reference.demands import Demands
from tests.oracles.scheduler.reference.matching import picks_everything
from tests.oracles.scheduler.reference.refusals import Refusal
from tests.oracles.scheduler.reference.verdict import Decision, counted, refusal
from tests.oracles.scheduler.reference.world import Key, World, key_of

_HELPLESS = "Preemption is not helpful for scheduling"
_NOBODY = "No preemption victims found for incoming pod"
_WAITS = "not eligible due to a terminating pod on the nominated node."
_LATEST = datetime.max.replace(tzinfo=UTC)


class Candidate(NamedTuple):
    node: str
    victims: Sequence[Pod]
    broken: int
    """Victims whose budget is broken."""


def preempted(asked: Demands, refused: Mapping[str, Refusal], world: World) -> Decision:
    """The decision about a pod that all nodes refuse."""
    pod, number = asked.pod, len(world.nodes)
    head = counted(number, Counter(reason for one in refused.values() for reason in one.reasons))
    if why_not := _not_eligible(pod, refused, world):
        kept = world.nominated.get(key_of(pod)) if why_not == _WAITS else None
        waits = _unschedulable(f"{head} preemption: {why_not}", refused)
        return waits._replace(nominated=kept.node) if kept is not None else waits
    candidates, useless = [], Counter[str]()
    for name, why in refused.items():
        found = _HELPLESS if why.lasting else dry_run(asked, name, world)
        if isinstance(found, Candidate):
            candidates.append(found)
        else:
            useless.update((found,) if isinstance(found, str) else found.reasons)
    if not candidates:
        return _unschedulable(f"{head} preemption: {counted(number, useless)}", refused)
    best = min(candidates, key=lambda one: (_order(one), one.node))
    leaving = {"/".join(key_of(one)) for one in best.victims if one.metadata.deletion_timestamp is None}
    return Decision(
        reason="Unschedulable", message=head, nominated=best.node, victims=frozenset(leaving), refusals=refused
    )


def _not_eligible(pod: Pod, refused: Mapping[str, Refusal], world: World) -> str:
    """A pod that has made others leave a node waits for them, unless it could not go there any more."""
    if pod.spec.preemption_policy == "Never":
        return "not eligible due to preemptionPolicy=Never."
    kept = world.nominated.get(key_of(pod))
    if kept is None or kept.node not in refused or refused[kept.node].lasting:
        return ""
    ours = pod.spec.priority or 0
    if any((one.pod.spec.priority or 0) < ours and _preempted(one.pod) for one in world.on(kept.node)):
        return _WAITS
    return ""


def _preempted(pod: Pod) -> bool:
    told = next((one for one in pod.status.conditions if one.type == "DisruptionTarget"), None)
    return (
        pod.metadata.deletion_timestamp is not None
        and told is not None
        and (told.status, told.reason) == ("True", "PreemptionByScheduler")
    )


def _unschedulable(message: str, refused: Mapping[str, Refusal]) -> Decision:
    return Decision(reason="Unschedulable", message=message, refusals=refused)


def dry_run(asked: Demands, node: str, world: World) -> Candidate | Refusal | str:
    """Who would leave the node, or why that would not help."""
    ours = asked.pod.spec.priority or 0
    lesser = sorted((one for one in world.on(node) if (one.pod.spec.priority or 0) < ours), key=_importance)
    if not lesser:
        return _NOBODY
    staying = {key: one for key, one in world.pods.items() if one not in lesser}
    if (why := refusal(asked, node, world.with_pods(staying))) is not None:
        return why
    broken = _breaking(lesser, world)
    victims, count = [], 0
    for one in [*(one for one in lesser if one in broken), *(one for one in lesser if one not in broken)]:
        staying[key_of(one.pod)] = one
        if refusal(asked, node, world.with_pods(staying)) is not None:
            del staying[key_of(one.pod)]
            victims.append(one)
            count += one in broken
    return Candidate(node, [one.pod for one in sorted(victims, key=_importance)], count)


def _importance(one: Demands) -> tuple[int, datetime, Key]:
    """Higher priority, then the longer run. Which of two that are equal in both is open, here the first by name."""
    return -(one.pod.spec.priority or 0), one.pod.status.start_time or _LATEST, key_of(one.pod)


def _breaking(pods: Sequence[Demands], world: World) -> list[Demands]:
    """Those whose budget does not allow that they leave together with the ones before them."""
    allowed = {id(budget): budget.status.disruptions_allowed for budget in world.budgets.values()}
    found = []
    for one in pods:
        broken = False
        for budget in world.budgets.values():
            selector, metadata = budget.spec.selector, one.pod.metadata
            if budget.metadata.namespace != metadata.namespace or not metadata.labels or picks_everything(selector):
                continue
            if not matches(selector, metadata.labels) or metadata.name in budget.status.disrupted_pods:
                continue
            allowed[id(budget)] -= 1
            broken = broken or allowed[id(budget)] < 0
        if broken:
            found.append(one)
    return found


def _order(one: Candidate) -> tuple[int, int, int, int, float]:
    """The least is chosen. Which of equal ones is open, here the first by name."""
    if not one.victims:
        return one.broken, -(2**31), 0, 0, 0.0
    priorities = [pod.spec.priority or 0 for pod in one.victims]
    first = min(pod.status.start_time or _LATEST for pod in one.victims if (pod.spec.priority or 0) == max(priorities))
    return (
        one.broken,
        max(priorities),
        sum(priority + 2**31 for priority in priorities),
        len(priorities),
        -first.timestamp(),
    )
