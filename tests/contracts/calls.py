"""Calls from the API to a node, over any broker. Whoever imports these tests gives the fixture `broker`."""

import asyncio
from pathlib import Path

import pytest

from reconciler.link.rpc import Refused
from schemas.rpc import STDIN, STDOUT, Data, End, ExecRequest
from schemas.streaming import Stream
from tests.contracts.daemons import Agent, Broker, reconciler, until


def call(command: str) -> ExecRequest:
    return ExecRequest(uid="u", container="c", command=(command,))


async def said(stream: Stream) -> bytes:
    """Everything that comes on the stream until it ends."""
    pieces = []
    while frame := await stream.receive():
        pieces.append(frame[1])
    return b"".join(pieces)


async def test_a_call_carries_more_than_its_window_both_ways(broker: Broker, tmp_path: Path) -> None:
    async with reconciler(broker, tmp_path / "r") as (_, link), Agent(broker, tmp_path / "a").running():
        await until(lambda: link.present("n1"))
        stream = await link.rpc.open("n1", call("cat"))
        sent = bytes(range(256)) * 8192
        hearing = asyncio.create_task(said(stream))
        await stream.write(STDIN, sent)
        stream.close(STDIN)
        async with asyncio.timeout(20):
            assert await hearing == sent
        assert stream.end == End(exit_code=7)
        assert link.rpc.statistics().streams == 0


async def test_a_reader_that_stops_holds_up_no_other_call(broker: Broker, tmp_path: Path) -> None:
    async with reconciler(broker, tmp_path / "r") as (_, link), Agent(broker, tmp_path / "a").running():
        await until(lambda: link.present("n1"))
        stuck = await link.rpc.open("n1", call("cat"))
        filling = asyncio.create_task(stuck.write(STDIN, bytes(4_000_000)))
        for _ in range(20):
            quick = await link.rpc.open("n1", call("cat"))
            await quick.write(STDIN, b"ahoy")
            async with asyncio.timeout(5):
                assert await quick.receive() == (Data(STDOUT), b"ahoy")
            quick.finish()
        assert not filling.done(), filling
        stuck.finish()
        await asyncio.gather(filling, return_exceptions=True)


async def test_a_call_that_is_refused_says_why(broker: Broker, tmp_path: Path) -> None:
    async with reconciler(broker, tmp_path / "r") as (_, link), Agent(broker, tmp_path / "a").running():
        await until(lambda: link.present("n1"))
        with pytest.raises(Refused, match="no such thing"):
            await link.rpc.open("n1", call("nothing"))
        with pytest.raises(Refused, match="node n2 has no link"):
            await link.rpc.open("n2", call("cat"))


async def test_calls_end_when_the_agent_goes(broker: Broker, tmp_path: Path) -> None:
    async with reconciler(broker, tmp_path / "r") as (_, link):
        async with Agent(broker, tmp_path / "a").running():
            await until(lambda: link.present("n1"))
            stream = await link.rpc.open("n1", call("sleep"))
        async with asyncio.timeout(5):
            assert await stream.receive() is None
        assert stream.end is not None
        assert "node n1 lost its link" in stream.end.message


async def test_calls_end_on_both_sides_when_the_reconciler_or_the_broker_goes(broker: Broker, tmp_path: Path) -> None:
    async with Agent(broker, tmp_path / "a").running() as agent:
        async with reconciler(broker, tmp_path / "r") as (_, link):
            await until(lambda: link.present("n1"))
            stream = await link.rpc.open("n1", call("sleep"))
            assert agent.link.calls == 1
        assert stream.end is not None
        await until(lambda: agent.link.calls == 0)
        async with reconciler(broker, tmp_path / "r") as (_, link):
            await until(lambda: link.present("n1"))
            stream = await link.rpc.open("n1", call("sleep"))
            await broker.kill()
            async with asyncio.timeout(5):
                assert await stream.receive() is None
            await until(lambda: agent.link.calls == 0)
