"""What results of probes mean, and looks at real servers on loopback."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from grpclib.const import Cardinality, Handler
from grpclib.server import Server

from nodeagent.pods.checks import Outcome, Result, address_of, check_grpc, check_http, check_tcp, port_of
from nodeagent.pods.grpchealth import _HealthCodec
from nodeagent.pods.probes import Counter
from schemas.core.container import Container, HTTPGetAction, HTTPHeader

S, F, U = Outcome.SUCCESS, Outcome.FAILURE, Outcome.UNKNOWN
CONTAINER = msgspec.convert({"name": "main", "ports": [{"name": "web", "containerPort": 8080}]}, Container)


@pytest.mark.parametrize(
    ("counter", "results", "good", "failed"),
    [
        pytest.param(Counter("readiness", False), [S], True, False, id="ready at the first success"),
        pytest.param(Counter("readiness", False, 2), [S, F, S], False, False, id="successes must be consecutive"),
        pytest.param(Counter("readiness", False, 2), [S, S], True, False, id="two successes"),
        pytest.param(Counter("readiness", True), [F, F, S, F, F], True, False, id="failures must be consecutive"),
        pytest.param(Counter("readiness", True), [F, F, F], False, False, id="unready, and never restarted for it"),
        pytest.param(Counter("liveness", True), [F, F], True, False, id="alive below the threshold"),
        pytest.param(Counter("liveness", True), [F, F, F], False, True, id="dead at the threshold"),
        pytest.param(Counter("liveness", True), [F, U, F, U, F], False, True, id="unknown changes nothing"),
        pytest.param(Counter("startup", False, 1, 2), [F, F], False, True, id="never started"),
    ],
)
def test_consecutive_results_decide(counter: Counter, results: list[Outcome], good: bool, failed: bool) -> None:
    for result in results:
        counter = counter.after(result)
    assert (counter.good, counter.failed) == (good, failed)


def test_an_early_failure_means_nothing_and_an_early_success_counts() -> None:
    counter = Counter("startup", False, 1, 1)
    assert counter.after(F, early=True) == counter
    assert counter.after(S, early=True).good
    assert not Counter("readiness", False, 2).after(S, early=True).successes


@pytest.mark.parametrize(
    ("action", "url"),
    [
        pytest.param(HTTPGetAction("web"), "http://10.0.0.5:8080/", id="named port"),
        pytest.param(HTTPGetAction(80, path="/a?b=c"), "http://10.0.0.5:80/a?b=c", id="path and query"),
        pytest.param(HTTPGetAction(443, scheme="HTTPS", host="other"), "https://other:443/", id="host and scheme"),
        pytest.param(HTTPGetAction(80, host="fd00::1"), "http://[fd00::1]:80/", id="IPv6"),
    ],
)
def test_an_http_probe_asks_for_its_address(action: HTTPGetAction, url: str) -> None:
    assert address_of(action, CONTAINER, "10.0.0.5") == url


def test_a_port_that_nobody_names_is_a_fault() -> None:
    with pytest.raises(ValueError, match="couldn't find port: nope"):
        port_of("nope", CONTAINER)


@asynccontextmanager
async def serving(answer: Callable[[str], bytes | None]) -> AsyncIterator[tuple[int, list[str]]]:
    """A server of HTTP that answers by the request's text; None: not at all."""
    requests: list[str] = []
    idle = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append((await reader.readuntil(b"\r\n\r\n")).decode())
        said = answer(requests[-1])
        if said is None:
            await idle.wait()
        else:
            writer.write(said)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], requests
    finally:
        idle.set()
        server.close()
        await server.wait_closed()
        await asyncio.sleep(0)


async def look(port: int, timeout: float = 20, **fields: Any) -> Result:  # noqa: ANN401
    return await check_http(HTTPGetAction(port, **fields), CONTAINER, "127.0.0.1", timeout)


@pytest.mark.parametrize(
    ("head", "outcome", "output"),
    [
        pytest.param("200 OK", S, "hello", id="good"),
        pytest.param("399 Odd", S, "hello", id="up to 399"),
        pytest.param("404 Not Found", F, "HTTP probe failed with statuscode: 404", id="not found"),
        pytest.param("503 Busy", F, "HTTP probe failed with statuscode: 503", id="busy"),
    ],
)
async def test_the_status_of_an_answer_decides(head: str, outcome: Outcome, output: str) -> None:
    async with serving(lambda _: f"HTTP/1.1 {head}\r\nContent-Length: 5\r\n\r\nhello".encode()) as (port, requests):
        result = await look(port, http_headers=(HTTPHeader("X-Who", "me"), HTTPHeader("Host", "name")))
    assert result == Result(outcome, output)
    assert "X-Who: me\r\n" in requests[0]
    assert "Host: name\r\n" in requests[0]
    assert requests[0].count("Host:") == 1


async def test_redirects_are_followed_on_the_same_host_and_count_as_good_elsewhere() -> None:
    def answer(request: str) -> bytes:
        if request.startswith("GET /there "):
            return b"HTTP/1.1 500 Oh\r\n\r\n"
        to = "http://elsewhere.invalid/" if request.startswith("GET /away ") else "/there"
        return f"HTTP/1.1 302 Found\r\nLocation: {to}\r\n\r\n".encode()

    async with serving(answer) as (port, requests):
        assert (await look(port)).outcome is F
        assert len(requests) == 2
        assert (await look(port, path="/away")).outcome is S


async def test_an_answer_without_end_is_cut_off() -> None:
    async with serving(lambda _: b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1_000_000) as (port, _):
        result = await look(port)
    assert result.outcome is S
    assert len(result.output) == 10 * 1024


async def test_a_server_that_says_nothing_times_out() -> None:
    async with serving(lambda _: None) as (port, _):
        result = await look(port, timeout=0.05)
    assert result.outcome is F
    assert "context deadline exceeded" in result.output


async def test_what_does_not_speak_http_fails() -> None:
    async with serving(lambda _: b"SSH-2.0\r\n\r\n") as (port, _):
        assert (await look(port)).outcome is F


async def test_a_tcp_probe_succeeds_where_somebody_listens() -> None:
    async with serving(lambda _: None) as (port, _):
        pass
    refused = await check_tcp("127.0.0.1", port, 1)
    assert refused == Result(F, f"dial tcp 127.0.0.1:{port}: connect: connection refused")
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    assert (await check_tcp("127.0.0.1", server.sockets[0].getsockname()[1], 1)).outcome is S
    server.close()


class Health:
    """The server's side of the health protocol."""

    async def check(self, stream: Any) -> None:  # noqa: ANN401 - grpclib's
        await stream.recv_message()
        await stream.send_message("\x08\x01")

    def __mapping__(self) -> dict[str, Handler]:
        return {"/grpc.health.v1.Health/Check": Handler(self.check, Cardinality.UNARY_UNARY, str, str)}


class ServerCodec(_HealthCodec):
    def encode(self, message: object, message_type: object) -> bytes:
        return str(message).encode()


async def test_a_grpc_probe_reads_the_health_of_the_server() -> None:
    server = Server([Health()], codec=ServerCodec())
    listening = socket.create_server(("127.0.0.1", 0))
    await server.start(sock=listening)
    port = listening.getsockname()[1]
    try:
        assert await check_grpc("127.0.0.1", port, "", 2) == Result(S, "service healthy")
    finally:
        server.close()
        await server.wait_closed()
    assert (await check_grpc("127.0.0.1", port, "", 1)).outcome is F


def test_the_two_messages_of_the_health_protocol_are_coded_as_protobuf() -> None:
    codec = _HealthCodec()
    assert codec.encode("", None) == b""
    assert codec.encode("a" * 200, None) == b"\x0a\xc8\x01" + b"a" * 200
    assert codec.decode(b"\x08\x02", None) == 2
    assert codec.decode(b"", None) == 0
