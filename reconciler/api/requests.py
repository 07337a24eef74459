"""Requests to Kubernetes resources: from HTTP to a verb, and from its result to an answer.

Thin: what is asked is read by `target` and `options`, done by `reads`, `writes` and `watch`.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from aiohttp import web

from reconciler.api import options, protobuf, reads, watch, writes
from reconciler.api.patches import patcher
from reconciler.api.representation import PLAIN, Form, ListPosition, encode, encode_list, encode_one, negotiate
from reconciler.api.scale import Scaled, scale_of, scaled
from reconciler.api.status import StatusError, bad_request, method_not_allowed
from reconciler.api.target import Target
from reconciler.store.cluster import Cluster
from schemas.meta import Object

log = logging.getLogger(__name__)

JSON = "application/json"
MAX_BODY = 3 * 1024 * 1024
_CHUNK = 64 * 1024
_HEADERS = {"Cache-Control": "no-cache, private"}


def json_response(document: Any, status: int = 200, warnings: Iterable[str] = ()) -> web.Response:  # noqa: ANN401
    """The document as JSON; bytes are taken to be that already."""
    body = document if isinstance(document, bytes) else encode(document)
    response = web.Response(body=body, status=status, content_type=JSON, headers=_HEADERS)
    for warning in warnings:
        text = " ".join(warning.replace("\\", "\\\\").replace('"', '\\"').split())
        response.headers.add("Warning", f'299 - "{text}"')
    return response


class Resources:
    """The verbs on resources, over one cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.hub = watch.Hub(cluster.cache)
        self._all: Mapping[str, Callable[[web.Request, Target], Awaitable[web.StreamResponse]]] = {
            "GET": self._list,
            "POST": self._create,
            "DELETE": self._delete_collection,
        }
        self._one: Mapping[str, Callable[[web.Request, Target], Awaitable[web.StreamResponse]]] = {
            "GET": self._get,
            "PUT": self._update,
            "PATCH": self._patch,
            "DELETE": self._delete,
        }

    async def handle(self, request: web.Request, target: Target) -> web.StreamResponse:
        """Does what the request's method asks of the target."""
        if target.watch and request.method != "GET":
            raise method_not_allowed()
        if request.method == "GET" and (target.watch or (not target.name and _asks_watch(request))):
            return await self._watch(request, target)
        handler = (self._one if target.name else self._all).get(request.method)
        if handler is None or (request.method == "DELETE" and target.subresource):
            raise method_not_allowed()
        return await handler(request, target)

    async def _get(self, request: web.Request, target: Target) -> web.StreamResponse:
        found = reads.get(self.cluster.cache, target)
        if target.subresource == "scale":
            return json_response(scale_of(_scaled(found)))
        return json_response(encode_one(found, _form(request), datetime.now(UTC)))

    async def _list(self, request: web.Request, target: Target) -> web.StreamResponse:
        selection = options.selection(request.query, target.kind, target.namespace)
        page = reads.list_page(self.cluster.cache, target.kind, selection, options.list_options(request.query))
        return await _send_list(request, target, page, _form(request))

    async def _watch(self, request: web.Request, target: Target) -> web.StreamResponse:
        wanted = watch.Request(
            target.kind,
            options.selection(request.query, target.kind, target.namespace, target.name),
            options.watch_options(request.query),
            _form(request),
        )
        response = web.StreamResponse(headers=_HEADERS)
        response.content_type = JSON
        response.enable_chunked_encoding()
        await response.prepare(request)

        def cut() -> None:
            if request.transport is not None:
                request.transport.abort()

        await watch.run(self.hub, wanted, response.write, cut)
        return response

    async def _create(self, request: web.Request, target: Target) -> web.StreamResponse:
        document = writes.parse(await _body(request))
        dry = options.dry_run(request.query, "CreateOptions")
        unknown = options.unknown_fields(request.query, "CreateOptions")
        written = await writes.create(self.cluster, target, document, unknown=unknown, dry=dry)
        return _written(request, written, 201)

    async def _update(self, request: web.Request, target: Target) -> web.StreamResponse:
        document = writes.parse(await _body(request))
        dry = options.dry_run(request.query, "UpdateOptions")
        if target.subresource == "scale":
            return await self._scale(target, lambda _: document, dry=dry)
        unknown = options.unknown_fields(request.query, "UpdateOptions")
        written = await writes.update(self.cluster, target, document, unknown=unknown, dry=dry)
        return _written(request, written)

    async def _patch(self, request: web.Request, target: Target) -> web.StreamResponse:
        body = await _body(request, request.content_type)
        dry = options.dry_run(request.query, "PatchOptions")
        if target.subresource == "scale":
            return await self._scale(target, patcher(None, request.content_type, body), dry=dry)
        change = patcher(target.kind, request.content_type, body)
        unknown = options.unknown_fields(request.query, "PatchOptions")
        written = await writes.patch(self.cluster, target, change, unknown=unknown, dry=dry)
        return _written(request, written)

    async def _scale(
        self, target: Target, change: Callable[[writes.Document], writes.Document], *, dry: bool
    ) -> web.StreamResponse:
        workload = _scaled(reads.get(self.cluster.cache, target))
        wanted = scaled(workload, change(scale_of(workload)))
        whole = msgspec.structs.replace(target, subresource="")
        written = await writes.update(self.cluster, whole, writes.document_of(wanted), dry=dry)
        return json_response(scale_of(_scaled(written.object)), warnings=written.warnings)

    async def _delete(self, request: web.Request, target: Target) -> web.StreamResponse:
        asked = await _delete_options(request)
        dry = options.dry_run(request.query, "DeleteOptions", asked.dry_run)
        return json_response(await writes.delete(self.cluster, target, asked, dry=dry))

    async def _delete_collection(self, request: web.Request, target: Target) -> web.StreamResponse:
        if (target.kind.namespaced and target.namespace is None) or target.kind.name == "Namespace":
            raise method_not_allowed()
        asked = await _delete_options(request)
        dry = options.dry_run(request.query, "DeleteOptions", asked.dry_run)
        selection = options.selection(request.query, target.kind, target.namespace)
        deleted = await writes.delete_collection(self.cluster, target.kind, selection, asked, dry=dry)
        page = reads.Page(deleted, ListPosition(self.cluster.cache.revision))
        return await _send_list(request, target, page, PLAIN)


def _scaled(object_: Object) -> Scaled:
    assert isinstance(object_, Scaled)  # no other kind has the subresource
    return object_


def _asks_watch(request: web.Request) -> bool:
    return request.query.get("watch", "").lower() in ("1", "true", "t")


def _form(request: web.Request) -> Form:
    return negotiate(request.headers.get("Accept", ""), request.query.get("includeObject", ""))


def _written(request: web.Request, written: writes.Written, status: int = 200) -> web.Response:
    body = encode_one(written.object, _form(request), datetime.now(UTC))
    return json_response(body, status, written.warnings)


async def _delete_options(request: web.Request) -> options.DeleteOptions:
    if request.content_type == protobuf.MEDIA:
        found = protobuf.delete_options(await _body(request, protobuf.MEDIA))
    else:
        found = options.read_delete_options(await _body(request))
    return options.delete_options(request.query, found)


async def _body(request: web.Request, *media: str) -> bytes:
    """The request's body, of bounded size and (where it has one) of such a media type, usually JSON."""
    content = request.content_type
    if request.can_read_body and content not in (media or (JSON, "application/octet-stream")):
        message = f"the body of the request was in an unknown format - accepted media types include: {JSON}"
        raise StatusError(415, "UnsupportedMediaType", message)
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        message = f"Request entity too large: limit is {MAX_BODY}"
        raise StatusError(413, "RequestEntityTooLarge", message) from None
    except (ConnectionError, web.RequestPayloadError) as error:
        raise bad_request(f"the body did not arrive whole: {error}") from None


async def _send_list(request: web.Request, target: Target, page: reads.Page, form: Form) -> web.StreamResponse:
    """A list, encoded and sent piece by piece, with the loop free in between."""
    pieces = encode_list(target.kind, page.objects, form, page.position, datetime.now(UTC))
    response: web.StreamResponse | None = None
    buffer = bytearray()
    for piece in pieces:
        buffer += piece
        if len(buffer) < _CHUNK:
            continue
        if response is None:
            response = web.StreamResponse(headers=_HEADERS)
            response.content_type = JSON
            response.enable_chunked_encoding()
            await response.prepare(request)
        await response.write(bytes(buffer))
        await asyncio.sleep(0)
        buffer.clear()
    if response is None:
        return json_response(bytes(buffer))
    await response.write(bytes(buffer))
    return response
