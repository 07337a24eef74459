"""Preemption: which less important pods would have to end for a pod to fit, and where that costs least.

https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/. On a node, all less important pods are
thought away; then as many as possible are kept, those first whose budgets would be broken, then the more important. The
node is taken that breaks the fewest budgets, whose most important victim is the least important, whose victims'
priorities add up to the least, whose victims are the fewest, and among the most important of them have run for the
shortest; then the first by name.

Every node is considered. A bound on what a node could cost, known without looking at its filters, says when no node
that is left can be better.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from reconciler.scheduler import messages
from reconciler.scheduler.localchecks import Said
from reconciler.scheduler.nodeinfo import Bound, NodeInfo, PlacedPod
from reconciler.scheduler.podclass import PodClass
from reconciler.scheduler.snapshot import Snapshot
from reconciler.scheduler.standing import Standing
from schemas import selectors
from schemas.core.pod import Pod

_OFFSET = 1 << 31
"""Added to each priority, so that a sum of several negative ones is not less than that of one."""
_UNSTARTED = float("inf")

Cost = tuple[int, int, int, int, float, int]
"""Budgets broken, highest priority, sum of priorities, number of victims, minus the earliest start, rank."""


class Preemption(msgspec.Struct, frozen=True):
    """A node and who has to go, or (without a node) what the message says of it."""

    node: str = ""
    victims: tuple[Pod, ...] = ()
    message: str = ""
    refused_by: frozenset[str] = frozenset()


def preempt(pod: Pod, standing: Standing, snapshot: Snapshot, refused: Sequence[tuple[NodeInfo, Said]]) -> Preemption:
    """The cheapest way to make room."""
    reasons: Counter[str] = Counter()
    helpful: list[NodeInfo] = []
    priority = standing.asked.priority
    for info, said in refused:
        if said.refusal.lasting:
            reasons[messages.NOT_HELPFUL] += 1
        elif min(info.priorities, default=priority) >= priority:
            reasons[messages.NO_VICTIMS] += 1
        else:
            helpful.append(info)
    best: tuple[Cost, NodeInfo, list[PlacedPod]] | None = None
    refused_by: set[str] = set()
    for bound, info in sorted([(_bound(info, standing.asked), info) for info in helpful], key=_first):
        if best is not None and best[0] < bound:
            break
        found = _Trial(pod, info, standing, snapshot).victims()
        if isinstance(found, Said):
            reasons.update(found.refusal.reasons)
            refused_by.add(found.plugin)
            continue
        victims, broken = found
        cost = _cost(victims, broken, info)
        if best is None or cost < best[0]:
            best = cost, info, victims
    if best is None:
        message = messages.unavailable(len(snapshot.nodes), reasons)
        return Preemption(message=message, refused_by=frozenset(refused_by))
    _, info, victims = best
    return Preemption(info.name, tuple(one.pod for one in victims if one.pod.metadata.deletion_timestamp is None))


def _first(pair: tuple[Cost, NodeInfo]) -> Cost:
    return pair[0]


def started(pod: Pod) -> float:
    return pod.status.start_time.timestamp() if pod.status.start_time is not None else _UNSTARTED


def _lower(info: NodeInfo, standing: Standing) -> Iterator[PlacedPod]:
    priority = standing.asked.priority
    return (one for one in info.pods.values() if one.asked.priority < priority)


def _bound(info: NodeInfo, asked: PodClass) -> Cost:
    """What room on the node costs at least: so many victims, one of them at least of such a priority."""
    kept = info.bound
    if kept is None or kept.priority != asked.priority:
        kept = info.bound = _bounded(info, asked.priority)
    # Of what the pod does not ask for there may be less than nothing.
    cpu = asked.cpu - info.free_cpu if asked.cpu else 0
    memory = asked.memory - info.free_memory if asked.memory else 0
    number = max(1, _shares(cpu, kept.largest[0]), _shares(memory, kept.largest[1]))
    highest = kept.levels[-1][0]
    for priority, of_cpu, of_memory in kept.levels:
        if of_cpu >= cpu and of_memory >= memory:
            highest = priority
            break
    cheapest = kept.priorities[: number - 1]
    total = sum(cheapest) + max(highest, kept.priorities[min(number, len(kept.priorities)) - 1]) + number * _OFFSET
    return 0, highest, total, number, -kept.latest, info.rank


def _bounded(info: NodeInfo, priority: int) -> Bound:
    lesser = sorted((one for one in info.pods.values() if one.asked.priority < priority), key=_priority)
    levels: list[tuple[int, int, int]] = []
    cpu = memory = 0
    for one in lesser:
        cpu, memory = cpu + one.asked.cpu, memory + one.asked.memory
        if levels and levels[-1][0] == one.asked.priority:
            levels.pop()
        levels.append((one.asked.priority, cpu, memory))
    largest = max(one.asked.cpu for one in lesser), max(one.asked.memory for one in lesser)
    priorities = tuple(one.asked.priority for one in lesser)
    return Bound(priority, priorities, tuple(levels), max(started(one.pod) for one in lesser), largest)


def _priority(one: PlacedPod) -> int:
    return one.asked.priority


def _shares(missing: int, largest: int) -> int:
    """How many pods of that size have to go for so much to be free."""
    return -(-missing // largest) if missing > 0 and largest else 0


def _cost(victims: Sequence[PlacedPod], broken: int, info: NodeInfo) -> Cost:
    if not victims:
        return 0, -_OFFSET, 0, 0, -_UNSTARTED, info.rank
    highest = max(one.asked.priority for one in victims)
    earliest = min(started(one.pod) for one in victims if one.asked.priority == highest)
    total = sum(one.asked.priority + _OFFSET for one in victims)
    return broken, highest, total, len(victims), -earliest, info.rank


def _importance(one: PlacedPod) -> tuple[int, float, str, str]:
    """The most important first: by priority, then by how long they have run."""
    return -one.asked.priority, started(one.pod), one.pod.metadata.namespace, one.pod.metadata.name


class _Trial:
    """One node, tried out on a copy."""

    def __init__(self, pod: Pod, info: NodeInfo, standing: Standing, snapshot: Snapshot) -> None:
        self._standing, self._snapshot = standing, snapshot
        self._info = info.copy()
        self._change: Counter[PodClass] = Counter()
        self._beside = [
            (other, asked)
            for other, asked in info.nominated.values()
            if asked.priority >= standing.asked.priority and other.metadata.uid != pod.metadata.uid
        ]
        self._candidates = sorted(_lower(info, standing), key=_importance)

    def victims(self) -> tuple[list[PlacedPod], int] | Said:
        """Who has to go and how many of them break a budget, or why the pod would not fit all the same."""
        for one in self._candidates:
            self._remove(one)
        why = self._refusal()
        if why is not None:
            return why
        breaking, others = self._by_budgets()
        broken = [one for one in breaking if not self._keeps(one)]
        return sorted([*broken, *(one for one in others if not self._keeps(one))], key=_importance), len(broken)

    def _remove(self, one: PlacedPod) -> None:
        self._info.drop(one.pod.metadata.uid)
        self._change[one.asked] -= 1

    def _return(self, one: PlacedPod) -> None:
        self._info.put(one)
        self._change[one.asked] += 1

    def _keeps(self, one: PlacedPod) -> bool:
        self._return(one)
        if self._refusal() is None:
            return True
        self._remove(one)
        return False

    def _refusal(self) -> Said | None:
        """With the pods that are nominated to the node, and, as these may go elsewhere, without them."""
        if self._beside:
            crowded, change = self._info.copy(), self._change.copy()
            for other, asked in self._beside:
                crowded.add(other, asked)
                change[asked] += 1
            why = self._standing.refusal_if(crowded, change)
            if why is not None:
                return why
        return self._standing.refusal_if(self._info, self._change)

    def _by_budgets(self) -> tuple[list[PlacedPod], list[PlacedPod]]:
        """Those whose end would break a budget if all ended, and the others."""
        left = {key: budget.status.disruptions_allowed for key, budget in self._snapshot.budgets.items()}
        breaking: list[PlacedPod] = []
        others: list[PlacedPod] = []
        for one in self._candidates:
            broken = False
            for key in self._budgets_of(one.pod):
                left[key] -= 1
                broken = broken or left[key] < 0
            (breaking if broken else others).append(one)
        return breaking, others

    def _budgets_of(self, pod: Pod) -> Iterable[tuple[str, str]]:
        metadata = pod.metadata
        for key, budget in self._snapshot.budgets.items():
            selector = budget.spec.selector
            if key[0] != metadata.namespace or not metadata.labels or selector is None:
                continue
            if not selector.match_labels and not selector.match_expressions:
                continue
            if metadata.name not in budget.status.disrupted_pods and selectors.matches(selector, metadata.labels):
                yield key
