"""Which pods wait for a node, in which order, and what may help those that found none.

Pure. Pods come by priority, then by age, then by namespace and by what they belong to: the names of pods are made by
chance, and chance must not decide about nodes. A pod that fits nowhere rests until a node appears or goes (its
message counts them), or one changes or loses a pod so that it would now take this one.
"""

import heapq
from collections.abc import Iterable
from datetime import UTC, datetime

from reconciler.scheduler.filters import Question, question, refusal
from reconciler.scheduler.snapshot import Snapshot
from reconciler.store.view import Event
from schemas.core.node import Node
from schemas.core.pod import Pod
from schemas.meta import Ref, controller_of, ref_of

OUR_NAMES = ("", "default-scheduler")
_Order = tuple[int, datetime, str, str, Ref]
_UNDATED = datetime.max.replace(tzinfo=UTC)


def to_be_scheduled(pod: Pod) -> bool:
    """Ours to place: without a node, neither ended nor ending."""
    return (
        not pod.spec.node_name
        and pod.metadata.deletion_timestamp is None
        and pod.status.phase not in ("Succeeded", "Failed")
        and pod.spec.scheduler_name in OUR_NAMES
    )


class PendingPods:
    """The pods without a node, and the snapshot against which they are judged."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._heap: list[_Order] = []
        self._active: set[Ref] = set()
        self._resting: dict[Ref, Question] = {}

    def __len__(self) -> int:
        return len(self._active)

    @property
    def resting(self) -> int:
        """How many pods fit nowhere at present."""
        return len(self._resting)

    def take_in(self, events: Iterable[Event]) -> None:
        """Brings snapshot and queue up to date."""
        changed: set[str] = set()
        everywhere = False
        for event in events:
            if isinstance(event.object, Pod):
                changed |= _freed(event)
                self._pod(event)
            elif isinstance(event.object, Node):
                if event.old is None or event.new is None:
                    everywhere = True
                elif _other_conditions(event.old, event.new):
                    changed.add(event.object.metadata.name)
            if event.new is not None:
                self.snapshot.put(event.new)
            else:
                self.snapshot.drop(event.object)
        self._wake(changed, everywhere=everywhere)

    def _pod(self, event: Event) -> None:
        pod = event.object
        assert isinstance(pod, Pod)
        ref = ref_of(pod)
        if event.new is None or not to_be_scheduled(pod):
            self._active.discard(ref)
            self._resting.pop(ref, None)
        elif event.old is None or _asks_otherwise(event.old, event.new):
            self._resting.pop(ref, None)
            self.add(pod)

    def add(self, pod: Pod) -> None:
        """The pod is to be looked at."""
        ref = ref_of(pod)
        if ref not in self._active:
            self._active.add(ref)
            heapq.heappush(self._heap, _order(pod, ref))

    def take(self) -> Ref | None:
        """The next pod, or None. It is no longer queued."""
        while self._heap:
            ref = heapq.heappop(self._heap)[-1]
            if ref in self._active:
                self._active.discard(ref)
                return ref
        return None

    def rest(self, pod: Pod) -> None:
        """The pod fits nowhere."""
        self._resting[ref_of(pod)] = question(pod)

    def _wake(self, changed: Iterable[str], *, everywhere: bool) -> None:
        if not self._resting:
            return
        nodes = [self.snapshot.nodes[name] for name in changed if name in self.snapshot.nodes]
        for ref, asked in tuple(self._resting.items()):
            if everywhere or any(refusal(asked, info) is None for info in nodes):
                del self._resting[ref]
                self.add(asked.pod)


def _order(pod: Pod, ref: Ref) -> _Order:
    created, owner = pod.metadata.creation_timestamp or _UNDATED, controller_of(pod)
    return -(pod.spec.priority or 0), created, ref.namespace, owner.name if owner else ref.name, ref


def _freed(event: Event) -> set[str]:
    """The node on which the event has made room."""
    old, new = event.old, event.new
    if not isinstance(old, Pod) or not old.spec.node_name:
        return set()
    gone = not isinstance(new, Pod) or new.status.phase in ("Succeeded", "Failed") or new.spec != old.spec
    return {old.spec.node_name} if gone else set()


def _other_conditions(old: object, new: object) -> bool:
    """Whether a node has changed in what decides where pods may run."""
    assert isinstance(old, Node)
    assert isinstance(new, Node)
    return (
        old.spec != new.spec
        or old.metadata.labels != new.metadata.labels
        or old.status.allocatable != new.status.allocatable
    )


def _asks_otherwise(old: object, new: object) -> bool:
    assert isinstance(old, Pod)
    assert isinstance(new, Pod)
    return old.spec != new.spec or old.metadata.labels != new.metadata.labels or old.metadata.uid != new.metadata.uid
