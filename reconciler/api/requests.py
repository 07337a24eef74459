"""Requests to Kubernetes resources: from HTTP to a verb, and from its result to an answer.

Thin: what is asked is read by `target` and `options`, done by `reads`, `writes` and `watch`.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import chain
from typing import Any

import msgspec
from aiohttp import web

from reconciler.api import (
    applying,
    binding,
    declared,
    deletes,
    eviction,
    finishing,
    heartbeats,
    media,
    options,
    reads,
    watch,
    writes,
)
from reconciler.api.bodies import Document, document_of, repeated
from reconciler.api.negotiation import negotiate
from reconciler.api.patches import patcher
from reconciler.api.representation import PLAIN, Form, encode, encode_list, encode_one
from reconciler.api.scale import Scaled, scale_of, scaled, table_of
from reconciler.api.status import StatusError, bad_request, method_not_allowed
from reconciler.api.target import BINDINGS, FINALIZE, Target
from reconciler.api.watch.connection import Connection
from reconciler.store.cluster import Cluster
from schemas import views
from schemas.meta import Object

log = logging.getLogger(__name__)

JSON = "application/json"
MAX_BODY = 3 * 1024 * 1024
_CHUNK = 64 * 1024
WARNING = web.RequestKey("warning", str)
"""Of a request for what is deprecated: what its caller is told, whatever the answer."""
CHECK: web.RequestKey[Callable[[Object, Object | None], None]] = web.RequestKey("check")
"""Of a request: raises the 403 where its caller may not write this, given what is there."""
STAMP: web.RequestKey[Callable[[Object], Object]] = web.RequestKey("stamp")
"""Of a request: notes on a new object who asked for it, where its kind tells."""
Patch = Callable[[Document], Document]
_ACTIONS = {"binding": "Binding", BINDINGS: "Binding", "eviction": "Eviction"}
"""Kinds of the bodies of what can only be posted to."""
APPLY = "application/apply-patch+yaml"
_HEADERS = {"Cache-Control": "no-cache, private"}
_DEPRECATED = {"Endpoints": "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"}


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
        if target.kind.name in _DEPRECATED:
            request[WARNING] = _DEPRECATED[target.kind.name]
        if target.watch and request.method != "GET":
            raise method_not_allowed()
        if request.method == "GET" and (target.watch or (not target.name and _asks_watch(request))):
            return await self._watch(request, target)
        if target.subresource == FINALIZE and request.method != "PUT":
            raise method_not_allowed()
        if target.subresource in _ACTIONS:
            return await self._act(request, target)
        handler = (self._one if target.name else self._all).get(request.method)
        if handler is None or (request.method == "DELETE" and target.subresource):
            raise method_not_allowed()
        _form(request, target)  # nothing is done whose answer would not be taken
        return await handler(request, target)

    async def _act(self, request: web.Request, target: Target) -> web.StreamResponse:
        if request.method != "POST":
            raise method_not_allowed()
        action = eviction.evict if target.subresource == "eviction" else binding.bind
        dry = options.dry_run(request.query, "CreateOptions")
        return json_response(await action(self.cluster, target, await _document(request, target), dry=dry), 201)

    async def _get(self, request: web.Request, target: Target) -> web.StreamResponse:
        reads.check_revision(self.cluster.cache, options.get_revision(request.query))
        found = reads.get(self.cluster.cache, target)
        if target.subresource == "scale":
            workload = _scaled(found)
            as_table = _form(request, target).name == "Table"
            return json_response(table_of(workload, datetime.now(UTC)) if as_table else scale_of(workload))
        now = datetime.now(UTC)
        found = heartbeats.shown(found, self.cluster.cache, now)
        return json_response(encode_one(found, _form(request, target), now))

    async def _list(self, request: web.Request, target: Target) -> web.StreamResponse:
        form = _form(request, target)
        selection = options.selection(_query(request, target), target.kind, target.namespace)
        page = reads.list_page(self.cluster.cache, target.kind, selection, options.list_options(request.query))
        if target.kind.name in heartbeats.KINDS:
            now = datetime.now(UTC)
            alive = [heartbeats.shown(found, self.cluster.cache, now) for found in page.objects]
            page = msgspec.structs.replace(page, objects=alive)
        return await _send_list(request, target, page, form)

    async def _watch(self, request: web.Request, target: Target) -> web.StreamResponse:
        wanted = watch.Request(
            target.kind,
            target.shown,
            options.selection(_query(request, target), target.kind, target.namespace, target.name),
            options.watch_options(request.query),
            _form(request, target, watch=True),
        )
        response = web.StreamResponse(headers=_HEADERS)
        response.content_type = JSON
        response.enable_chunked_encoding()
        await response.prepare(request)
        await watch.run(self.hub, wanted, Connection(request, response))
        return response

    async def _create(self, request: web.Request, target: Target) -> web.StreamResponse:
        document = await _document(request, target)
        terms = await _terms(request, "CreateOptions")
        return _written(request, target, await writes.create(self.cluster, target, document, terms), 201)

    async def _update(self, request: web.Request, target: Target) -> web.StreamResponse:
        document = await _document(request, target)
        terms = await _terms(request, "UpdateOptions")
        if target.subresource == "scale":
            return await self._scale(target, lambda _: document, terms)
        return _written(request, target, await writes.update(self.cluster, target, document, terms))

    async def _patch(self, request: web.Request, target: Target) -> web.StreamResponse:
        body = await _body(request, request.content_type)
        is_apply = request.content_type == APPLY
        force = options.force(request.query, is_apply=is_apply)
        terms = await _terms(request, "PatchOptions", needs_manager=is_apply)
        if target.subresource == "scale":
            return await self._scale(target, patcher(None, request.content_type, body), terms)
        if is_apply:
            declaration = applying.read_declaration(target, body)
            done = await applying.apply(self.cluster, target, declaration, terms, force=force)
            return _written(request, target, done.written, 201 if done.is_new else 200)
        change = _of_view(patcher(target.shown, request.content_type, body), target)
        return _written(request, target, await writes.patch(self.cluster, target, change, terms))

    async def _scale(self, target: Target, change: Patch, terms: writes.Terms) -> web.StreamResponse:
        whole = msgspec.structs.replace(target, subresource="")

        def change_whole(document: Document) -> Document:
            workload = _scaled(reads.get(self.cluster.cache, target))
            return document_of(scaled(workload, change(scale_of(workload))))

        written = await writes.patch(self.cluster, whole, change_whole, terms, "scale")
        return json_response(scale_of(_scaled(written.object)), warnings=written.warnings)

    async def _delete(self, request: web.Request, target: Target) -> web.StreamResponse:
        asked = await _delete_options(request)
        dry = options.dry_run(request.query, "DeleteOptions", asked.dry_run)
        warnings = declared.put_back(reads.get(self.cluster.cache, target))
        left = await deletes.delete(self.cluster, target, asked, dry=dry)
        if isinstance(left, Object):
            return json_response(encode_one(left, _form(request, target), datetime.now(UTC)), warnings=warnings)
        return json_response(left, warnings=warnings)

    async def _delete_collection(self, request: web.Request, target: Target) -> web.StreamResponse:
        if (target.kind.namespaced and target.namespace is None) or target.kind.name == "Namespace":
            raise method_not_allowed()
        asked = await _delete_options(request)
        dry = options.dry_run(request.query, "DeleteOptions", asked.dry_run)
        selection = options.selection(_query(request, target), target.kind, target.namespace)
        page = reads.list_page(self.cluster.cache, target.kind, selection, options.list_options(request.query))
        ended = await deletes.delete_collection(self.cluster, target.kind, page.objects, asked, dry=dry)
        position = msgspec.structs.replace(page.position, revision=self.cluster.cache.revision)
        return await _send_list(request, target, reads.Page(ended, position), PLAIN)


def _scaled(object_: Object) -> Scaled:
    assert isinstance(object_, Scaled)  # no other kind has the subresource
    return object_


def _asks_watch(request: web.Request) -> bool:
    return request.query.get("watch", "").lower() in ("1", "true", "t")


def _form(request: web.Request, target: Target, *, watch: bool = False) -> Form:
    form = negotiate(request.headers.get("Accept", ""), request.query.get("includeObject", ""), watch=watch)
    return msgspec.structs.replace(form, as_=views.of(target.view).shown) if target.view else form


def _query(request: web.Request, target: Target) -> Mapping[str, str]:
    """The query on the kind that is stored."""
    query = dict(request.query)
    if target.view and "fieldSelector" in query:
        query["fieldSelector"] = views.of(target.view).stored_selector(query["fieldSelector"])
    return query


async def _terms(request: web.Request, of: str, *, needs_manager: bool = False) -> writes.Terms:
    """How a write is meant."""
    query = request.query
    unknown = options.unknown_fields(query, of)
    is_told = unknown != "Ignore" and request.content_type in (media.JSON, "application/octet-stream")
    return writes.Terms(
        options.field_manager(query, of, request.headers.get("User-Agent", ""), is_required=needs_manager),
        unknown,
        options.dry_run(query, of),
        repeated(await request.read()) if is_told else (),
        request[CHECK],
        request[STAMP],
    )


async def _document(request: web.Request, target: Target) -> Document:
    """The object in a request's body."""
    expected = _ACTIONS.get(target.subresource) or ("Scale" if target.subresource == "scale" else target.kind.name)
    found = media.document(request.content_type, await _body(request, *media.MEDIA), expected)
    return views.of(target.view).stored_document(found) if target.view else found


def _of_view(change: Patch, target: Target) -> Patch:
    """The change of what is shown, as one of what is stored."""
    if target.view is None:
        return change
    view = views.of(target.view)
    return lambda document: view.stored_document(change(view.shown_document(document)))


def _written(request: web.Request, target: Target, written: writes.Written, status: int = 200) -> web.Response:
    body = encode_one(written.object, _form(request, target), datetime.now(UTC))
    return json_response(body, status, written.warnings)


async def _delete_options(request: web.Request) -> options.DeleteOptions:
    body = await _body(request, *media.MEDIA)
    if body and not media.accepts(request.content_type, media.JSON):
        body = encode(media.document(request.content_type, body, "DeleteOptions"))
    return options.delete_options(request.query, options.read_delete_options(body))


async def _body(request: web.Request, *accepted: str) -> bytes:
    """The request's body, of bounded size and (where it has one) of such a media type."""
    if request.can_read_body and not media.accepts(request.content_type, *accepted):
        raise media.unsupported(*accepted)
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        message = f"Request entity too large: limit is {MAX_BODY}"
        raise StatusError(413, "RequestEntityTooLarge", message) from None
    except (ConnectionError, web.RequestPayloadError) as error:
        raise bad_request(f"the body did not arrive whole: {error}") from None


async def _send_list(request: web.Request, target: Target, page: reads.Page, form: Form) -> web.StreamResponse:
    """A list, encoded (and packed) and sent piece by piece, with the loop free in between."""
    pieces = encode_list(target.shown, page.objects, form, page.position, datetime.now(UTC))
    if finishing.rewrites(request):
        return json_response(b"".join(pieces))
    buffer = bytearray()
    for piece in pieces:
        buffer += piece
        if len(buffer) >= finishing.LONG:
            return await _send_pieces(request, bytes(buffer), pieces)
    return json_response(bytes(buffer))


async def _send_pieces(request: web.Request, first: bytes, pieces: Iterator[bytes]) -> web.StreamResponse:
    response = web.StreamResponse(headers=_HEADERS)
    response.content_type = JSON
    packer = finishing.Packer() if finishing.packs(request) else None
    if packer:
        finishing.mark_packed(response)
    response.enable_chunked_encoding()
    await response.prepare(request)
    buffer = bytearray(first)
    for piece in chain(pieces, (b"",)):
        buffer += piece
        if len(buffer) >= _CHUNK or not piece:
            sent = packer.pack(bytes(buffer)) if packer else bytes(buffer)
            if sent:
                await response.write(sent)
            await asyncio.sleep(0)
            buffer.clear()
    if packer:
        await response.write(packer.end())
    return response
