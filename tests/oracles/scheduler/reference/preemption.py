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
from tests.oracles.scheduler.reference.world import World, key_of

_HELPLESS = "Preemption is not helpful for scheduling"
_NOBODY = "No preemption victims found for incoming pod"
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
    if pod.spec.preemption_policy == "Never":
        return _unschedulable(f"{head} preemption: not eligible due to preemptionPolicy=Never.", refused)
    candidates, useless = [], Counter[str]()
    for name, why in refused.items():
        found = _HELPLESS if why.lasting else dry_run(asked, name, world)
        if isinstance(found, Candidate):
            candidates.append(found)
        else:
            useless.update((found,) if isinstance(found, str) else found.reasons)
    if not candidates:
        return _unschedulable(f"{head} preemption: {counted(number, useless)}", refused)
    best = min(candidates, key=_order)
    leaving = {"/".join(key_of(one)) for one in best.victims if one.metadata.deletion_timestamp is None}
    return Decision(
        reason="Unschedulable", message=head, nominated=best.node, victims=frozenset(leaving), refusals=refused
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


def _importance(one: Demands) -> tuple[int, datetime]:
    return -(one.pod.spec.priority or 0), one.pod.status.start_time or _LATEST


def _breaking(pods: Sequence[Demands], world: World) -> list[Demands]:
    """Those whose budget does not allow that they leave together with the ones before them."""
    allowed = {id(budget): budget.status.disruptions_allowed for budget in world.budgets}
    found = []
    for one in pods:
        broken = False
        for budget in world.budgets:
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
    """The least is chosen; after all equal it is open which."""
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
