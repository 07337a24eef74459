"""The embedded MQTT broker: `amqtt` in the reconciler's own loop, for one box or a few nodes.

Messages are kept in memory alone. That is enough: both sides say everything again when they connect. Only clean
sessions are served, so that no client that went away makes it hold anything. What `amqtt` 0.12 does not do by
itself is done here, each with its reason.
"""

import asyncio
import functools
import hmac
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from amqtt.adapters import ReaderAdapter, WriterAdapter
from amqtt.broker import Broker
from amqtt.contexts import BrokerConfig, ListenerConfig
from amqtt.errors import AMQTTError, BrokerError
from amqtt.mqtt.protocol.broker_handler import BrokerProtocolHandler
from amqtt.session import Session

log = logging.getLogger(__name__)

CONNECT_SECONDS = 10
"""A connection that has not said who it is by then is closed."""
LOGGERS = ("amqtt", "transitions")


@asynccontextmanager
async def embedded_broker(host: str, port: int, username: str, password: str) -> AsyncIterator[int]:
    """Serves MQTT 3.1.1 on this address while the context lasts; yields the port (useful where `port` is 0).

    Raises `OSError` where the address cannot be had.
    """
    _log_from(logging.CRITICAL)  # it logs what it raises, with a traceback
    broker = _Broker(host, port, username, password)
    try:
        await broker.start()
    except BrokerError as error:
        raise error.__cause__ if isinstance(error.__cause__, OSError) else OSError(0, str(error)) from None
    _log_from(logging.ERROR)  # it tells each packet at INFO, and each client that was killed as a warning
    try:
        yield broker.port
    finally:
        broker.abort_connections()
        await broker.shutdown()
        await asyncio.sleep(0)  # in which the aborted connections close their sockets


def _log_from(level: int) -> None:
    for name in LOGGERS:
        logging.getLogger(name).setLevel(level)


class _Broker(Broker):  # type: ignore[misc]  # amqtt is not typed
    def __init__(self, host: str, port: int, username: str, password: str) -> None:
        bind = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        # No plugin at all: the default ones publish $SYS topics, log each packet and let anybody in.
        super().__init__(BrokerConfig(listeners={"default": ListenerConfig(bind=bind)}, plugins={}))
        self._credentials = (username, password)
        self._writers: set[WriterAdapter] = set()

    @property
    def port(self) -> int:
        sockets = self._servers["default"].instance.sockets
        return int(next(iter(sockets)).getsockname()[1])

    def abort_connections(self) -> None:
        """Before the end: a close waits for each client to take what is unsent, and one may be gone.

        All of them, also those that have not said who they are, and those whose session has just ended.
        """
        for writer in list(self._writers):
            _abort(writer)

    async def _client_connected(self, listener_name: str, reader: ReaderAdapter, writer: WriterAdapter) -> None:
        """However it goes, the connection is closed in the end; the original leaves some to the garbage collector."""
        self._writers.add(writer)
        try:
            await super()._client_connected(listener_name, reader, writer)
        finally:
            self._writers.discard(writer)
            _abort(writer)

    async def _session_monitor(self) -> None:
        """The original looks for dead sessions every second; here each one is removed when it ends."""

    async def _initialize_client_session(
        self, reader: ReaderAdapter, writer: WriterAdapter, remote_address: str, remote_port: int
    ) -> tuple[BrokerProtocolHandler, Session]:
        """Lets in who knows the password, and only then ends an older session of the same client.

        The original ends the older session for anyone, leaves its connection open, and waits for the first
        packet for ever.
        """
        async with asyncio.timeout(CONNECT_SECONDS):
            handler, session = await BrokerProtocolHandler.init_from_connect(reader, writer, self.plugins_manager)
        if not await self._authenticate(session, self.listeners_config["default"]):
            handler.attach(session, reader, writer)
            await handler.mqtt_connack_authorize(False)
            await writer.close()
            log.warning("broker refused a client: wrong user name or password address=%s", remote_address)
            raise AMQTTError("not authorized")
        session.clean_session = True
        session.parent = 0
        if session.keep_alive:  # gone after one and a half times this (MQTT-3.1.2-24); clients look once a second
            session.keep_alive += max(2, session.keep_alive // 2)
        handler.handle_read_timeout = functools.partial(_abort, writer)
        await self._take_over(session.client_id or "")
        return handler, session

    async def _authenticate(self, session: Session, _: Any) -> bool:  # noqa: ANN401
        given = (session.username or "", session.password or "")
        pairs = zip(given, self._credentials, strict=True)
        return all([hmac.compare_digest(one.encode(), other.encode()) for one, other in pairs])

    async def _take_over(self, client_id: str) -> None:
        old = self._sessions.get(client_id)
        if old is not None:
            await self._delete_session(client_id)
            _abort(old[1].writer)
            await old[1].handle_connection_closed()
            await self._stop_handler(old[1])

    async def _stop_handler(self, handler: BrokerProtocolHandler) -> None:
        """Lets its reader begin: one that is cancelled before never says that it has ended, and is waited for."""
        await asyncio.sleep(0)
        await super()._stop_handler(handler)

    async def _handle_disconnect(
        self, client_session: Session, handler: BrokerProtocolHandler, disconnect_waiter: "asyncio.Future[Any]"
    ) -> None:
        """Also forgets the session, unless a newer one of this client is there by now."""
        await super()._handle_disconnect(client_session, handler, disconnect_waiter)
        client_id = client_session.client_id or ""
        if self._sessions.get(client_id, (None,))[0] is client_session:
            await self._delete_session(client_id)

    async def _publish_retained_messages_for_subscription(
        self, subscription: tuple[str, int], session: Session
    ) -> None:
        """Only for what this client subscribed to.

        The original also calls this on each new connection, for the subscriptions of all clients: every node
        would be sent every other node's Secrets.
        """
        subscribers = self._subscriptions.get(subscription[0], ())
        if any(subscriber is session for subscriber, _ in subscribers):
            await super()._publish_retained_messages_for_subscription(subscription, session)


def _abort(writer: WriterAdapter | None) -> None:
    """Ends a connection whose other end may be gone: a close would wait for it to take what is unsent.

    On silence the original waits on, and the last will of a node that is cut off is never published.
    """
    if writer is not None:
        writer._writer.transport.abort()
