"""What the agent has to say, until the broker has it: of each pod the newest report, and events counted up.

Nothing here waits or fails. Reports are kept even when they are sent, for a new connection begins by saying
everything again; events are kept until they are sent, and there are never more than `MAX_EVENTS`.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta

import msgspec
from msgspec import structs

from schemas.core.node import NodeStatus, Taint
from schemas.messages import Digest, EventBatch, MetricsBatch, NodeEvent, NodeReport, PodReport, encode

MAX_EVENTS = 200
EVENT_LIFETIME = timedelta(hours=1)
"""As long as the cluster keeps Events."""
STATUS = "status"
PODS = "status/pods/"
EVENTS = "events"
METRICS = "metrics"
ONLINE = "online"

EventKey = tuple[str, str, str, str, str]


class Outgoing(msgspec.Struct, frozen=True):
    """One message; `rest` is the topic below the node's own, `events` what it tells of."""

    rest: str
    payload: bytes
    retain: bool = True
    events: tuple[NodeEvent, ...] = ()


class Outbox:
    """`wake` is called when there is something to send, `wake_later` when there are events, which may gather."""

    def __init__(
        self, epoch: int, clock: Callable[[], datetime], wake: Callable[[], None], wake_later: Callable[[], None]
    ) -> None:
        self.epoch, self._clock = epoch, clock
        self.pods: dict[str, PodReport] = {}
        self._wake, self._wake_later = wake, wake_later
        self._node: NodeReport | None = None
        self._applied = Digest(store="", revision=0)
        self._discarded: tuple[str, ...] = ()
        self._images: dict[str, str] | None = None
        self._public_key = ""
        self._unsent: dict[str, None] = {}
        self._metrics: MetricsBatch | None = None
        self._events: dict[EventKey, NodeEvent] = {}
        self._unsent_events: dict[EventKey, None] = {}

    @property
    def backlog(self) -> int:
        return len(self._unsent) + len(self._unsent_events)

    def node(self, status: NodeStatus, labels: dict[str, str], taints: tuple[Taint, ...], version: str) -> None:
        """The node as it is. Sent if it is another than before; a condition's times alone make no other."""
        report = NodeReport(
            epoch=self.epoch,
            sent_at=self._node.sent_at if self._node else self._clock(),
            status=_timeless(status),
            labels=labels,
            taints=taints,
            agent_version=version,
        )
        if report != self._node:
            self._node = report
            self._send(STATUS)

    def discarded(self, volumes: tuple[str, ...]) -> None:
        """Of which volumes, that the digest tells to discard, nothing is left."""
        if volumes != self._discarded:
            self._discarded = volumes
            self._send(STATUS)

    def images(self, states: Mapping[str, str]) -> None:
        """How the images stand that are to be here before their pods."""
        if states != self._images:
            self._images = dict(states)
            self._send(STATUS)

    def public_key(self, key: str) -> None:
        """Of the node's WireGuard device."""
        self._public_key = key
        self._send(STATUS)

    def applied(self, digest: Digest) -> None:
        """Every body of this digest is on the node's disk. Said again where it was said before."""
        self._applied = digest
        self._send(STATUS)

    def pod(self, uid: str, report: PodReport) -> None:
        if self.pods.get(uid) != report:
            self.pods[uid] = report
            self._send(PODS + uid)

    def forget(self, uid: str) -> None:
        """Clears the report of this pod, whether it is of this life of the agent or of an earlier one."""
        self.pods.pop(uid, None)
        self._send(PODS + uid)

    def metrics(self, batch: MetricsBatch) -> None:
        self._metrics = batch
        self._send(METRICS)

    def event(self, event: NodeEvent) -> None:
        """Counted up with its equals, for as long as those are remembered."""
        key = (event.uid or event.pod, event.field_path, event.type, event.reason, event.message)
        known = self._events.pop(key, None)
        if known is not None:
            event = structs.replace(event, first=known.first, count=known.count + event.count)
        self._events[key] = event
        self._unsent_events.pop(key, None)
        self._unsent_events[key] = None
        if len(self._events) > MAX_EVENTS:
            oldest = next(iter(self._events))
            del self._events[oldest]
            self._unsent_events.pop(oldest, None)
        self._wake_later()

    def events_again(self) -> None:
        """A reconciler begins to listen: all that happened of late. The counts are sums, so nothing counts twice."""
        oldest = self._clock() - EVENT_LIFETIME
        self._unsent_events = {key: None for key, event in self._events.items() if event.last > oldest}
        if self._unsent_events:
            self._wake_later()

    def say_online(self) -> None:
        """Somebody said that this node is gone; what it reported may be gone from the broker as well."""
        self._send(ONLINE)
        self.everything()

    def everything(self) -> None:
        """A new connection: nothing that was sent before need have arrived."""
        self._metrics = None
        others = (rest for rest in self._unsent if rest != METRICS)
        self._unsent = dict.fromkeys([STATUS, *(PODS + uid for uid in self.pods), *others])
        self._wake()

    def take(self) -> Iterator[Outgoing]:
        """What is unsent, in the order in which it came about; it counts as sent from then on."""
        while self._unsent:
            rest = next(iter(self._unsent))
            del self._unsent[rest]
            message = self._message(rest)
            if message is not None:
                yield message

    def take_events(self) -> Outgoing | None:
        """The events that are unsent. `keep` them if they do not arrive."""
        if not self._unsent_events:
            return None
        events = tuple(self._events[key] for key in self._unsent_events)
        self._unsent_events.clear()
        return Outgoing(EVENTS, encode(EventBatch(self.epoch, events)), retain=False, events=events)

    def keep(self, message: Outgoing) -> None:
        """The broker may not have got these events; what has been counted since then includes them."""
        for event in message.events:
            key = (event.uid or event.pod, event.field_path, event.type, event.reason, event.message)
            if key in self._events:
                self._unsent_events.setdefault(key, None)

    def _message(self, rest: str) -> Outgoing | None:
        if rest == STATUS:
            if self._node is None:
                return None
            applied = self._applied
            report = structs.replace(
                self._node,
                sent_at=self._clock(),
                applied_store=applied.store,
                applied_revision=applied.revision,
                discarded=self._discarded,
                images=self._images,
                public_key=self._public_key,
            )
            return Outgoing(rest, encode(report))
        if rest == ONLINE:
            return Outgoing(rest, b"1")
        if rest == METRICS:
            return Outgoing(rest, encode(self._metrics), retain=False) if self._metrics else None
        report_of_pod = self.pods.get(rest.removeprefix(PODS))
        return Outgoing(rest, encode(report_of_pod) if report_of_pod else b"")

    def _send(self, rest: str) -> None:
        self._unsent[rest] = None
        self._wake()


def _timeless(status: NodeStatus) -> NodeStatus:
    """The reconciler keeps the times: a node's clock may be wrong, and a heartbeat is no news."""
    conditions = (
        structs.replace(condition, last_heartbeat_time=None, last_transition_time=None)
        for condition in status.conditions
    )
    return structs.replace(status, conditions=tuple(conditions))
