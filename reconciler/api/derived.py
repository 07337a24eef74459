"""Serves what is told and never stored: `kubectl get apiservices`, `kubectl get componentstatuses`. Read only.

Whoever asks how the components are gets the answer of the moment: a component tells why it does not work, or nothing.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from uuid import NAMESPACE_URL, uuid5

from aiohttp import web
from msgspec import structs

from reconciler.api import discovery, options
from reconciler.api.negotiation import negotiate
from reconciler.api.representation import ListPosition, encode_list, encode_one
from reconciler.api.requests import WARNING, json_response
from reconciler.api.status import method_not_allowed, not_found
from reconciler.store.interface import StoreError
from reconciler.store.view import View
from schemas.core.config import Namespace
from schemas.derived import (
    API_SERVICES,
    COMPONENT_STATUSES,
    REGISTRATION,
    VERSION,
    APIService,
    APIServiceCondition,
    APIServiceSpec,
    APIServiceStatus,
    ComponentCondition,
    ComponentStatus,
)
from schemas.kinds import Kind
from schemas.meta import Object, ObjectMeta

Check = Callable[[], Awaitable[str]]
"""Why a component does not work; empty where it does."""

_DEPRECATED = "v1 ComponentStatus is deprecated in v1.19+"
_MANAGED = {"kube-aggregator.kubernetes.io/automanaged": "onstart"}
_FIRST = 18_000


def routes(view: View, checks: Mapping[str, Check]) -> Sequence[web.RouteDef]:
    """What answers at the paths of both kinds. `checks` are the components, by name."""

    async def services(request: web.Request) -> web.StreamResponse:
        return _answer(request, view, API_SERVICES, api_services(view))

    async def components(request: web.Request) -> web.StreamResponse:
        if request.method != "GET":
            raise method_not_allowed()
        request[WARNING] = _DEPRECATED
        asked = [(name, await check()) for name, check in checks.items()]
        return _answer(request, view, COMPONENT_STATUSES, [_component(name, why) for name, why in asked])

    handlers = {
        f"/apis/{REGISTRATION}/{VERSION}/{API_SERVICES.plural}": services,
        f"/api/v1/{COMPONENT_STATUSES.plural}": components,
    }
    return [web.route("*", path + tail, handler) for path, handler in handlers.items() for tail in ("", "/{name}")]


def reading(read: Callable[[str], Awaitable[object]]) -> Check:
    """Of a store: whether it answers."""

    async def check() -> str:
        try:
            await read("health/")
        except StoreError as error:
            return str(error)
        return ""

    return check


def unless(holds: Callable[[], bool], why: str) -> Check:
    """Of a part that works where this holds."""

    async def check() -> str:
        return "" if holds() else why

    return check


def api_services(view: View) -> Sequence[APIService]:
    """One for each group and version that is served, by name."""
    system = view.get(Namespace, "", "kube-system")
    like = ObjectMeta() if system is None else system.metadata  # as old as the cluster
    return sorted(_services(like), key=lambda service: service.metadata.name)


def _services(like: ObjectMeta) -> Iterator[APIService]:
    since, revision = like.creation_timestamp, like.resource_version
    available = APIServiceCondition("True", "Available", since, "Local APIServices are always available", "Local")
    served = [(group, versions) for group, versions in discovery.TOLD.items() if group != REGISTRATION]
    for at, (group, versions) in enumerate(served):
        for rank, version in enumerate(versions):
            name = f"{version}.{group}"
            yield APIService(
                metadata=ObjectMeta(
                    name=name,
                    uid=str(uuid5(NAMESPACE_URL, name)),
                    creation_timestamp=since,
                    resource_version=revision,
                    labels=_MANAGED,
                ),
                spec=APIServiceSpec(_FIRST - 100 * at, version, len(versions) - rank, group),
                status=APIServiceStatus((available,)),
            )


def _component(name: str, why: str) -> ComponentStatus:
    status = ComponentCondition("False" if why else "True", "Healthy", message=why or "ok")
    return ComponentStatus(metadata=ObjectMeta(name=name), conditions=(status,))


def _answer(request: web.Request, view: View, kind: Kind, objects: Sequence[Object]) -> web.Response:
    if request.method != "GET" or request.query.get("watch"):
        raise method_not_allowed()
    form, now = negotiate(request.headers.get("Accept", ""), request.query.get("includeObject", "")), datetime.now(UTC)
    name = request.match_info.get("name")
    if name is not None:
        found = next((one for one in objects if one.metadata.name == name), None)
        if found is None:
            raise not_found(kind, name)
        return json_response(encode_one(found, form, now))
    selection, asked = options.selection(request.query, kind, None), options.list_options(request.query)
    picked = [one for one in objects if selection.picks(one)]
    page, position = _page(picked, asked, view.revision)
    return json_response(b"".join(encode_list(kind, page, form, position, now)))


def _page(picked: Sequence[Object], asked: options.ListOptions, revision: int) -> tuple[Sequence[Object], ListPosition]:
    """As far as the page goes; the next one begins behind its last name."""
    if asked.continue_ is not None:
        picked = [one for one in picked if one.metadata.name > asked.continue_.name]
    position = ListPosition(revision)
    if not asked.limit or len(picked) <= asked.limit:
        return picked, position
    page = picked[: asked.limit]
    token = options.Continue(revision, "", page[-1].metadata.name).encode()
    return page, structs.replace(position, continue_=token, remaining=len(picked) - asked.limit)
