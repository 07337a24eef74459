"""The streaming subresources of pods (and `proxy` of Services): from a path to a stream, and to its answer."""

from typing import TypeVar
from urllib.parse import unquote

from aiohttp import web

from reconciler.api.status import StatusError, bad_request, not_found
from reconciler.api.streams import asked, channels, forwarding, portchannels, shells
from reconciler.api.streams.sockets import keep_alive, upgrade
from reconciler.link.rpc import Refused, Rpc
from reconciler.store.view import View
from schemas.conditions import find
from schemas.core.pod import Pod
from schemas.core.service import Service
from schemas.kinds import BY_NAME
from schemas.meta import LabelSelector
from schemas.rpc import AttachRequest, ConnectRequest, Data, ExecRequest, Request
from schemas.selectors import matches
from schemas.streaming import Stream

POD = "/api/v1/namespaces/{namespace}/pods/{name}"
PROXIED = "/api/v1/namespaces/{namespace}/{plural:pods|services}/{name}/proxy"
T = TypeVar("T", Pod, Service)


class Streams:
    """`rpc` is the link's."""

    def __init__(self, view: View, rpc: Rpc) -> None:
        self._view, self._rpc = view, rpc

    def routes(self) -> list[web.RouteDef]:
        """To be registered before the routes of all other resources."""
        found = [web.get(f"{POD}/log", self._log, allow_head=False)]
        for name, handler in (("exec", self._exec), ("attach", self._attach), ("portforward", self._forward)):
            found += [web.get(f"{POD}/{name}", handler, allow_head=False), web.post(f"{POD}/{name}", handler)]
        for path in (PROXIED, PROXIED + "/{tail:.*}"):
            found.append(web.route("*", path, self._proxy))
        return found

    async def _log(self, request: web.Request) -> web.StreamResponse:
        pod = self._pod(request)
        wanted = asked.log_request(request.query, pod)
        if not pod.spec.node_name:
            return web.Response(status=204)
        stream = await self._open(pod.spec.node_name, wanted)
        keep_alive(request)
        response = web.StreamResponse(headers={"Content-Type": "text/plain", "Cache-Control": "no-cache, private"})
        response.enable_chunked_encoding()
        try:
            await response.prepare(request)
            while (frame := await stream.receive()) is not None:
                if isinstance(frame[0], Data) and frame[1]:
                    await response.write(frame[1])
        finally:
            stream.finish()
        if stream.end is not None and stream.end.message and request.transport is not None:
            request.transport.abort()  # without the mark of the end, so that the client knows it is not whole
        return response

    async def _exec(self, request: web.Request) -> web.StreamResponse:
        pod = self._pod(request)
        _check_upgrade(request)
        return await self._shell(
            request, pod, asked.exec_request(request.query, request.query.getall("command", []), pod)
        )

    async def _attach(self, request: web.Request) -> web.StreamResponse:
        pod = self._pod(request)
        _check_upgrade(request)
        return await self._shell(request, pod, asked.attach_request(request.query, pod))

    async def _shell(self, request: web.Request, pod: Pod, wanted: ExecRequest | AttachRequest) -> web.StreamResponse:
        node = asked.node_of(pod)
        client = await upgrade(request, channels.PROTOCOLS)
        await shells.carry(self._rpc, node, wanted, client)
        return client

    async def _forward(self, request: web.Request) -> web.StreamResponse:
        pod = self._pod(request)
        _check_upgrade(request)
        node = asked.node_of(pod)

        async def connect(port: int) -> Stream:
            return await self._rpc.open(node, ConnectRequest(uid=pod.metadata.uid, port=port))

        if "ports" in request.query:
            numbers = asked.ports(request.query.getall("ports"))[: portchannels.MAX_PORTS]
            client = await upgrade(request, portchannels.PROTOCOLS)
            await portchannels.carry(client, numbers, connect)
        else:
            client = await upgrade(request, (forwarding.TUNNEL,))
            await forwarding.Tunnel(client, pod.metadata.name, connect).run()
        return client

    async def _proxy(self, request: web.Request) -> web.StreamResponse:
        from reconciler.api.streams.proxying import pass_on  # brings aiohttp's client

        named = request.match_info
        scheme, name, port = asked.split_address(unquote(named["name"]))
        if scheme != "http":
            raise bad_request("a proxy to https is not served: forward the port and connect to it")
        if named["plural"] == "services":
            pod, port = self._behind(named["namespace"], name, port)
        else:
            pod = self._find(Pod, named["namespace"], name)
        wanted = ConnectRequest(uid=pod.metadata.uid, port=asked.pod_port(pod, port))
        stream = await self._open(asked.node_of(pod), wanted)
        path = request.rel_url.raw_path.partition("/proxy")[2].removeprefix("/")
        return await pass_on(request, path, stream, f"{name}.{named['namespace']}")

    def _behind(self, namespace: str, name: str, port: str) -> tuple[Pod, str]:
        """A pod that is ready to serve for the Service, and its port. Raises the 503 where there is none."""
        service = self._find(Service, namespace, name)
        leads_to = asked.service_port(service, port)
        selector = LabelSelector(match_labels=service.spec.selector)
        for pod in self._view.list(Pod, namespace):
            ready = find(pod.status.conditions, "Ready")
            if service.spec.selector and matches(selector, pod.metadata.labels) and ready and ready.status == "True":
                return pod, leads_to
        raise StatusError(503, "ServiceUnavailable", f'no endpoints available for service "{name}"')

    async def _open(self, node: str, wanted: Request) -> Stream:
        try:
            return await self._rpc.open(node, wanted)
        except Refused as refused:
            raise asked.of_end(refused.end) from None

    def _pod(self, request: web.Request) -> Pod:
        named = request.match_info
        return self._find(Pod, named["namespace"], named["name"])

    def _find(self, type_: type[T], namespace: str, name: str) -> T:
        found = self._view.get(type_, namespace, name)
        if found is None:
            raise not_found(BY_NAME[type_.__name__], name)
        return found


def _check_upgrade(request: web.Request) -> None:
    """Before anything else is looked at, as the API server does it."""
    if not request.headers.get("Upgrade"):
        raise bad_request("Upgrade request required")
