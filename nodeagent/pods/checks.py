"""One look at a container: HTTP, TCP, a command in it, or gRPC. The same calls serve probes and hooks.

https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/
HTTP is spoken on asyncio's streams: a client library would weigh more on an agent than all of its pods' state.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

import msgspec

from nodeagent.runtime.interface import Missing, Runtime, RuntimeFailure
from schemas.core.container import Container, HTTPGetAction

MAX_BODY = 10 * 1024
MAX_HEADERS = 64 * 1024
MAX_REDIRECTS = 10
USER_AGENT = "kube-probe/1.36"
"""What servers know Kubernetes' probes by."""


class Outcome(StrEnum):
    SUCCESS = "success"
    FAILURE = "failure"
    UNKNOWN = "unknown"
    """Nothing could be learned: the runtime does not answer."""


class Result(msgspec.Struct, frozen=True):
    outcome: Outcome
    output: str = ""


class Response(msgspec.Struct, frozen=True):
    status: int
    location: str
    body: bytes


def port_of(port: int | str, container: Container) -> int:
    """A port by number or by the name that the container gives it. Raises `ValueError`."""
    if isinstance(port, int):
        return port
    named = next((one.container_port for one in container.ports if one.name == port), None)
    if named is not None:
        return named
    if port.isdecimal():
        return int(port)
    raise ValueError(f"couldn't find port: {port}")


def address_of(action: HTTPGetAction, container: Container, pod_ip: str) -> str:
    """The URL that an HTTP look asks for."""
    host = action.host or pod_ip
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    scheme = (action.scheme or "HTTP").lower()
    return urljoin(f"{scheme}://{host}:{port_of(action.port, container)}/", action.path or "/")


async def check_http(action: HTTPGetAction, container: Container, pod_ip: str, timeout: float) -> Result:
    """2xx and 3xx are good. Redirects on the same host are followed; one to another host counts as good, as it is."""
    headers = {header.name: header.value for header in action.http_headers}
    try:
        async with asyncio.timeout(timeout):
            url = address_of(action, container, pod_ip)
            for _ in range(MAX_REDIRECTS):
                response = await _get(url, headers)
                there = urljoin(url, response.location)
                if not (300 <= response.status < 400 and response.location):
                    return _judge(response)
                if urlsplit(there).hostname != urlsplit(url).hostname:
                    return Result(Outcome.SUCCESS, f"Probe terminated redirects, Response body: {_text(response)}")
                url = there
            return Result(Outcome.FAILURE, f'Get "{url}": stopped after {MAX_REDIRECTS} redirects')
    except TimeoutError:
        return Result(Outcome.FAILURE, f'Get "{url}": context deadline exceeded (Client.Timeout exceeded)')
    except OSError as error:
        return Result(Outcome.FAILURE, f'Get "{url}": {_reason(error, url)}')
    except (ValueError, EOFError) as error:
        return Result(Outcome.FAILURE, str(error))


def _judge(response: Response) -> Result:
    if 200 <= response.status < 400:
        return Result(Outcome.SUCCESS, _text(response))
    return Result(Outcome.FAILURE, f"HTTP probe failed with statuscode: {response.status}")


def _text(response: Response) -> str:
    return response.body.decode(errors="replace")


def _reason(error: OSError, url: str) -> str:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return f"dial tcp {parts.hostname}:{port}: {_said(error)}"


def _said(error: OSError) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connect: connection refused"
    return (error.strerror or str(error)).lower()


async def _get(url: str, headers: dict[str, str]) -> Response:
    """Raises `OSError`, `ValueError` (no HTTP) and `EOFError`."""
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    context = _without_verification() if secure else None
    port = parts.port or (443 if secure else 80)
    reader, writer = await asyncio.open_connection(parts.hostname, port, ssl=context, limit=MAX_HEADERS)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        sent = {"Host": parts.netloc, "User-Agent": USER_AGENT, "Accept": "*/*"}
        names = {name.lower() for name in headers}
        sent = {name: value for name, value in sent.items() if name.lower() not in names}
        sent |= {
            name: value for name, value in headers.items() if value or name.lower() not in ("accept", "user-agent")
        }
        lines = [f"GET {target} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items()), "Connection: close"]
        writer.write("".join(line + "\r\n" for line in [*lines, ""]).encode())
        await writer.drain()
        return await _read_response(reader)
    finally:
        writer.transport.abort() if secure else writer.close()


def _without_verification() -> ssl.SSLContext:
    """The pod's own certificate: nobody here could say whether to trust it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def _read_response(reader: asyncio.StreamReader) -> Response:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        raise ValueError(f"the answer's headers are longer than {MAX_HEADERS} bytes") from None
    first, *lines = head.decode("latin-1").split("\r\n")
    words = first.split(" ", 2)
    if len(words) < 2 or not words[0].startswith("HTTP/") or not words[1].isdecimal():
        raise ValueError(f"malformed HTTP response {first[:80]!r}")
    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = fields.get("content-length", "")
    wanted = min(int(length), MAX_BODY) if length.isdecimal() else MAX_BODY
    return Response(int(words[1]), fields.get("location", ""), await _read_some(reader, wanted))


async def _read_some(reader: asyncio.StreamReader, wanted: int) -> bytes:
    """At most so many bytes; a body that breaks off does not change what the status said."""
    body = b""
    while len(body) < wanted:
        chunk = await reader.read(wanted - len(body))
        if not chunk:
            break
        body += chunk
    return body


async def check_tcp(host: str, port: int, timeout: float) -> Result:
    try:
        async with asyncio.timeout(timeout):
            _, writer = await asyncio.open_connection(host, port)
        writer.close()
        return Result(Outcome.SUCCESS)
    except TimeoutError:
        return Result(Outcome.FAILURE, f"dial tcp {host}:{port}: i/o timeout")
    except OSError as error:
        return Result(Outcome.FAILURE, f"dial tcp {host}:{port}: {_said(error)}")


async def check_exec(runtime: Runtime, container_id: str, command: Sequence[str], timeout: float) -> Result:
    try:
        result = await runtime.exec_sync(container_id, command, timeout)
    except TimeoutError:
        return Result(Outcome.FAILURE, f"command timed out: {' '.join(command)} timed out after {timeout:g}s")
    except Missing as error:
        return Result(Outcome.UNKNOWN, str(error))
    except RuntimeFailure as error:
        return Result(Outcome.UNKNOWN, str(error))
    output = result.output[:MAX_BODY].decode(errors="replace")
    return Result(Outcome.FAILURE if result.exit_code else Outcome.SUCCESS, output)


async def check_grpc(host: str, port: int, service: str, timeout: float) -> Result:
    """`grpc.health.v1.Health/Check`."""
    from nodeagent.pods.grpchealth import SERVING, STATUS_NAMES, health  # h2 is loaded for pods that ask for it

    where = f"{host}:{port}"
    try:
        async with asyncio.timeout(timeout):
            status = await health(host, port, service)
    except TimeoutError:
        return Result(Outcome.FAILURE, f'timeout: failed to connect service "{where}" within {timeout:g}s')
    except OSError as error:
        return Result(Outcome.FAILURE, f'failed to connect service "{where}": {_said(error)}')
    except ValueError as error:
        return Result(Outcome.FAILURE, str(error))
    if status == SERVING:
        return Result(Outcome.SUCCESS, "service healthy")
    said = f"service unhealthy (responded with {STATUS_NAMES.get(status, str(status))!r})"
    return Result(Outcome.FAILURE, said.replace("'", '"'))


class Reach(NamedTuple):
    """How containers are reached over the pod network. Where there is none, as in a simulation, nothing is sent."""

    http: Callable[[HTTPGetAction, Container, str, float], Awaitable[Result]]
    tcp: Callable[[str, int, float], Awaitable[Result]]
    grpc: Callable[[str, int, str, float], Awaitable[Result]]


NETWORK = Reach(check_http, check_tcp, check_grpc)
