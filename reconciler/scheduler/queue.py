"""Which pods wait for a node, in which order, and what may help those that found none.

Pure. Pods come by priority, then by age, then by namespace and by what they belong to: the names of pods are made by
chance, and chance must not decide about nodes. A pod that fits nowhere rests until a node appears or goes (its
message counts them), or a change helps it (`waking`). One that was looked at in vain before waits ever longer until it
is looked at again.
"""

import heapq
import math
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from msgspec import structs

from reconciler.scheduler import hints
from reconciler.scheduler.decision import Decision
from reconciler.scheduler.podclass import key_of
from reconciler.scheduler.profile import PLAIN, Profile
from reconciler.scheduler.snapshot import Snapshot
from reconciler.scheduler.waking import Helping, News, Resting
from reconciler.store.view import Event
from schemas.core.config import Namespace
from schemas.core.node import Node
from schemas.core.persistence import PersistentVolume, PersistentVolumeClaim
from schemas.core.pod import Pod
from schemas.meta import Ref, controller_of, ref_of
from schemas.storage import StorageClass

OUR_NAMES = ("", "default-scheduler")
FIRST_BACK_OFF, LONGEST_BACK_OFF = 0.25, 10.0
"""Seconds before the second and any further look at a pod; the first after a change is at once."""
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
    """The pods without a node, and the snapshot against which they are judged. Times are seconds of any clock."""

    def __init__(self, snapshot: Snapshot, profile: Profile = PLAIN) -> None:
        self.snapshot, self.profile = snapshot, profile
        self._heap: list[_Order] = []
        self._active: set[Ref] = set()
        self._resting: dict[Ref, Resting] = {}
        self._tries: dict[Ref, tuple[int, float]] = {}
        self._later: list[tuple[float, Ref, Pod]] = []
        self._waiting: dict[Ref, float] = {}
        self._freed: set[str] = set()

    def __len__(self) -> int:
        return len(self._active)

    @property
    def resting(self) -> int:
        """How many pods fit nowhere at present."""
        return len(self._resting) + len(self._waiting)

    @property
    def due(self) -> float | None:
        """When the next pod's back-off is over."""
        return self._later[0][0] if self._later else None

    def take_in(self, events: Iterable[Event], now: float = 0.0) -> None:
        """Brings snapshot and queue up to date."""
        for _ in self.taking_in(events, now):
            pass

    def taking_in(self, events: Iterable[Event], now: float = 0.0) -> Iterator[None]:
        """The same in small steps. Between them the pods that could be helped are not all queued yet."""
        news = News(plugins=hints.ROOM if self._freed else hints.NONE, nodes=self._freed)
        self._freed = set()
        for event in events:
            self._note(event, news)
            if event.new is not None:
                self.snapshot.put(event.new)
            else:
                self.snapshot.drop(event.object)
        if self._resting and (news.everywhere or news.plugins):
            yield from self._waking(news, now)

    def _note(self, event: Event, news: News) -> None:
        object_ = event.object
        if isinstance(object_, Pod):
            old, new = event.old, event.new
            assert old is None or isinstance(old, Pod)
            assert new is None or isinstance(new, Pod)
            if self._resting and (concerned := hints.of_pod(old, new)):
                news.plugins |= concerned
                news.nodes |= {one.spec.node_name or one.status.nominated_node_name for one in (old, new) if one}
            self._pod(old, new)
        elif isinstance(object_, Node):
            if isinstance(event.old, Node) and isinstance(event.new, Node):
                if concerned := hints.of_node(event.old, event.new):
                    news.plugins |= concerned
                    news.nodes.add(object_.metadata.name)
            else:
                news.everywhere = True
        elif isinstance(object_, Namespace):
            news.plugins |= hints.NAMESPACES
        elif isinstance(object_, PersistentVolumeClaim):
            news.plugins |= hints.STORAGE
            news.claims.add((object_.metadata.namespace, object_.metadata.name))
        elif isinstance(object_, PersistentVolume | StorageClass):
            news.plugins |= hints.STORAGE
            news.any_claim = True

    def _pod(self, old: Pod | None, new: Pod | None) -> None:
        pod = new or old
        assert pod is not None
        ref = ref_of(pod)
        if new is None or not to_be_scheduled(new):
            self._active.discard(ref)
            self._tries.pop(ref, None)
            self._resting.pop(ref, None)
            self._waiting.pop(ref, None)
        elif old is None or _asks_otherwise(old, new):
            self._resting.pop(ref, None)
            self._waiting.pop(ref, None)
            self.add(new)
        elif ref in self._resting:
            kept = self._resting[ref]
            self._resting[ref] = structs.replace(kept, pod=new)

    def add(self, pod: Pod) -> None:
        """The pod is to be looked at."""
        ref = ref_of(pod)
        if ref not in self._active:
            self._active.add(ref)
            heapq.heappush(self._heap, _order(pod, ref))

    def take(self, now: float = math.inf) -> Ref | None:
        """The next pod, or None. It is no longer queued. By default no back-off is waited for."""
        while self._later and self._later[0][0] <= now:
            at, ref, pod = heapq.heappop(self._later)
            if self._waiting.get(ref) == at:
                del self._waiting[ref]
                self.add(pod)
        while self._heap:
            ref = heapq.heappop(self._heap)[-1]
            if ref in self._active:
                self._active.discard(ref)
                return ref
        return None

    def freed(self, node: str) -> None:
        """A pod that counted there is not to go there after all, of which no event will tell."""
        self._freed.add(node)

    def rest(self, pod: Pod, decision: Decision | None = None, now: float = 0.0) -> None:
        """The pod fits nowhere, or waits for what is to be done before it can be bound."""
        ref = ref_of(pod)
        tries = self._tries.get(ref, (0, 0.0))[0] + 1
        pause = 0.0 if tries == 1 else min(LONGEST_BACK_OFF, FIRST_BACK_OFF * 2.0 ** min(tries - 2, 10))
        self._tries[ref] = tries, now + pause
        blocked_by = decision.blocked_by if decision is not None else frozenset[str]()
        held = (decision.node or decision.nominated_node) if decision is not None else ""
        if decision is not None and decision.waits:
            blocked_by = hints.STORAGE
        tried_in_vain = decision.tried_in_vain if decision is not None else frozenset[str]()
        self._resting[ref] = Resting(pod, key_of(pod, pod.spec.node_name), blocked_by, held, tried_in_vain)

    def _waking(self, news: News, now: float) -> Iterator[None]:
        """Looks at one resting pod at each step."""
        helping = Helping(news, self.snapshot, self.profile)
        for ref, one in tuple(self._resting.items()):
            found = helping.judge(one)
            if found.comes:
                del self._resting[ref]
                self._later_or_now(ref, one.pod, now)
            elif not found.refusing <= one.blocked_by:
                self._resting[ref] = structs.replace(one, blocked_by=one.blocked_by | found.refusing)
            yield

    def _later_or_now(self, ref: Ref, pod: Pod, now: float) -> None:
        at = self._tries.get(ref, (0, 0.0))[1]
        if at <= now:
            self.add(pod)
        else:
            self._waiting[ref] = at
            heapq.heappush(self._later, (at, ref, pod))


def _order(pod: Pod, ref: Ref) -> _Order:
    created, owner = pod.metadata.creation_timestamp or _UNDATED, controller_of(pod)
    return -(pod.spec.priority or 0), created, ref.namespace, owner.name if owner else ref.name, ref


def _asks_otherwise(old: Pod, new: Pod) -> bool:
    if old.metadata.uid != new.metadata.uid:
        return True
    return (old.spec is not new.spec and old.spec != new.spec) or old.metadata.labels != new.metadata.labels
