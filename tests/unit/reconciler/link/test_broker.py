"""What the embedded broker does beyond `amqtt`; the link's contract tests run over it as well."""

import asyncio

import aiomqtt
import pytest

from reconciler.link.broker import _Broker, embedded_broker
from tests.contracts.daemons import client, until
from tests.unit.reconciler.link.test_link import Embedded, broker

__all__ = ["broker"]


def connect(identifier: str, username: str, password: str) -> bytes:
    """The packet, with a will at `t/will` and a keepalive of one second."""
    header = b"\x00\x04MQTT\x04" + bytes([0b11000110]) + b"\x00\x01"  # user name, password, will, clean session
    texts = (identifier, "t/will", "gone", username, password)
    payload = b"".join(len(text).to_bytes(2) + text.encode() for text in texts)
    return bytes([0x10, len(header + payload)]) + header + payload


async def connected(broker: Embedded, identifier: str = "x") -> asyncio.StreamWriter:
    """A connection which never says anything more."""
    reader, writer = await asyncio.open_connection("127.0.0.1", broker.port)
    writer.write(connect(identifier, broker.username, broker.password))
    assert (await reader.readexactly(4))[3] == 0
    return writer


async def topics(subscriber: aiomqtt.Client, count: int) -> list[str]:
    async with asyncio.timeout(60):
        return [(await anext(subscriber.messages)).topic.value for _ in range(count)]


async def test_who_does_not_know_the_password_is_refused_and_ends_nobody_elses_session(broker: Embedded) -> None:
    async with client(broker, identifier="a") as first:
        await first.subscribe("t/#", qos=1)
        with pytest.raises(aiomqtt.MqttError):
            async with aiomqtt.Client("127.0.0.1", broker.port, username="wherry", password="no", identifier="a"):
                pass
        await first.publish("t/1", b"1", qos=1)
        assert await topics(first, 1) == ["t/1"]


async def test_a_newcomer_is_told_only_what_it_subscribes_to(broker: Embedded) -> None:
    async with client(broker) as one, client(broker) as other:
        await one.subscribe("t/one", qos=1)
        await one.publish("t/one", b"secret", qos=1, retain=True)
        await one.publish("t/other", b"1", qos=1, retain=True)
        async with client(broker) as newcomer:
            await newcomer.subscribe("t/other", qos=1)
            await newcomer.subscribe("t/end", qos=1)
            await other.publish("t/end", b"1", qos=1)
            assert await topics(newcomer, 2) == ["t/other", "t/end"]


async def test_a_connection_that_dies_leaves_its_will(broker: Embedded) -> None:
    async with client(broker) as watcher:
        await watcher.subscribe("t/#", qos=1)
        writer = await connected(broker)
        writer.transport.abort()
        assert await topics(watcher, 1) == ["t/will"]


async def test_a_client_that_connects_again_takes_over_and_the_will_of_its_older_self_is_said(broker: Embedded) -> None:
    async with client(broker) as watcher:
        await watcher.subscribe("t/#", qos=1)
        older = await connected(broker, "a")
        async with client(broker, identifier="a") as new:
            await new.subscribe("t/new", qos=1)
            assert await topics(watcher, 1) == ["t/will"]
            await watcher.publish("t/new", b"1", qos=1)
            assert await topics(new, 1) == ["t/new"]
        older.close()


async def test_a_client_that_falls_silent_is_given_up(broker: Embedded) -> None:
    async with client(broker) as watcher:
        await watcher.subscribe("t/#", qos=1)
        writer = await connected(broker)
        assert await topics(watcher, 1) == ["t/will"]
        writer.close()


async def test_a_session_that_has_ended_is_forgotten() -> None:
    broker = _Broker("127.0.0.1", 0, Embedded.username, Embedded.password)
    await broker.start()
    reached = Embedded()
    reached.port = broker.port
    async with client(reached) as one:
        for _ in range(3):
            async with client(reached) as passing:
                await passing.subscribe("t/#", qos=1)
        await one.subscribe("t/x", qos=1)
        await until(lambda: len(broker.sessions) == 1 and list(broker.subscriptions) == ["t/x"])
    await broker.shutdown()


@pytest.mark.parametrize("turns", range(12))
async def test_the_end_comes_also_while_a_client_is_being_let_in(turns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = asyncio.Event()

    class Watched(_Broker):
        async def _take_over(self, client_id: str) -> None:
            await super()._take_over(client_id)
            begun.set()

    monkeypatch.setattr("reconciler.link.broker._Broker", Watched)
    async with asyncio.timeout(60):
        async with embedded_broker("127.0.0.1", 0, "wherry", "secret") as port:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(connect("x", "wherry", "secret"))
            await begun.wait()
            for _ in range(turns):
                await asyncio.sleep(0)
        writer.close()
