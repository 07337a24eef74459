"""The reconciler's side of the MQTT link: assignments out, reports in, for as long as there is a broker.

A connection begins by asking what the broker retains; a message to itself, which comes after all of that, says
that the asking is over. From then on the broker is kept equal to what the cluster wants, and every message of a
node goes into the cluster. When the connection is lost nothing is remembered of the broker: it may have
forgotten, too.
"""

import asyncio
import contextlib
import logging
import math
import random
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial

import aiomqtt
import msgspec

from reconciler.addresspools import Pool
from reconciler.link.fanout import Fanout
from reconciler.link.inbox import Inbox
from reconciler.link.leases import Leases
from reconciler.link.outbound import Outbound
from reconciler.link.retained import DIGEST
from reconciler.link.rpc import Rpc
from reconciler.link.tokens import Minter, PodTokens
from reconciler.store.cluster import Cluster
from reconciler.store.view import Event
from schemas.configuration import BadConfiguration, BrokerAddress
from schemas.core.node import Node
from schemas.daemon import heed_cancellation
from schemas.messages import (
    LEASE_ASKED,
    VERSION,
    BadMessage,
    MetricsBatch,
    Topics,
    reconciler_online,
    rpc_id,
    split_topic,
)
from schemas.network import network_digest

log = logging.getLogger(__name__)

CLIENT_LOG = logging.getLogger("reconciler.link.mqtt")
CLIENT_LOG.setLevel(logging.CRITICAL)  # it tells calls that were cancelled as errors; what fails is raised, too

REPORTS = ("status", "status/pods/+", "online", "events", "metrics", "rpc/+/up", LEASE_ASKED)
FENCE_SECONDS = 30.0
GOODBYE_SECONDS = 1.0
MAX_RETRY_SECONDS = 30.0
REFUSED = (134, 135)
"""Reason codes of a broker that does not let us in."""
MAX_OUTSTANDING = 500
STEADY_SECONDS = 30.0
"""A connection that held for so long was a good one: the next attempt does not wait longer than the first."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    broker: BrokerAddress
    cluster: str = "default"
    node_grace_seconds: float = 40.0
    """A node that is not heard of within this time of the link's start is not there."""
    pools: tuple[Pool, ...] = ()
    """Of addresses that nodes answer for."""


class Statistics(msgspec.Struct, frozen=True):
    connected: bool
    connections: int
    published: int
    received: int
    malformed: int
    refused: int
    resends: int
    unacknowledged: int


class Link:
    """`run` it for as long as the reconciler lives. `usage` is the newest of the metrics of each node."""

    def __init__(
        self, cluster: Cluster, settings: Settings, *, clock: Callable[[], datetime], minter: Minter | None = None
    ) -> None:
        """`minter` signs the tokens of pods; without one they get none."""
        self._cluster, self._settings = cluster, settings
        self._url = settings.broker.shown()
        self._root = f"wherry/{VERSION}/{settings.cluster}"
        self._fence = f"{self._root}/reconciler/fence"
        self._network = network_digest(settings.cluster)
        self._inbox = Inbox(cluster, clock, self._presence_changed, self._acknowledged, self._clear)
        self._outbound = Outbound(
            cluster.cache,
            lambda: (cluster.store.id, cluster.store.revision),
            self._inbox.online.get,
            partial(PodTokens, cluster.cache, minter, clock) if minter is not None else None,
        )
        self._fanout = Fanout(cluster.cache, lambda: (cluster.store.id, cluster.store.revision), settings.pools)
        self.leases = Leases(cluster.cache, self._outbound.told)
        self._outbound.settled = self.leases.settle
        self.rpc = Rpc(self._inbox.online.get)
        self._saying: set[asyncio.Task[None]] = set()
        self._connection: _Connection | None = None
        self._judge: asyncio.TimerHandle | None = None
        self._connections = self._published = self._received = 0

    @property
    def usage(self) -> Mapping[str, MetricsBatch]:
        return self._inbox.usage

    def present(self, node: str) -> bool:
        """Whether the node can be reached now, as far as is known."""
        return self._connection is not None and bool(self._inbox.online.get(node))

    def statistics(self) -> Statistics:
        return Statistics(
            connected=self._connection is not None,
            connections=self._connections,
            published=self._published,
            received=self._received,
            malformed=self._inbox.malformed,
            refused=self._inbox.refused,
            resends=self._outbound.resends,
            unacknowledged=self._outbound.unacknowledged(),
        )

    async def run(self) -> None:
        """Until cancelled. Whatever befalls the broker, it is tried again."""
        unsubscribe = self._cluster.cache.subscribe(self._changed)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._inbox.run(), name="link-inbox")
                tasks.create_task(self._outbound.run(), name="link-outbound")
                tasks.create_task(self._fanout.run(), name="link-fanout")
                tasks.create_task(self._stay_connected(), name="link-connection")
        finally:
            unsubscribe()

    async def _stay_connected(self) -> None:
        attempt = 0
        while True:
            began = asyncio.get_running_loop().time()
            try:
                await asyncio.create_task(self._connected_once(), name="link-connected")
            except* (aiomqtt.MqttError, OSError, BadConfiguration) as lost:
                log.warning("no link to the broker url=%s error=%s", self._url, _reason(lost))
            heed_cancellation()
            held = asyncio.get_running_loop().time() - began
            attempt = 0 if held > STEADY_SECONDS else attempt + 1
            await asyncio.sleep(min(MAX_RETRY_SECONDS, 2.0 ** (attempt - 1)) * random.uniform(0.5, 1))

    async def _connected_once(self) -> None:
        async with _client(self._settings) as client, asyncio.TaskGroup() as tasks:
            connection, caught_up = _Connection(client), asyncio.Event()
            try:
                tasks.create_task(connection.run(), name="link-send")
                tasks.create_task(self._receive(client, caught_up), name="link-receive")
                await self._catch_up(client, caught_up)
                self._begin(connection)
                self.leases.begin(partial(self._say_in_call, client), lambda: tasks.create_task(self._prove(client)))
                self.rpc.begin(partial(self._say_in_call, client))
                await asyncio.Event().wait()  # ends with the failure of one of the tasks, or from outside
            except asyncio.CancelledError:
                await self._say_goodbye(client)
                raise
            finally:
                self.rpc.end()
                self.leases.end()
                self._end()

    async def _prove(self, client: aiomqtt.Client) -> None:
        """Learns that the connection holds: what the broker acknowledges was sent before it took us for gone."""
        sent = time.monotonic()
        await client.publish(self._fence, b"1", qos=1, timeout=math.inf)
        self.leases.proved(sent)

    async def _say_goodbye(self, client: aiomqtt.Client) -> None:
        """Who leaves in good order has no last will, and the agents have to end what was open."""
        with contextlib.suppress(aiomqtt.MqttError):
            topic = reconciler_online(self._settings.cluster)
            await client.publish(topic, b"0", qos=1, retain=True, timeout=GOODBYE_SECONDS)

    def _say_in_call(self, client: aiomqtt.Client, node: str, rest: str, payload: bytes) -> None:
        """In the order of the calls, and not behind assignments: each stream keeps to its window."""
        publishing = client.publish(
            f"{Topics(self._settings.cluster, node).root}/{rest}", payload, qos=1, timeout=math.inf
        )
        task = asyncio.get_running_loop().create_task(publishing, name="link-rpc")
        self._saying.add(task)
        task.add_done_callback(self._said_in_call)

    def _said_in_call(self, task: "asyncio.Task[None]") -> None:
        self._saying.discard(task)
        if not task.cancelled():
            task.exception()  # that the link is lost, which the task that reads tells as well

    async def _catch_up(self, client: aiomqtt.Client, caught_up: asyncio.Event) -> None:
        """Subscribes, and waits until the broker has said what it retains.

        That is asked for with QoS 0: of QoS 1, Mosquitto queues 1,000 messages for a client and drops the others
        (its `max_queued_messages`; 0 takes the limit away).
        """
        nodes = f"{self._root}/nodes/+"
        for topic in (self._fence, *(f"{nodes}/{rest}" for rest in REPORTS)):
            await _subscribe(client, topic, 1)
        everything = (f"{nodes}/#", f"{self._network}/#")
        for topic in everything:
            await _subscribe(client, topic, 0)
        await client.publish(self._fence, b"1", qos=1)
        try:
            async with asyncio.timeout(FENCE_SECONDS):
                await caught_up.wait()
        except TimeoutError:
            log.warning("the broker does not send back what was published; allow it topic=%s", self._fence)
        for topic in everything:
            await client.unsubscribe(topic)

    def _begin(self, connection: "_Connection") -> None:
        log.info("link to the broker is up url=%s", self._url)
        self._connection = connection
        self._connections += 1
        self._outbound.begin(self._publish, connection.room)
        self._fanout.begin(self._publish_network, connection.room)
        self._inbox.connected()
        connection.publish(reconciler_online(self._settings.cluster), b"1")
        self._judge_later()

    def _end(self) -> None:
        if self._judge is not None:
            self._judge.cancel()
            self._judge = None
        self._connection = None
        self._outbound.end()
        self._fanout.end()
        self._inbox.disconnected()

    async def _receive(self, client: aiomqtt.Client, caught_up: asyncio.Event) -> None:
        async for message in client.messages:
            self._received += 1
            if message.topic.value == self._fence:
                caught_up.set()
            elif message.topic.value == self._network or message.topic.value.startswith(self._network + "/"):
                if message.retain:
                    self._fanout.learn(message.topic.value[len(self._network) + 1 :], message.payload)
            elif split := split_topic(message.topic.value):
                _, node, rest = split
                if (call := rpc_id(rest, "up")) is not None:
                    self.rpc.said(node, call, message.payload)
                    continue
                if rest == LEASE_ASKED:
                    self._lease_asked(node, message.payload)
                    continue
                if rest == "online" and not message.retain:
                    self.rpc.node_spoke(node)
                if rest != DIGEST and not rest.startswith(DIGEST + "/"):
                    self._inbox.put(node, rest, message.payload)
                elif message.retain:
                    self._outbound.learn(node, rest, message.payload)

    def _changed(self, events: Sequence[Event]) -> None:
        self._outbound.events(events)
        self._fanout.events(events)
        self._inbox.events(events)
        self.leases.events(events)
        if any(event.old is None and isinstance(event.new, Node) for event in events):
            self._judge_later()

    def _lease_asked(self, node: str, payload: bytes) -> None:
        try:
            self.leases.asked(node, payload)
        except BadMessage as error:
            log.warning("dropped a request for a lease that is none node=%s error=%s", node, error)

    def _presence_changed(self, node: str) -> None:
        self._outbound.presence_changed(node)

    def _acknowledged(self, node: str, store: str, revision: int) -> None:
        self._outbound.acknowledged(node, store, revision)

    def _judge_later(self) -> None:
        if self._judge is None and self._connection is not None:
            loop = asyncio.get_running_loop()
            self._judge = loop.call_later(self._settings.node_grace_seconds, self._judge_silent_nodes)

    def _judge_silent_nodes(self) -> None:
        self._judge = None
        names = {node.metadata.name for node in self._cluster.cache.list(Node)} | self._outbound.nodes()
        self._inbox.absent(sorted(names - self._inbox.online.keys()))

    def _clear(self, node: str, rest: str) -> None:
        self._publish(node, rest, b"")

    def _publish(self, node: str, rest: str, payload: bytes) -> None:
        if self._connection is not None:
            self._published += 1
            self._connection.publish(f"{Topics(self._settings.cluster, node).root}/{rest}", payload)

    def _publish_network(self, key: str, payload: bytes) -> None:
        if self._connection is not None:
            self._published += 1
            self._connection.publish(f"{self._network}/{key}" if key else self._network, payload)


class _Connection:
    """Publishes in order, without waiting for each acknowledgement, and with a bound on those outstanding."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self._client = client
        self._waiting: deque[tuple[str, bytes]] = deque()
        self._outstanding = 0
        self._over = False
        self._work, self._has_room = asyncio.Event(), asyncio.Event()
        self._has_room.set()

    def publish(self, topic: str, payload: bytes) -> None:
        if not self._over:
            self._waiting.append((topic, payload))
            self._work.set()
            self._has_room.clear()

    async def room(self) -> None:
        """Returns when all is on its way, or the connection is over: a slow broker shall not fill the memory."""
        if not self._over:
            await self._has_room.wait()

    async def run(self) -> None:
        try:
            async with asyncio.TaskGroup() as sending:
                while True:
                    await self._work.wait()
                    self._work.clear()
                    while self._waiting and self._outstanding < MAX_OUTSTANDING:
                        self._outstanding += 1
                        sending.create_task(self._send(*self._waiting.popleft()), name="link-publish")
                    if not self._waiting:
                        self._has_room.set()
        finally:
            self._over = True
            self._has_room.set()

    async def _send(self, topic: str, payload: bytes) -> None:
        # No time limit: on a slow link that would only mean to begin anew. Keepalive finds a dead one.
        await self._client.publish(topic, payload, qos=1, retain=True, timeout=math.inf)
        self._outstanding -= 1
        if self._waiting:
            self._work.set()


def _client(settings: Settings) -> aiomqtt.Client:
    broker = settings.broker
    endpoint = broker.endpoint()
    client = aiomqtt.Client(
        endpoint.host,
        endpoint.port,
        username=endpoint.username or None,
        password=endpoint.password or None,
        identifier=f"wherry-{settings.cluster}-reconciler",
        logger=CLIENT_LOG,
        socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],  # or each message waits 40 ms for the last
        clean_session=True,
        protocol=aiomqtt.ProtocolVersion.V311,
        keepalive=broker.keepalive_seconds,
        will=aiomqtt.Will(reconciler_online(settings.cluster), b"0", qos=1, retain=True),
        tls_context=ssl.create_default_context(cafile=broker.ca_file) if endpoint.tls else None,
    )
    client.pending_calls_threshold = MAX_OUTSTANDING * 2  # it logs each call above this
    return client


async def _subscribe(client: aiomqtt.Client, topic: str, qos: int) -> None:
    granted = await client.subscribe(topic, qos=qos)
    for code in granted:
        if not isinstance(code, int) and code.is_failure:
            log.error("the broker refuses a subscription; allow it for this user topic=%s", topic)


def _reason(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, aiomqtt.MqttCodeError) and getattr(error.rc, "value", 0) in REFUSED:
        return "the broker refuses user name or password: check broker.username and broker.passwordFile"
    return str(error) or repr(error)
