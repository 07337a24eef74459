"""What makes a simulated node one: a wire that can be cut, and containers that answer though nobody is asked."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from nodeagent.pods.checks import Outcome
from nodeagent.simulation import SIMULATED, Wire
from schemas.core.container import Container, ContainerPort, HTTPGetAction

CONTAINER = Container(name="main", image="app:1", ports=(ContainerPort(8080, name="http"),))


@pytest.mark.parametrize(
    ("port", "outcome"),
    [
        pytest.param(8080, Outcome.SUCCESS, id="number"),
        pytest.param("http", Outcome.SUCCESS, id="name"),
        pytest.param("nosuch", Outcome.FAILURE, id="unknown name"),
    ],
)
async def test_an_http_probe_fails_only_when_the_probe_itself_is_wrong(port: int | str, outcome: Outcome) -> None:
    result = await SIMULATED.http(HTTPGetAction(port), CONTAINER, "192.0.2.1", 1.0)
    assert result.outcome is outcome


async def test_tcp_and_grpc_probes_succeed_without_a_connection() -> None:
    assert (await SIMULATED.tcp("192.0.2.1", 1, 0.1)).outcome is Outcome.SUCCESS
    assert (await SIMULATED.grpc("192.0.2.1", 1, "", 0.1)).outcome is Outcome.SUCCESS


@asynccontextmanager
async def wired() -> AsyncIterator[tuple[Wire, int]]:
    """A wire to a server that says everything back, and the port at its near end."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.read(100):
                writer.write(line)
        except ConnectionResetError:
            pass  # that is what a cut is
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    wire = Wire(*server.sockets[0].getsockname()[:2])
    try:
        yield wire, await wire.lay()
    finally:
        wire.take_up()
        server.close()


async def said_back(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(b"ahoy")
        return await reader.read(100)
    except ConnectionResetError:
        return b""
    finally:
        writer.transport.abort()


async def test_a_wire_carries_until_it_is_cut_and_again_when_it_is_healed() -> None:
    async with wired() as (wire, port), asyncio.timeout(60):
        assert await said_back(port) == b"ahoy"
        wire.cut()
        assert await said_back(port) == b""
        wire.heal()
        assert await said_back(port) == b"ahoy"


async def test_a_cut_breaks_connections_that_are_open() -> None:
    async with wired() as (wire, port), asyncio.timeout(60):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"ahoy")
        assert await reader.read(100) == b"ahoy"
        wire.cut()
        try:
            assert await reader.read(100) == b""
        except ConnectionResetError:
            assert reader.exception()  # the other end is gone, with or without a word
        finally:
            writer.transport.abort()
