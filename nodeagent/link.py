"""The agent's side of the MQTT link: takes on what the node shall hold, and reports, with a broker or without.

What arrives is accepted, then on disk, then acted on, then acknowledged, in this order. A connection begins by
saying everything again, so that nothing that was lost before matters. The agent runs on whatever it has
accepted for as long as no broker is there.
"""

import asyncio
import contextlib
import logging
import math
import random
import socket
import ssl
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial

import aiomqtt

from nodeagent.accepted import Accepted, accept
from nodeagent.arrivals import Arrivals
from nodeagent.checkpoint import Checkpoint
from nodeagent.config import Config
from nodeagent.lease import Lease
from nodeagent.network.feed import Feed
from nodeagent.outbox import PODS, Outbox, Outgoing
from nodeagent.renewal import Renewal
from nodeagent.rpc.calls import Calls, Serve
from schemas.configuration import BadConfiguration
from schemas.core.node import NodeStatus
from schemas.core.podstatus import PodStatus
from schemas.daemon import heed_cancellation
from schemas.messages import (
    LEASE_GRANTED,
    Assignment,
    BadMessage,
    Digest,
    MetricsBatch,
    NodeEvent,
    PodReport,
    Topics,
    decode,
    reconciler_online,
    rpc_id,
    split_topic,
)
from schemas.messages import Config as ConfigBody
from schemas.network import network_digest

log = logging.getLogger(__name__)

CLIENT_LOG = logging.getLogger("nodeagent.link.mqtt")
CLIENT_LOG.setLevel(logging.CRITICAL)  # it tells calls that were cancelled as errors; what fails is raised, too

DESIRED, DESIRED_PODS, DESIRED_CONFIG = "desired", "desired/pods/", "desired/config/"
ONLINE, OFFLINE = b"1", b"0"
EVENT_SECONDS = 0.25
DISK_RETRY_SECONDS = 5.0
GOODBYE_SECONDS = 1.0
MAX_RETRY_SECONDS = 30.0
REFUSED = (134, 135)
"""Reason codes of a broker that does not let us in."""
STEADY_SECONDS = 30.0
MAX_OUTSTANDING = 100
MAX_COMPLAINTS = 200


class Link:
    """Loads the checkpoint when it is made: `accepted` is what the node holds from the first moment.

    It is the agent's `Reporter`. `run` it for as long as the agent lives.
    """

    def __init__(
        self,
        config: Config,
        checkpoint: Checkpoint,
        *,
        version: str,
        clock: Callable[[], datetime],
        serve: Serve,
        pod_changed: Callable[[str], None],
        lease: Lease,
        network: Feed,
    ) -> None:
        """`serve` does what the reconciler calls for; `pod_changed` is told of each report of a pod."""
        self._config, self._checkpoint, self._version = config, checkpoint, version
        self._url = config.broker.shown()
        self._topics = Topics(config.cluster, config.node)
        self._reconciler = reconciler_online(config.cluster)
        self._network, self._network_topic = network, network_digest(config.cluster)
        self.accepted = checkpoint.load()
        self.connected = False
        self.changed_at = clock()
        """Since when there is a link, or none."""
        self._clock = clock
        self._arrivals = Arrivals()
        self._arrived, self._to_send = asyncio.Event(), asyncio.Event()
        self._outbox = Outbox(checkpoint.next_epoch(), clock, self._to_send.set, self._send_events_soon)
        self._calls, self._pod_changed = Calls(serve), pod_changed
        self._renewal = Renewal(lease, self.epoch, self.accepted)
        self._saying: set[asyncio.Task[None]] = set()
        self._gathering: asyncio.TimerHandle | None = None
        self._events_due = False
        self._expects_leftovers = False
        self._complained: set[str] = set()
        if self.accepted.complete:
            self._outbox.applied(self.accepted.digest)

    @property
    def epoch(self) -> int:
        """Of this life of the agent."""
        return self._outbox.epoch

    @property
    def reports(self) -> dict[str, PodReport]:
        """The newest report of each pod, by uid."""
        return self._outbox.pods

    @property
    def backlog(self) -> int:
        """How many messages wait to be sent."""
        return self._outbox.backlog

    @property
    def calls(self) -> int:
        """How many calls of the reconciler are open."""
        return len(self._calls)

    def node(self, status: NodeStatus, labels: dict[str, str]) -> None:
        """The node as it is now; called as often as one likes, it is reported when it has changed."""
        self._outbox.node(status, labels, self._config.taints, self._version)

    def public_key(self, key: str) -> None:
        """Of the node's WireGuard device, by which the other nodes reach its pods."""
        self._outbox.public_key(key)

    def metrics(self, batch: MetricsBatch) -> None:
        """Sent if there is a link, and else dropped."""
        if self.connected:
            self._outbox.metrics(batch)

    def pod(self, uid: str, generation: int, namespace: str, name: str, status: PodStatus, removed: bool) -> None:
        report = PodReport(
            epoch=self.epoch, generation=generation, namespace=namespace, name=name, status=status, removed=removed
        )
        self._outbox.pod(uid, report)
        self._pod_changed(uid)

    def forget(self, uid: str) -> None:
        self._outbox.forget(uid)
        self._pod_changed(uid)

    def event(self, event: NodeEvent) -> None:
        self._outbox.event(event)

    def images(self, states: Mapping[str, str]) -> None:
        """How the images stand that are to be here before their pods."""
        self._outbox.images(states)

    def discarded(self, volumes: tuple[str, ...]) -> None:
        self._outbox.discarded(volumes)

    async def run(self, on_accepted: Callable[[Accepted], None]) -> None:
        """Until cancelled. Calls `on_accepted` in the loop with each new state, once it is on disk."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._take_on(on_accepted), name="link-accept")
            tasks.create_task(self._stay_connected(), name="link-connection")
            tasks.create_task(self._network.run(), name="link-network")

    async def _take_on(self, on_accepted: Callable[[Accepted], None]) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            old = self.accepted
            new = accept(old, self._arrivals.digest, self._arrivals.pods, self._arrivals.configs)
            if new != old:
                try:
                    await asyncio.to_thread(self._checkpoint.save, new, old)
                except OSError as error:
                    log.error("cannot keep what was accepted, so not acting on it yet error=%s", error)
                    asyncio.get_running_loop().call_later(DISK_RETRY_SECONDS, self._arrived.set)
                    continue
                self.accepted = new
                log.info("accepted revision=%d pods=%d complete=%s", new.digest.revision, len(new.pods), new.complete)
                on_accepted(new)
                self._renewal.accepted(new)
            self._arrivals.taken(new)
            if new.complete and new.digest.store:
                self._outbox.applied(new.digest)

    async def _stay_connected(self) -> None:
        attempt = 0
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                await asyncio.create_task(self._connected_once(), name="link-connected")
            except* (aiomqtt.MqttError, OSError, BadConfiguration) as lost:
                log.warning("no link to the broker url=%s error=%s", self._url, _reason(lost))
            heed_cancellation()
            attempt = 0 if loop.time() - began > STEADY_SECONDS else attempt + 1
            await asyncio.sleep(min(MAX_RETRY_SECONDS, 2.0 ** (attempt - 1)) * random.uniform(0.5, 1))

    async def _connected_once(self) -> None:
        async with self._client() as client:
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._receive(client), name="link-receive")
                    self._calls.begin(partial(self._say_in_call, client))
                    self._network.begin(lambda: tasks.create_task(self._ask_network(client)))
                    await self._introduce(client)
                    tasks.create_task(self._renewal.run(partial(self._ask_lease, client)), name="link-lease")
                    tasks.create_task(self._send(client), name="link-send")
            except asyncio.CancelledError:
                with contextlib.suppress(aiomqtt.MqttError):  # then the last will says it
                    await client.publish(self._topics.online, OFFLINE, qos=1, retain=True, timeout=GOODBYE_SECONDS)
                raise
            finally:
                if self.connected:
                    self.connected, self.changed_at = False, self._clock()
                self._calls.lost()
                self._renewal.lost()
                self._network.end()

    def _say_in_call(self, client: aiomqtt.Client, rest: str, payload: bytes) -> None:
        """In the order of the calls, and not behind what else there is to report: each call keeps to its window."""
        publishing = client.publish(f"{self._topics.root}/{rest}", payload, qos=1, timeout=math.inf)
        task = asyncio.get_running_loop().create_task(publishing, name="link-call")
        self._saying.add(task)
        task.add_done_callback(self._said_in_call)

    def _said_in_call(self, task: "asyncio.Task[None]") -> None:
        self._saying.discard(task)
        if not task.cancelled():
            task.exception()  # that the link is lost, which the task that reads tells as well

    async def _ask_lease(self, client: aiomqtt.Client, payload: bytes) -> None:
        await client.publish(self._topics.lease_asked, payload, qos=1, timeout=math.inf)

    async def _introduce(self, client: aiomqtt.Client) -> None:
        """Subscribes, says that the node is there, and then everything that is known here."""
        topics = self._topics
        self._expects_leftovers = True
        for topic in (
            f"{topics.desired}/#",
            topics.online,
            f"{topics.status}/pods/+",
            self._reconciler,
            topics.rpc_down("+"),
            topics.lease_granted,
        ):
            for code in await client.subscribe(topic, qos=1):
                if not isinstance(code, int) and code.is_failure:
                    log.error("the broker refuses a subscription; allow it for this user topic=%s", topic)
        await client.subscribe(f"{self._network_topic}/#", qos=0)
        await client.publish(topics.online, ONLINE, qos=1, retain=True, timeout=math.inf)
        log.info("link to the broker is up url=%s", self._url)
        self.connected, self.changed_at = True, self._clock()
        self._events_due = True
        self._outbox.everything()

    async def _ask_network(self, client: aiomqtt.Client) -> None:
        """Has the broker tell all that it retains of the network.

        With QoS 0: of QoS 1, Mosquitto queues 1,000 messages for a client and drops the others. What a connection
        that holds does not bring, the digest shows.
        """
        await client.unsubscribe(f"{self._network_topic}/#")
        await client.subscribe(f"{self._network_topic}/#", qos=0)

    async def _receive(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            if message.topic.value == self._reconciler:
                self._reconciler_said(message.payload, message.retain)
            elif message.topic.value.startswith(self._network_topic):
                self._network_said(message.topic.value, message.payload)
            split = split_topic(message.topic.value)
            if split is None or split[:2] != (self._config.cluster, self._config.node):
                continue
            rest, payload = split[2], message.payload
            if (call := rpc_id(rest, "down")) is not None:
                self._calls.said(call, payload)
            elif rest == LEASE_GRANTED:
                self._lease_said(payload)
            elif rest == "online":
                await self._online_said(client, payload, message.retain)
            elif rest.startswith(PODS):
                if message.retain and payload:
                    self._leftover(rest.removeprefix(PODS))
            else:
                self._desired_said(rest, payload)

    def _reconciler_said(self, payload: bytes, retained: bool) -> None:
        self._renewal.reconciler(payload == ONLINE)
        if payload == ONLINE:
            self._outbox.events_again()  # those sent while no reconciler listened are lost
        if not retained:  # it has just come, or gone
            self._calls.end("the reconciler was restarted or lost its link")

    async def _online_said(self, client: aiomqtt.Client, payload: bytes, retained: bool) -> None:
        """What this node is said to be. A late will of an earlier connection is set right.

        The first that is not retained comes after all that is, so that no leftovers are to be expected then.
        """
        if retained:
            return
        if payload == ONLINE:
            if self._expects_leftovers:
                self._expects_leftovers = False
                await client.unsubscribe(f"{self._topics.status}/pods/+")
        elif self.connected:
            log.info("this node was said to be gone, saying that it is not")
            self._outbox.say_online()

    def _lease_said(self, payload: bytes) -> None:
        try:
            self._renewal.granted(payload)
        except BadMessage as error:
            self._complain(LEASE_GRANTED, error)

    def _leftover(self, uid: str) -> None:
        """A report of an earlier life that nothing here stands for any more."""
        if uid not in self._outbox.pods and uid not in self.accepted.digest.pods:
            self._outbox.forget(uid)

    def _desired_said(self, rest: str, payload: bytes) -> None:
        """A body or digest. A topic that was cleared says nothing: only a digest takes pods away."""
        try:
            if rest == DESIRED:
                if payload:
                    self._arrivals.add_digest(decode(payload, Digest))
            elif rest.startswith(DESIRED_PODS):
                self._pod_said(rest.removeprefix(DESIRED_PODS), payload)
            elif rest.startswith(DESIRED_CONFIG):
                self._config_said(rest.removeprefix(DESIRED_CONFIG), payload)
            self._arrived.set()
        except BadMessage as error:
            self._complain(rest, error)

    def _network_said(self, topic: str, payload: bytes) -> None:
        try:
            self._network.said(topic[len(self._network_topic) + 1 :], payload)
        except BadMessage as error:
            self._complain(topic, error)

    def _complain(self, topic: str, error: BadMessage) -> None:
        if topic not in self._complained and len(self._complained) < MAX_COMPLAINTS:
            self._complained.add(topic)
            log.warning("dropped a message that is not what its topic promises topic=%s error=%s", topic, error)

    def _pod_said(self, uid: str, payload: bytes) -> None:
        if not payload:
            self._arrivals.drop_pod(uid)
            return
        assignment = decode(payload, Assignment)
        if assignment.pod.metadata.uid != uid:
            raise BadMessage("Assignment: the pod's uid is not that of the topic")
        self._arrivals.add_pod(uid, assignment)

    def _config_said(self, key: str, payload: bytes) -> None:
        if not payload:
            self._arrivals.drop_config(key)
            return
        config = decode(payload, ConfigBody)
        if config.key != key:
            raise BadMessage("Config: kind, namespace and name are not those of the topic")
        self._arrivals.add_config(key, config)

    async def _send(self, client: aiomqtt.Client) -> None:
        """Sends what there is, in order, without waiting for each acknowledgement."""
        room = asyncio.Semaphore(MAX_OUTSTANDING)
        async with asyncio.TaskGroup() as sending:
            while True:
                await self._to_send.wait()
                self._to_send.clear()
                for message in self._outbox.take():
                    await room.acquire()
                    sending.create_task(self._send_one(client, message, room), name="link-publish")
                events = self._outbox.take_events() if self._events_due else None
                self._events_due = False
                if events is not None:
                    await room.acquire()
                    sending.create_task(self._send_one(client, events, room), name="link-publish")

    async def _send_one(self, client: aiomqtt.Client, message: Outgoing, room: asyncio.Semaphore) -> None:
        topic = f"{self._topics.root}/{message.rest}"
        arrived = False
        try:
            # No time limit: on a slow link that would only mean to begin anew. Keepalive finds a dead one.
            await client.publish(topic, message.payload, qos=1, retain=message.retain, timeout=math.inf)
            arrived = True
        finally:
            room.release()
            if not arrived:
                self._outbox.keep(message)

    def _send_events_soon(self) -> None:
        if self._gathering is None:
            self._gathering = asyncio.get_running_loop().call_later(EVENT_SECONDS, self._send_events)

    def _send_events(self) -> None:
        self._gathering = None
        self._events_due = True
        self._to_send.set()

    def _client(self) -> aiomqtt.Client:
        broker, endpoint = self._config.broker, self._config.broker.endpoint()
        client = aiomqtt.Client(
            endpoint.host,
            endpoint.port,
            username=endpoint.username or None,
            password=endpoint.password or None,
            identifier=f"wherry-{self._config.cluster}-{self._config.node}",
            logger=CLIENT_LOG,
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],  # or each message waits 40 ms for the last
            clean_session=True,
            protocol=aiomqtt.ProtocolVersion.V311,
            keepalive=broker.keepalive_seconds,
            will=aiomqtt.Will(self._topics.online, OFFLINE, qos=1, retain=True),
            tls_context=ssl.create_default_context(cafile=broker.ca_file) if endpoint.tls else None,
        )
        client.pending_calls_threshold = MAX_OUTSTANDING * 2  # it logs each call above this
        return client


def _reason(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, aiomqtt.MqttCodeError) and getattr(error.rc, "value", 0) in REFUSED:
        return "the broker refuses user name or password: check broker.username and broker.passwordFile"
    return str(error) or repr(error)
