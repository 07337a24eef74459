"""Gathers what the nodes say and brings it into the cluster, all that has arrived in one commit.

Reports state how things are, so of each only the newest matters; a report that cannot be used yet (of a pod
that the cluster does not know) is kept for a while and then cleared from the broker.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import TypeVar

from msgspec import structs

from reconciler.link.inbound import event_changes, node_changes, pod_changes
from reconciler.store.changes import Change, ChangeError, Conflict, Update, UpdateStatus
from reconciler.store.cluster import Cluster
from reconciler.store.interface import StoreError
from reconciler.store.view import Event
from schemas.core.node import Node
from schemas.core.pod import Pod
from schemas.messages import BadMessage, EventBatch, MetricsBatch, NodeReport, PodReport, decode

log = logging.getLogger(__name__)

ORPHAN_SECONDS = 60.0
"""For so long a report of an unknown pod stays on the broker: its agent clears it earlier, if it lives."""
MAX_BATCH = 200
MAX_EVENT_BATCHES = 1000
ATTEMPTS = 3
RETRY_SECONDS = 1.0
PODS = "status/pods/"

T = TypeVar("T")
Unit = Callable[[], Sequence[Change]]
"""What one object has to become, asked of the cluster as it is at the time."""


class Inbox:
    """`presence` and `acknowledged` are called for each node of which that is news."""

    def __init__(
        self,
        cluster: Cluster,
        clock: Callable[[], datetime],
        presence: Callable[[str], None],
        acknowledged: Callable[[str, str, int], None],
        clear: Callable[[str, str], None],
    ) -> None:
        self._cluster, self._clock = cluster, clock
        self._presence, self._acknowledged, self._clear = presence, acknowledged, clear
        self._arrived: dict[tuple[str, str], bytes] = {}
        self._batches: list[tuple[str, bytes]] = []
        self._again: dict[tuple[str, str], None] = {}
        self._wake = asyncio.Event()
        self._nodes: dict[str, NodeReport] = {}
        self._epochs: dict[str, int] = {}
        self._waiting: dict[str, tuple[str, PodReport]] = {}
        self._removed: dict[str, tuple[str, PodReport]] = {}
        self._complained: set[str] = set()
        self.online: dict[str, bool] = {}
        self.usage: dict[str, MetricsBatch] = {}
        self.malformed = 0
        self.refused = 0

    def put(self, node: str, rest: str, payload: bytes) -> None:
        """A message of a node; an empty payload is a topic that was cleared."""
        if rest == "events":
            if len(self._batches) < MAX_EVENT_BATCHES:
                self._batches.append((node, payload))
        else:
            self._arrived[node, rest] = payload
        self._wake.set()

    def events(self, events: Sequence[Event]) -> None:
        """A listener of the cache: what concerns a report that waits for it."""
        for event in events:
            object_ = event.object
            if isinstance(object_, Node) and event.type != "MODIFIED":
                self._look_again(object_.metadata.name, "status")
                self._forget_if_deleted(object_.metadata.name)
            elif isinstance(object_, Pod):
                self._pod_changed(object_, event.new is None)

    def _pod_changed(self, pod: Pod, deleted: bool) -> None:
        uid = pod.metadata.uid
        if deleted:
            self._removed.pop(uid, None)
        elif uid in self._waiting or (uid in self._removed and pod.metadata.deletion_timestamp):
            self._look_again(pod.spec.node_name, PODS + uid)

    def absent(self, nodes: Sequence[str]) -> None:
        """These should have been heard of by now."""
        for node in nodes:
            self.put(node, "online", b"0")

    def connected(self) -> None:
        """Topics can be cleared from now on."""
        for node in [node for node, online in self.online.items() if not online]:
            self._forget_if_deleted(node)

    def disconnected(self) -> None:
        """Without a link no node is judged."""
        self.online.clear()
        self._arrived.clear()

    async def run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._arrived or self._batches or self._again:
                await self._take_in(self._next_batch())

    def _next_batch(self) -> list[Unit]:
        """What has arrived, as work on distinct objects: first the nodes, for they tell which epoch is the newest."""
        arrived = [key for key, _ in zip(self._arrived, range(MAX_BATCH), strict=False)]
        touched = dict.fromkeys([*sorted(arrived, key=lambda key: key[1].startswith(PODS)), *self._again])
        self._again.clear()
        units: dict[tuple[str, str], Unit] = {}
        for node, rest in touched:
            payload = self._arrived.pop((node, rest), None)
            unit = self._unit(node, rest, payload)
            if unit is not None:
                units[node, "status" if rest == "online" else rest] = unit
        for index, (node, payload) in enumerate(self._batches):
            batch = self._decoded(node, "events", payload, EventBatch)
            if batch is not None and self._is_current(node, batch.epoch):
                units[node, f"events/{index}"] = partial(event_changes, node, batch, self._cluster.cache)
        self._batches.clear()
        return list(units.values())

    def _unit(self, node: str, rest: str, payload: bytes | None) -> Unit | None:
        """What this message asks for, as a question that can be put again; None where it asks for nothing."""
        if rest.startswith(PODS):
            return self._pod_unit(node, rest.removeprefix(PODS), payload)
        if rest == "metrics":
            batch = self._decoded(node, rest, payload, MetricsBatch)
            if batch is not None and self._is_current(node, batch.epoch):
                self.usage[node] = batch
            return None
        if rest == "online":
            self._set_online(node, payload)
        elif rest == "status":
            report = self._decoded(node, rest, payload, NodeReport)
            if report is not None and self._is_current(node, report.epoch):
                self._nodes[node] = report
                self._acknowledged(node, report.applied_store, report.applied_revision)
        else:
            return None
        return lambda: node_changes(
            node, self._nodes.get(node), self.online.get(node), self._cluster.cache, self._clock()
        )

    def _pod_unit(self, node: str, uid: str, payload: bytes | None) -> Unit | None:
        report = self._decoded(node, PODS + uid, payload, PodReport)
        if payload == b"":
            self._waiting.pop(uid, None)
            self._removed.pop(uid, None)
            return None
        if report is None:
            kept = self._waiting.get(uid) or self._removed.get(uid)
            if kept is None or kept[0] != node:
                return None
            report = kept[1]
        if not self._is_current(node, report.epoch):
            return None
        return lambda: self._pod_changes(node, uid, report)

    def _pod_changes(self, node: str, uid: str, report: PodReport) -> Sequence[Change]:
        changes = pod_changes(uid, node, report, self._cluster.cache)
        if changes is None:
            if uid not in self._waiting:
                asyncio.get_running_loop().call_later(ORPHAN_SECONDS, self._clear_orphan, node, uid)
            self._waiting[uid] = (node, report)
            return ()
        self._waiting.pop(uid, None)
        if report.removed:
            self._removed[uid] = (node, report)
        else:
            self._removed.pop(uid, None)
        return changes

    async def _take_in(self, units: Sequence[Unit]) -> None:
        changes = [change for unit in units for change in unit()]
        if not changes:
            return
        try:
            await self._cluster.apply(changes)
        except (ChangeError, StoreError):
            for unit in units:
                await self._take_in_one(unit)

    async def _take_in_one(self, unit: Unit) -> None:
        conflicts = 0
        while changes := unit():
            if conflicts == ATTEMPTS:  # somebody writes all the time; what the node says is true whatever that is
                changes = [_unconditional(change) for change in changes]
            try:
                await self._cluster.apply(changes)
                return
            except ChangeError as error:
                conflicts += 1
                if conflicts > ATTEMPTS or not isinstance(error, Conflict):
                    self.refused += 1
                    log.warning("report of a node was refused object=%s error=%s", error.ref, error)
                    return
            except StoreError as error:  # a full disk, say: what the node said still holds when it is over
                log.error("report of a node cannot be stored, trying again error=%s", error)
                await asyncio.sleep(RETRY_SECONDS)

    def _set_online(self, node: str, payload: bytes | None) -> None:
        if payload in (b"0", b"1"):
            now_online = payload == b"1"
            if self.online.get(node) != now_online:
                log.info("node is %s node=%s", "connected" if now_online else "not connected", node)
            self.online[node] = now_online
        elif payload == b"":
            self.online.pop(node, None)
        elif payload is not None:
            self._complain(node, "online", "expected 0 or 1")
        self._forget_if_deleted(node)
        self._presence(node)

    def _is_current(self, node: str, epoch: int) -> bool:
        """Whether this is of the newest life of the agent that is known of."""
        newest = self._epochs[node] = max(epoch, self._epochs.get(node, 0))
        return epoch == newest

    def _decoded(self, node: str, rest: str, payload: bytes | None, type_: type[T]) -> T | None:
        if not payload:
            return None
        try:
            return decode(payload, type_)
        except BadMessage as error:
            self._complain(node, rest, str(error))
            return None

    def _complain(self, node: str, rest: str, error: str) -> None:
        self.malformed += 1
        topic = f"{node}/{rest}"
        if topic not in self._complained and len(self._complained) < MAX_EVENT_BATCHES:
            self._complained.add(topic)
            log.warning("dropped a message that is not what its topic promises topic=%s error=%s", topic, error)

    def _look_again(self, node: str, rest: str) -> None:
        self._again[node, rest] = None
        self._wake.set()

    def _clear_orphan(self, node: str, uid: str) -> None:
        if self._waiting.pop(uid, None) is not None:
            log.info("clearing the report of a pod that the cluster does not know node=%s uid=%s", node, uid)
            self._clear(node, PODS + uid)

    def _forget_if_deleted(self, node: str) -> None:
        """A Node that was deleted while its machine is away shall not come back by its own last words."""
        if self.online.get(node) is False and self._cluster.cache.get(Node, "", node) is None:
            for kept in (self._nodes, self._epochs, self.usage):
                kept.pop(node, None)
            self._clear(node, "status")
            self._clear(node, "online")


def _unconditional(change: Change) -> Change:
    """The same change to whatever version of the object there is."""
    if not isinstance(change, Update | UpdateStatus):
        return change
    metadata = structs.replace(change.object.metadata, resource_version="")
    return structs.replace(change, object=structs.replace(change.object, metadata=metadata))
