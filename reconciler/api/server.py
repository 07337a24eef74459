"""The HTTP server: TLS, who may ask, and which path leads where."""

import asyncio
import contextlib
import logging
import socket
from asyncio import sslproto
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from reconciler.api import certificate, derived, describing, healthz, media, options, tokens, webhooks
from reconciler.api.audit import AuditLog
from reconciler.api.auth import Authenticator
from reconciler.api.certificate import Certificate
from reconciler.api.discovery import VERSIONS
from reconciler.api.finishing import finish
from reconciler.api.gate import Caller, Gate, Seen
from reconciler.api.issuing import Issuer
from reconciler.api.kubeconfig import Access
from reconciler.api.requests import CHECK, MAX_BODY, STAMP, WARNING, Resources, json_response
from reconciler.api.status import StatusError, method_not_allowed
from reconciler.api.target import parse
from reconciler.api.users import User
from reconciler.api.webhooks import Receive, Webhook
from reconciler.store.cluster import Cluster

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

log = logging.getLogger(__name__)

Answer = Callable[[Mapping[str, str]], Awaitable[object]]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

CALLER = web.RequestKey("caller", Caller)
"""Who asks, of a request that was let in."""
_TLS_BUFFER = 32 * 1024
"""Bytes that each connection keeps for what arrives: asyncio's own 256 KiB make 300 MiB of a thousand watches."""
_PATIENCE = 2.0
"""Seconds that a request may still take when the server stops."""
_CLIENT_GONE = 499
"""What the audit log calls the answer to a client that did not wait for it."""
_ANYWHERE = frozenset({"0.0.0.0", "::", ""})


class ApiServer:
    """Serves a cluster over HTTPS.

    `directory` holds the certificate, which is also made out to `names`. `answers` are what
    `GET /wherry/v1/NAME` answers, by name, given the query; `approve` does what `POST /wherry/v1/approve` asks (its
    body goes in, its answer comes out); all as anything that is JSON. `streams` are the routes of logs and shells.
    `webhook` is told what comes to `POST /wherry/v1/webhook`. `token` makes its bearer the administrator, `users` are
    others by token; `audit` is told of every request. `metrics` is asked for at the first scrape.
    """

    def __init__(
        self,
        cluster: Cluster,
        *,
        directory: Path,
        token: str,
        host: str = "127.0.0.1",
        port: int = 0,
        names: Sequence[str] = (),
        answers: Mapping[str, Answer],
        approve: Callable[[dict[str, Any]], Awaitable[object]],
        metrics: "Callable[[], CollectorRegistry]",
        streams: Sequence[web.RouteDef] = (),
        webhook: Receive | None = None,
        users: Mapping[str, User] | None = None,
        audit: AuditLog | None = None,
        issuer: Issuer | None = None,
    ) -> None:
        self.resources = Resources(cluster)
        self.host, self.port = host, port
        self._directory, self._token, self._names = directory, token, tuple(names)
        self.answers = dict(answers)
        self._approve, self._metrics = approve, metrics
        self._streams = tuple(streams)
        self.components: dict[str, derived.Check] = {"store": derived.reading(cluster.store.list)}
        """Those whose health is told, by name."""
        self._webhook = Webhook(webhook) if webhook else None
        self.issuer = issuer or Issuer(directory, cluster.cache)
        self.gate = Gate(cluster.cache, Authenticator(cluster.cache, token, users or {}, self.issuer), audit)
        self._certificate: Certificate | None = None
        self._runner: web.AppRunner | None = None
        self._renewal: asyncio.TimerHandle | None = None

    @property
    def access(self) -> Access:
        """What a client needs, once the server has started; for `kubeconfig.write`."""
        assert self._certificate is not None
        host = "127.0.0.1" if self.host in _ANYWHERE else self.host
        address = f"[{host}]" if ":" in host else host
        return Access(f"https://{address}:{self.port}", self._certificate.authority, self._token)

    async def start(self) -> None:
        """Listens. With port 0 `port` says afterwards which one it is. Raises `OSError` and `CannotCertify`."""
        held = await self._certify()
        context = held.context()
        sslproto.SSLProtocol.max_size = _TLS_BUFFER
        self._runner = web.AppRunner(
            self._application(), access_log=None, handler_cancellation=True, shutdown_timeout=_PATIENCE
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, self.host, self.port, ssl_context=context).start()
        self.port = self._runner.addresses[0][1]
        loop = asyncio.get_running_loop()

        def renew() -> None:
            task = loop.create_task(self._certify(), name="api-certificate")
            task.add_done_callback(lambda done: done.result().load_into(context))
            self._renewal = loop.call_later(86400.0, renew)

        seconds = (held.renew_at - datetime.now(UTC)).total_seconds()
        self._renewal = loop.call_later(max(seconds, 1.0), renew)
        log.info("serving address=%s port=%d", self.host, self.port)

    async def stop(self) -> None:
        """Ends all watches and lets requests under way finish, for a moment."""
        if self._renewal is not None:
            self._renewal.cancel()
        self.resources.hub.close()
        if self._runner is not None:
            await self._runner.cleanup()
        await self.gate.close()

    async def _certify(self) -> Certificate:
        # In a thread, for it waits for the process that makes keys.
        self._certificate = await asyncio.to_thread(
            certificate.ensure, self._directory, addresses(self.host, self._names), datetime.now(UTC)
        )
        return self._certificate

    def _application(self) -> web.Application:
        application = web.Application(middlewares=[finish, self._guard], client_max_size=MAX_BODY)
        application.on_response_prepare.append(_warn)
        for path, handler in self._routes().items():
            application.router.add_get(path, handler, allow_head=False)
        application.router.add_post("/wherry/v1/approve", self._post_approve)
        if self._webhook is not None:
            application.router.add_post(webhooks.PATH, self._webhook.post)
        reviews = "/apis/{group:authentication.k8s.io|authorization.k8s.io}/{version}"
        for path in ("{review}", "namespaces/{namespace}/{review}"):
            application.router.add_route("*", f"{reviews}/{path}", self._review)
        application.router.add_route(
            "*", "/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token", self._token_for
        )
        application.router.add_routes(self._streams)
        application.router.add_routes(healthz.routes({"ping": healthz.ping, "store": self.components["store"]}))
        application.router.add_routes(derived.routes(self.resources.cluster.cache, self.components))
        application.router.add_route("*", "/api/{version}/{tail:.+}", self._resource)
        application.router.add_route("*", "/apis/{group}/{version}/{tail:.+}", self._resource)
        return application

    def _routes(self) -> dict[str, Handler]:
        async def openid(_: web.Request) -> web.Response:
            response = json_response(tokens.configuration(self.access.server))
            response.headers["Cache-Control"] = "public, max-age=3600"
            return response

        async def keys(_: web.Request) -> web.Response:
            return web.Response(
                body=msgspec.json.encode(tokens.key_set((await self.issuer.key()).public)),
                headers={"Content-Type": "application/jwk-set+json", "Cache-Control": "public, max-age=3600"},
            )

        return {
            "/.well-known/openid-configuration": openid,
            "/openid/v1/jwks": keys,
            **describing.routes(),
            "/metrics": self._get_metrics,
            "/wherry/v1/{answer}": self._get_answer,
        }

    async def _resource(self, request: web.Request) -> web.StreamResponse:
        named = request.match_info
        if named.get("group", "") not in VERSIONS:
            raise web.HTTPNotFound
        target = parse(named.get("group", ""), named["version"], named["tail"])
        return await self.resources.handle(request, target)

    async def _review(self, request: web.Request) -> web.StreamResponse:
        if request.method != "POST":
            raise method_not_allowed()
        return json_response(await self.gate.review(request, request[CALLER]), 201)

    async def _token_for(self, request: web.Request) -> web.StreamResponse:
        if request.method != "POST":
            raise method_not_allowed()
        named, body = request.match_info, await request.read()
        document = media.document(request.content_type, body, "TokenRequest") if body else {}
        manager = options.field_manager(request.query, "CreateOptions", request.headers.get("User-Agent", ""))
        answer = await self.issuer.answer(named["namespace"], named["name"], document, manager)
        return json_response(answer, 201)

    async def _get_answer(self, request: web.Request) -> web.StreamResponse:
        answer = self.answers.get(request.match_info["answer"])
        if answer is None:
            raise web.HTTPNotFound
        return json_response(await answer(request.query))

    async def _post_approve(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        try:
            asked = msgspec.json.decode(body, type=dict[str, Any]) if body else {}
        except msgspec.DecodeError as error:
            raise StatusError(400, "BadRequest", f"the body must be a JSON object: {error}") from None
        return json_response(await self._approve(asked))

    async def _get_metrics(self, _: web.Request) -> web.StreamResponse:
        from prometheus_client import generate_latest

        return web.Response(
            body=generate_latest(self._metrics()),
            headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
        )

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Lets in who may, and tells the audit log of all that was asked."""
        clock = asyncio.get_running_loop().time
        seen, began, code = Seen(), clock(), _CLIENT_GONE
        try:
            response = await self._answer(request, handler, seen)
            code = response.status
            return response
        finally:
            self.gate.note(request, seen, "ResponseComplete", code, clock() - began)

    async def _answer(self, request: web.Request, handler: Handler, seen: Seen) -> web.StreamResponse:
        """Turns what goes wrong into a `Status`."""
        try:
            if self._webhook is not None and (request.method, request.path) == ("POST", webhooks.PATH):
                return await handler(request)  # it is signed
            with self.gate.entered(request, seen) as caller:
                request[CALLER] = caller
                request[CHECK] = self.gate.writing(caller)
                request[STAMP] = self.gate.stamping(caller)
                return await handler(request)
        except StatusError as error:
            return _failed(error)
        except web.HTTPMethodNotAllowed:
            return _failed(method_not_allowed())
        except web.HTTPNotFound:
            return web.Response(status=404, text="404 page not found\n", headers={"Cache-Control": "no-cache, private"})
        except web.HTTPException:
            raise
        except ConnectionError:
            raise  # the client has gone; there is nobody to answer
        except Exception:
            log.exception("request failed method=%s path=%s", request.method, request.path)
            return _failed(StatusError(500, "InternalError", "Internal error occurred: the reconciler's log says more"))


async def _warn(request: web.Request, response: web.StreamResponse) -> None:
    if (warning := request.get(WARNING)) is not None:
        response.headers.add("Warning", f'299 - "{warning}"')


def _failed(error: StatusError) -> web.Response:
    response = json_response(error.status(), error.code)
    if wait := (error.details or {}).get("retryAfterSeconds"):
        response.headers["Retry-After"] = str(wait)
    return response


def addresses(host: str, names: Sequence[str] = ()) -> Sequence[str]:
    """Under which names and addresses a server that listens there is reached."""
    return sorted({"127.0.0.1", "::1", "localhost", socket.gethostname(), *names} | ({host} - _ANYWHERE))


def reached_at(host: str, names: Sequence[str]) -> str:
    """The address at which other machines find a server that listens there; empty where that is not known.

    Of one that listens everywhere it is the first address among `names`, or the one that the default route uses.
    """
    if host not in _ANYWHERE:
        with contextlib.suppress(OSError):
            return str(socket.getaddrinfo(host, None)[0][4][0])
        return ""
    for name in names:
        with contextlib.suppress(ValueError):
            return str(ip_address(name))
    for family, somewhere in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as asking:
            asking.connect((somewhere, 9))  # chooses a route; nothing is sent
            return str(asking.getsockname()[0])
    return ""
