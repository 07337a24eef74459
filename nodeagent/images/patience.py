"""How long a registry that refuses for the number of requests (429) wants to be left alone.

containerd keeps the answer's headers to itself, so the question is put once more, without credentials. Only a number
of seconds counts: a date would be by the clock of either machine.
"""

import asyncio
import ssl

from nodeagent.images.references import registry_of, repository_of, server_of
from nodeagent.images.settings import Registries, RegistryHost

SECONDS = 5.0
MOST = 3600.0
HEADERS = 64 * 1024


def is_refused_for_now(error: str) -> bool:
    return "429" in error


async def asked_patience(image: str, registries: Registries) -> float:
    """Seconds; 0 where the registry does not say."""
    settings = registries.hosts.get(registry_of(image), RegistryHost())
    host, _, port = server_of(image).partition(":")
    plain = settings.plain_http or host in ("localhost", "127.0.0.1")
    try:
        async with asyncio.timeout(SECONDS):
            answer = await _head(host, int(port or (80 if plain else 443)), image, None if plain else _trust(settings))
    except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return 0.0
    return parse(answer)


async def _head(host: str, port: int, image: str, trust: ssl.SSLContext | None) -> str:
    name = image.partition("@")
    tag = name[2] or name[0].rpartition("/")[2].partition(":")[2] or "latest"
    path = repository_of(image).partition("/")[2]
    reader, writer = await asyncio.open_connection(host, port, ssl=trust, limit=HEADERS)
    try:
        request = f"HEAD /v2/{path}/manifests/{tag} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n"
        writer.write(request.encode())
        return (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    finally:
        writer.transport.abort()


def _trust(settings: RegistryHost) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=settings.ca_file)
    if settings.skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def parse(answer: str) -> float:
    """Of the head of an HTTP answer."""
    status, *headers = answer.split("\r\n")
    if status.split(" ")[1:2] != ["429"]:
        return 0.0
    for header in headers:
        name, _, value = header.partition(":")
        if name.strip().lower() == "retry-after" and value.strip().isdecimal():
            return min(float(value), MOST)
    return 0.0
