"""The last touch to an answer: YAML or protobuf instead of JSON, indented for people, packed where it is long.

Whoever makes an answer makes it in plain JSON; this is done to all of them alike, errors and discovery included.
What is long is done in a thread: packing gives up the interpreter's lock, and the loop goes on.
"""

import asyncio
import gzip
import zlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from aiohttp import web

from reconciler.api.media import JSON, YAML
from reconciler.api.negotiation import wants_gzip, wants_pretty, wants_protobuf, wants_yaml
from reconciler.api.protobuf import MEDIA as PROTOBUF

LONG = 128 * 1024
"""Bytes from which on an answer is packed, as Kubernetes does it."""
_LEVEL = 1
"""The quickest: an answer is packed for one reader."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def finish(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Gives an answer that was made whole the form that the client asks for."""
    response = await handler(request)
    if not isinstance(response, web.Response) or not isinstance(response.body, bytes):
        return response
    if response.content_type == JSON:
        await _rewrite(request, response)
    if packs(request) and len(response.body) >= LONG and "Content-Encoding" not in response.headers:
        response.body = await asyncio.to_thread(gzip.compress, response.body, _LEVEL)
        mark_packed(response)
    return response


async def _rewrite(request: web.Request, response: web.Response) -> None:
    body = response.body
    assert isinstance(body, bytes)
    accept = request.headers.get("Accept", "")
    if wants_protobuf(accept):
        await _pack(response, body)
    elif wants_yaml(accept):
        response.body = await asyncio.to_thread(as_yaml, body) if len(body) >= LONG else as_yaml(body)
        response.headers["Content-Type"] = YAML
    elif wants_pretty(request.query, request.headers.get("User-Agent", "")):
        response.body = msgspec.json.format(body, indent=2) + b"\n"


async def _pack(response: web.Response, body: bytes) -> None:
    from reconciler.api import protobufout  # here, for most clients never ask for it

    def packed() -> bytes | None:
        return protobufout.packed(msgspec.json.decode(body))

    found = await asyncio.to_thread(packed) if len(body) >= LONG else packed()
    if found is not None:
        response.body = found
        response.headers["Content-Type"] = PROTOBUF


def rewrites(request: web.Request) -> bool:
    """Whether an answer in JSON has to be whole before it can go out."""
    accept = request.headers.get("Accept", "")
    is_other = wants_yaml(accept) or wants_protobuf(accept)
    return is_other or wants_pretty(request.query, request.headers.get("User-Agent", ""))


def packs(request: web.Request) -> bool:
    return wants_gzip(request.headers.get("Accept-Encoding", ""))


def mark_packed(response: web.StreamResponse) -> None:
    response.headers["Content-Encoding"] = "gzip"
    response.headers["Vary"] = "Accept-Encoding"


class Packer:
    """Packs an answer that goes out in pieces."""

    def __init__(self) -> None:
        self._packer = zlib.compressobj(_LEVEL, wbits=zlib.MAX_WBITS + 16)

    def pack(self, piece: bytes) -> bytes:
        return self._packer.compress(piece)

    def end(self) -> bytes:
        return self._packer.flush()


def as_yaml(body: bytes) -> bytes:
    """A JSON document as YAML, its keys sorted, as Kubernetes writes it."""
    import yaml  # here, for most answers never need it

    class Dumper(yaml.CSafeDumper):
        def ignore_aliases(self, data: object) -> bool:
            return True

    def text(dumper: Any, value: str) -> Any:  # noqa: ANN401
        plain = dumper.resolve(yaml.ScalarNode, value, (True, False)) == _TEXT
        return dumper.represent_scalar(_TEXT, value, style="|" if "\n" in value else None if plain else '"')

    Dumper.add_representer(str, text)
    document: Mapping[str, Any] = msgspec.json.decode(body)
    found = yaml.dump(document, Dumper=Dumper, sort_keys=True, allow_unicode=True)
    assert isinstance(found, str)
    return found.encode()


_TEXT = "tag:yaml.org,2002:str"
