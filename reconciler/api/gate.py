"""The way into the API: who asks, in whose name, for what, whether they may, and how much at once; and the audit log.

Thin: `auth`, `impersonation`, `attributes`, `authorization` and `limits` decide.
"""

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import msgspec
from aiohttp import web

from reconciler.api import audit, certificaterequests, escalation, impersonation, media, reviews
from reconciler.api.attributes import Attributes, attributes, forbidden
from reconciler.api.audit import AuditLog, Entry
from reconciler.api.auth import OPEN, Authenticator, Peer
from reconciler.api.authorization import Authorizer, Decision
from reconciler.api.limits import LONG, SHORT, InFlight
from reconciler.api.users import User
from reconciler.store.cache import Cache
from schemas.meta import Object

_LONG = frozenset({"attach", "exec", "log", "portforward", "proxy"})
_UNKNOWN = "unknown"


class Caller(msgspec.Struct, frozen=True):
    """A request that was let in: `user` asks it, where `by` is set in that one's name."""

    user: User
    by: User | None
    asked: Attributes
    decision: Decision


class Seen(msgspec.Struct):
    """What is known of a request as it is looked at, for the audit log."""

    audit_id: str = msgspec.field(default_factory=lambda: str(uuid4()))
    asked: Attributes | None = None
    user: User | None = None
    meant: User | None = None
    decision: Decision | None = None


class Gate:
    """One for a server."""

    def __init__(self, cache: Cache, authenticator: Authenticator, log: AuditLog | None = None) -> None:
        self._authenticator, self._log = authenticator, log
        self.authorizer = Authorizer(cache)
        self._unsubscribe = cache.subscribe(self.authorizer.changed)
        self.short, self.long = InFlight(SHORT), InFlight(LONG)

    async def close(self) -> None:
        self._unsubscribe()
        if self._log is not None:
            await self._log.close()

    @contextmanager
    def entered(self, request: web.Request, seen: Seen) -> Iterator[Caller]:
        """Lets the request in, and counts it while the context lasts. Raises the 401, 403 and 429."""
        caller = self._admit(request, seen)
        long = lasts(request, caller.asked)
        with (self.long if long else self.short).entered(caller.user):
            if long:
                self.note(request, seen, "ResponseStarted", 0, 0.0)
            yield caller

    def _admit(self, request: web.Request, seen: Seen) -> Caller:
        headers = request.headers
        authorization = headers.get("Authorization", "")
        seen.user = user = self._authenticator.authenticate(authorization, _peer(request), datetime.now(UTC))
        upgrade = "upgrade" in headers.get("Connection", "").lower()
        seen.asked = asked = attributes(request.method, request.rel_url.raw_path, request.query, upgrade=upgrade)
        meant = impersonation.asked_for(headers.items())
        by = None
        if meant is not None:
            impersonation.check(self.authorizer, user, meant, asked)
            by, user = user, impersonation.impersonated(meant)
            seen.meant = user
        seen.decision = decision = self._decide(user, asked)
        if not decision.allowed:
            raise forbidden(user.name, asked, decision.reason)
        return Caller(user, by, asked, decision)

    def _decide(self, user: User, asked: Attributes) -> Decision:
        if asked.path.rstrip("/") in OPEN:
            return Decision(allowed=True)  # whatever the roles say: who watches over the reconciler depends on it
        return self.authorizer.authorize(user, asked)

    def writing(self, caller: Caller) -> Callable[[Object, Object | None], None]:
        """What raises the 403 where the caller, by this write, would give rights or decide what is not its own."""

        def check(new: Object, present: Object | None) -> None:
            escalation.check(self.authorizer, caller.user, new, present)
            certificaterequests.check(self.authorizer, caller.user, new, present)

        return check

    def stamping(self, caller: Caller) -> Callable[[Object], Object]:
        """What notes on a new object that the caller made it, where its kind tells."""
        return lambda new: certificaterequests.stamped(new, caller.user)

    def note(self, request: web.Request, seen: Seen, stage: str, code: int, seconds: float) -> None:
        """Writes of the request in the audit log, where there is one. Who looks whether all is well is not told of."""
        if self._log is None or request.path in OPEN:
            return
        asked, decision = seen.asked, seen.decision
        self._log.add(
            Entry(
                request_received_timestamp=datetime.now(UTC),
                audit_id=seen.audit_id,
                stage=stage,
                verb=asked.verb if asked else request.method.lower(),
                request_uri=audit.shown_uri(request.path, request.query),
                source_ips=(request.remote or _UNKNOWN,),
                user=audit.who(seen.user),
                impersonated_user=audit.who(seen.meant),
                user_agent=request.headers.get("User-Agent", "")[:256],
                object_ref=audit.object_ref(asked),
                code=code,
                latency_ms=round(seconds * 1000, 1),
                decision="" if decision is None else "allow" if decision.allowed else "forbid",
                reason=decision.reason if decision else "",
            )
        )

    async def review(self, request: web.Request, caller: Caller) -> dict[str, Any]:
        """Answers a question about access."""
        named, body = request.match_info, await request.read()
        namespace = named.get("namespace", "")
        group = named["group"]
        kind = reviews.kind_of(group, named["version"], named["review"], namespace)
        document = media.document(request.content_type, body, kind) if body else {}
        manager = request.headers.get("User-Agent", "").partition("/")[0] or _UNKNOWN
        now = datetime.now(UTC)
        asked = reviews.Asked(group, kind, namespace, document, caller.user, manager, now)
        return reviews.review(
            asked, self.authorizer, lambda token, audiences: self._authenticator.bearer(token, now, audiences)
        )


def lasts(request: web.Request, asked: Attributes) -> bool:
    """Whether the answer may go on for as long as the client likes."""
    if asked.verb == "watch":
        return True
    if asked.subresource == "log":
        return request.query.get("follow", "").lower() in ("1", "true", "t")
    return asked.subresource in _LONG


def _peer(request: web.Request) -> Peer | None:
    held = request.transport.get_extra_info("ssl_object") if request.transport else None
    if not isinstance(held, ssl.SSLObject):
        return None
    content = held.getpeercert(binary_form=True)
    told = held.getpeercert()
    return Peer(told, content) if content and told else None
