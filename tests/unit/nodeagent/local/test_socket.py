"""The node's own socket: questions, calls, and who hangs up."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from nodeagent.local import client
from nodeagent.local.carrier import PODS, STATUS, wrapped
from nodeagent.local.server import LocalServer
from nodeagent.rpc.calls import Call, Refusal
from schemas.rpc import STDOUT, Close, Data, End, ExecRequest, Request
from schemas.streaming import Stream

REQUEST = ExecRequest(uid="u1", container="main", command=("cat",), stdin=True, stdout=True)
BIG = 3 * 1024 * 1024


@pytest.fixture
def run() -> Iterator[Path]:
    """Not pytest's own: a socket's path is at most 107 bytes long."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


class Agent:
    def __init__(self) -> None:
        self.cancelled = asyncio.Event()

    def answer(self, question: bytes) -> bytes:
        return b"pods!" if question == PODS else b"x" * BIG

    async def serve(self, request: Request, call: Call) -> End:
        assert isinstance(request, ExecRequest)
        if request.container != "main":
            raise Refusal(404, "NotFound", "no such container")
        call.start()
        try:
            while (frame := await call.stream.receive()) is not None:
                body, data = frame
                if isinstance(body, Close):
                    return End(exit_code=7)
                if isinstance(body, Data):
                    await call.stream.write(STDOUT, data)
        finally:
            self.cancelled.set()
        return End()


@asynccontextmanager
async def serving(run: Path) -> AsyncIterator[Agent]:
    agent = Agent()
    server = LocalServer(run, agent.serve, agent.answer)
    task = asyncio.create_task(server.run())
    try:
        async with asyncio.timeout(60):
            while not server.path.exists():
                await asyncio.sleep(0.01)
        yield agent
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_questions_are_answered_whatever_their_size(run: Path) -> None:
    async with serving(run):
        assert await client.ask(run, PODS) == b"pods!"
        assert len(await client.ask(run, STATUS)) == BIG


async def test_the_socket_is_for_root_alone(run: Path) -> None:
    async with serving(run):
        assert (run / "agent.sock").stat().st_mode & 0o777 == 0o600
    assert not (run / "agent.sock").exists()


async def test_a_call_goes_both_ways_and_has_an_exit_code(run: Path) -> None:
    heard = bytearray()

    async def use(stream: Stream) -> None:
        sent = asyncio.create_task(say(stream))
        while (frame := await stream.receive()) is not None:
            heard.extend(frame[1])
        await sent

    async def say(stream: Stream) -> None:
        await stream.write(0, b"ab" * (BIG // 2))
        stream.close(0)

    async with serving(run):
        end = await client.call(run, REQUEST, use)
    assert (end.exit_code, bytes(heard)) == (7, b"ab" * (BIG // 2))


async def test_a_refusal_is_told_in_the_agents_words(run: Path) -> None:
    async with serving(run):
        with pytest.raises(client.Refused, match="no such container"):
            await client.call(run, ExecRequest(uid="u1", container="x", command=("y",)), nothing)


async def test_a_call_ends_with_whoever_made_it(run: Path) -> None:
    async with serving(run) as agent:
        task = asyncio.create_task(client.call(run, REQUEST, forever))
        await asyncio.sleep(0)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await asyncio.shield(task)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        async with asyncio.timeout(60):
            await agent.cancelled.wait()


async def test_where_no_agent_runs_it_is_said_what_to_do(run: Path) -> None:
    with pytest.raises(client.NoAgent, match="systemctl status wherry-nodeagent"):
        await client.ask(run, STATUS)


@pytest.mark.parametrize("rubbish", [b"", b"GET / HTTP/1.1\r\n\r\n", wrapped(b"what?"), wrapped(b"[7,{}]")])
async def test_rubbish_ends_its_own_connection_alone(run: Path, rubbish: bytes) -> None:
    async with serving(run):
        reader, writer = await asyncio.open_unix_connection(run / "agent.sock")
        writer.write(rubbish)
        writer.write_eof()
        async with asyncio.timeout(60):
            await reader.read()
        writer.close()
        assert await client.ask(run, PODS) == b"pods!"


async def nothing(stream: Stream) -> None:
    return None


async def forever(stream: Stream) -> None:
    while await stream.receive() is not None:
        continue
