"""What the API says of itself over HTTP: discovery, version, OpenAPI. Thin: `discovery` and `openapi` know it."""

import asyncio
import gzip
from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256

import msgspec
from aiohttp import web

from reconciler.api import discovery, openapi
from reconciler.api.finishing import mark_packed, packs
from reconciler.api.media import JSON
from reconciler.api.negotiation import clauses, not_acceptable
from reconciler.api.representation import encode
from reconciler.api.requests import json_response
from reconciler.api.status import no_such_resource

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_YEAR = 365 * 24 * 3600
_GROUP_LIST = {"g": "apidiscovery.k8s.io", "v": "v2", "as": "APIGroupDiscoveryList"}


def routes() -> Mapping[str, Handler]:
    """What answers a GET, by path."""
    return {
        "/": _root,
        **dict.fromkeys(("/api", "/api/", "/apis", "/apis/"), _groups),
        "/apis/{group}": _group,
        "/apis/{group}/": _group,
        "/api/{version}": _resources,
        "/api/{version}/": _resources,
        "/apis/{group}/{version}": _resources,
        "/apis/{group}/{version}/": _resources,
        "/version": _version,
        "/version/": _version,
        "/openapi/v2": _openapi_whole,
        "/openapi/v3": _openapi_index,
        "/openapi/v3/{path:.+}": _openapi_document,
    }


async def _root(_: web.Request) -> web.Response:
    return json_response({"paths": discovery.root()})


async def _groups(request: web.Request) -> web.Response:
    core = request.path.rstrip("/") == "/api"
    if _wants_all(request.headers.get("Accept", "")):
        response = json_response(discovery.aggregated(core))
        response.headers["Content-Type"] = discovery.AGGREGATED
        response.headers["Cache-Control"] = "public"
        body = response.body
        assert isinstance(body, bytes)
        tag = f'"{sha256(body).hexdigest()[:64].upper()}"'
        if request.headers.get("If-None-Match") == tag:
            return web.Response(status=304, headers={"ETag": tag, "Vary": "Accept"})
        response.headers.update({"ETag": tag, "Vary": "Accept"})
        return response
    return json_response(discovery.core_versions(request.host) if core else discovery.groups())


def _wants_all(accept: str) -> bool:
    """Whether everything is to come in one answer. Raises the 406."""
    for clause in clauses(accept):
        if not clause.takes(JSON) and clause.media != "application/yaml":
            continue
        if "as" not in clause.parameters:
            return False
        if clause.takes(JSON) and _GROUP_LIST.items() <= dict(clause.parameters).items():
            return True
    raise not_acceptable(accept)


async def _group(request: web.Request) -> web.Response:
    found = discovery.group(request.match_info["group"])
    if found is None:
        raise web.HTTPNotFound
    return json_response(found)


async def _resources(request: web.Request) -> web.Response:
    named = request.match_info
    group = named.get("group", "")
    found = discovery.resources(group, named["version"])
    if found is not None:
        return json_response(found)
    raise no_such_resource() if group in discovery.VERSIONS else web.HTTPNotFound()


async def _version(_: web.Request) -> web.Response:
    return json_response(msgspec.json.format(encode(discovery.VERSION), indent=2))  # always for people, as there


async def _openapi_whole(request: web.Request) -> web.Response:
    accept = request.headers.get("Accept", "")
    asked = clauses(accept)
    if any(clause.takes(JSON) for clause in asked):
        return _packed(request, await asyncio.to_thread(openapi.swagger))
    if not any(clause.media in (openapi.PROTOBUF, openapi.OLDER_PROTOBUF) for clause in asked):
        raise not_acceptable(accept)
    return _packed(request, await asyncio.to_thread(openapi.swagger_types), media=openapi.PROTOBUF)


async def _openapi_index(_: web.Request) -> web.Response:
    return json_response(await asyncio.to_thread(openapi.index))  # the first one to ask waits for all to be made


async def _openapi_document(request: web.Request) -> web.Response:
    found = await asyncio.to_thread(openapi.document, request.match_info["path"])
    if found is None:
        raise web.HTTPNotFound
    asked = request.query.get("hash")
    if asked is not None and asked != found.hash:
        raise web.HTTPMovedPermanently(f"{request.path}?hash={found.hash}")
    return _packed(request, found, forever=asked is not None)


def _packed(
    request: web.Request, document: openapi.Packed, *, media: str = JSON, forever: bool = False
) -> web.Response:
    """The document, which a client that has it already need not be sent. With its hash it may be kept for good."""
    tag = f'"{document.hash}"'
    caching = f"public, immutable, max-age={_YEAR}" if forever else "no-cache, private"
    headers = {"ETag": tag, "Cache-Control": caching, "Vary": "Accept-Encoding"}
    if request.headers.get("If-None-Match") == tag:
        return web.Response(status=304, headers=headers)
    body = document.body if packs(request) else gzip.decompress(document.body)
    response = web.Response(body=body, content_type=media, headers=headers)
    if packs(request):
        mark_packed(response)
    return response
