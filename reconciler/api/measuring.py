"""Serves `metrics.k8s.io/v1beta1`, so that `kubectl top` works. Thin: what is told comes from `usage`."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

from aiohttp import web

from reconciler.api import options, usage
from reconciler.api.negotiation import negotiate
from reconciler.api.representation import ListPosition, encode_list, encode_one
from reconciler.api.requests import json_response
from reconciler.api.status import method_not_allowed
from reconciler.store.view import View
from schemas import metrics
from schemas.kinds import Kind

ROOT = f"/apis/{metrics.GROUP}/{metrics.VERSION}"


def routes(view: View, reports: Callable[[], usage.Reports]) -> Sequence[web.RouteDef]:
    """What answers below `/apis/metrics.k8s.io/v1beta1`."""

    def answering(kind: Kind) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def answer(request: web.Request) -> web.StreamResponse:
            if request.method != "GET" or request.query.get("watch"):
                raise method_not_allowed()
            return _answer(request, view, reports(), kind)

        return answer

    paths = {
        "nodes": metrics.NODES,
        "nodes/{name}": metrics.NODES,
        "pods": metrics.PODS,
        "namespaces/{namespace}/pods": metrics.PODS,
        "namespaces/{namespace}/pods/{name}": metrics.PODS,
    }
    return [web.route("*", f"{ROOT}/{path}", answering(kind)) for path, kind in paths.items()]


def _answer(request: web.Request, view: View, reports: usage.Reports, kind: Kind) -> web.StreamResponse:
    form, now = negotiate(request.headers.get("Accept", ""), request.query.get("includeObject", "")), datetime.now(UTC)
    namespace, name = request.match_info.get("namespace"), request.match_info.get("name")
    if name is not None:
        return json_response(encode_one(usage.find(view, reports, kind, namespace or "", name), form, now))
    selection = options.selection(request.query, kind, namespace)
    picked = [each for each in usage.measured(view, reports, kind) if selection.picks(each)]
    return json_response(b"".join(encode_list(kind, picked, form, ListPosition(view.revision), now)))
