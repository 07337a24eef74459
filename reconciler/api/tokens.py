"""Tokens of service accounts (JWT): what is asked for, what they say, and whether one still holds.

Pure. A token is bound to its ServiceAccount, and where it was asked for so to a pod (and that pod's node), a Secret or
a Node: it holds no longer than these are there, with the same uid
(https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#bound-service-account-tokens).
"""

import base64
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, TypeVar

import msgspec
from msgspec import field

from reconciler.api.rs256 import PublicKey, verify
from reconciler.api.status import StatusError, bad_request, invalid
from reconciler.api.users import AUTHENTICATED, User, service_account_groups, service_account_name
from reconciler.store.view import View
from schemas.core.config import Secret, ServiceAccount
from schemas.core.node import Node
from schemas.core.pod import Pod
from schemas.faults import Fault
from schemas.meta import Object

ISSUER = "https://kubernetes.default.svc.cluster.local"
"""Who makes the tokens, and the audience of those that name none: the API itself."""

MAX_BYTES = 16 * 1024
DEFAULT_SECONDS = 3600
_EXTENDED_IF = 3607
_EXTENDED_SECONDS = 365 * 24 * 3600 + 7
"""The token that every pod gets holds for a year, as in Kubernetes: programs may read their file but once, and a node
may be away for long. It is void with its pod all the same."""
_LEAST_SECONDS = 600
_MOST_SECONDS = 1 << 32
_LEEWAY = timedelta(seconds=60)
"""For how long the token of a pod that is ending still holds."""

_EXTRA = "authentication.kubernetes.io/"


class Named(msgspec.Struct, frozen=True):
    name: str
    uid: str = ""


class Bound(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the token is bound to."""

    namespace: str
    serviceaccount: Named
    pod: Named | None = None
    secret: Named | None = None
    node: Named | None = None
    warnafter: int = 0
    """When whoever reads the token from a file should have read a newer one; until then it was asked for."""


class Claims(msgspec.Struct, frozen=True):
    """What the token says. Times are seconds since 1970."""

    aud: tuple[str, ...]
    exp: int
    iat: int
    iss: str
    jti: str
    nbf: int
    sub: str
    bound: Bound = field(name="kubernetes.io")

    @property
    def asked_seconds(self) -> int:
        """For how long it was asked for."""
        return (self.bound.warnafter or self.exp) - self.iat


class SecretClaims(msgspec.Struct, frozen=True):
    """What the token in a Secret says: it has no end, and holds for as long as the Secret holds it."""

    iss: str
    namespace: str = field(name="kubernetes.io/serviceaccount/namespace")
    secret: str = field(name="kubernetes.io/serviceaccount/secret.name")
    account: str = field(name="kubernetes.io/serviceaccount/service-account.name")
    uid: str = field(name="kubernetes.io/serviceaccount/service-account.uid")
    sub: str


class BoundObject(msgspec.Struct, frozen=True, rename="camel"):
    kind: str = ""
    api_version: str = ""
    name: str = ""
    uid: str = ""


class TokenSpec(msgspec.Struct, frozen=True, rename="camel"):
    """Of a `TokenRequest`."""

    audiences: tuple[str, ...] = ()
    expiration_seconds: int | None = None
    bound_object_ref: BoundObject | None = None


Said = TypeVar("Said", Claims, SecretClaims)


class _Header(msgspec.Struct, frozen=True):
    alg: str
    kid: str


class BadToken(ValueError):
    """The token does not hold. The text says why, and never holds the token."""


def completed(spec: TokenSpec) -> TokenSpec:
    """The request with its defaults. Raises the 422."""
    seconds = DEFAULT_SECONDS if spec.expiration_seconds is None else spec.expiration_seconds
    problem = ""
    if seconds < _LEAST_SECONDS:
        problem = "may not specify a duration less than 10 minutes"
    elif seconds > _MOST_SECONDS:
        problem = "may not specify a duration larger than 2^32 seconds"
    if problem:
        fault = Fault(("spec", "expirationSeconds"), f"Invalid value: {seconds}: {problem}")
        raise invalid("TokenRequest", "authentication.k8s.io", "", (fault,))
    return msgspec.structs.replace(spec, audiences=spec.audiences or (ISSUER,), expiration_seconds=seconds)


def claims(account: ServiceAccount, spec: TokenSpec, view: View, now: datetime, jti: str) -> Claims:
    """What a token for a completed request says. Raises the 400, 404 or 409 where it cannot be bound so."""
    metadata = account.metadata
    issued, seconds = int(now.timestamp()), spec.expiration_seconds or DEFAULT_SECONDS
    bonds = _bound(account, spec, view)
    extended = seconds == _EXTENDED_IF and spec.audiences == (ISSUER,) and "pod" in bonds
    warn = issued + seconds if extended else 0
    bound = Bound(metadata.namespace, Named(metadata.name, metadata.uid), **bonds, warnafter=warn)
    return Claims(
        aud=spec.audiences,
        exp=issued + (_EXTENDED_SECONDS if extended else seconds),
        iat=issued,
        iss=ISSUER,
        jti=jti,
        nbf=issued,
        sub=service_account_name(metadata.namespace, metadata.name),
        bound=bound,
    )


def _bound(account: ServiceAccount, spec: TokenSpec, view: View) -> dict[str, Named]:
    ref = spec.bound_object_ref
    if ref is None:
        return {}
    types: dict[str, type[Object]] = {"Pod": Pod, "Secret": Secret, "Node": Node}
    type_ = types.get(ref.kind)
    if type_ is None or ref.api_version not in ("", "v1"):
        raise bad_request(f"cannot bind token to object of type {ref.api_version}, Kind={ref.kind}")
    found = view.get(type_, "" if type_ is Node else account.metadata.namespace, ref.name)
    plural = f"{ref.kind.lower()}s"
    if found is None:
        details = {"name": ref.name, "kind": plural}
        raise StatusError(404, "NotFound", f'{plural} "{ref.name}" not found', details=details)
    if ref.uid and ref.uid != found.metadata.uid:
        why = f"the UID in the bound object reference ({ref.uid}) does not match the UID in record. "
        message = f'Operation cannot be fulfilled on {plural} "{ref.name}": {why}'
        raise StatusError(409, "Conflict", message + "The object might have been deleted and then recreated")
    named = {ref.kind.lower(): Named(ref.name, found.metadata.uid)}
    if isinstance(found, Pod):
        if (found.spec.service_account_name or "default") != account.metadata.name:
            name = account.metadata.name
            raise bad_request(
                f'cannot bind token for serviceaccount "{name}" to pod running with different serviceaccount name.'
            )
        node = view.get(Node, "", found.spec.node_name) if found.spec.node_name else None
        if node is not None:
            named["node"] = Named(node.metadata.name, node.metadata.uid)
    return named


def signed_part(key: PublicKey, said: Claims | SecretClaims) -> bytes:
    """What of the token is signed."""
    return b".".join(_base64(msgspec.json.encode(part)) for part in (_Header("RS256", key.kid), said))


def token(part: bytes, signature: bytes) -> str:
    return (part + b"." + _base64(signature)).decode()


def read(text: str, key: PublicKey) -> Claims:
    """What a token says that was signed with the key. Raises `BadToken`."""
    return _read(text, key, Claims)


def read_of_secret(text: str, key: PublicKey) -> SecretClaims:
    """The same of the token in a Secret."""
    return _read(text, key, SecretClaims)


def _read(text: str, key: PublicKey, type_: type[Said]) -> Said:
    if len(text) > MAX_BYTES:
        raise BadToken("too long")
    part, _, signature = text.rpartition(".")
    encoded_header, _, encoded_claims = part.partition(".")
    try:
        header = msgspec.json.decode(_plain(encoded_header), type=_Header)
        if header.alg != "RS256" or header.kid != key.kid:
            raise BadToken("it was signed with another key")
        if not verify(key, part.encode(), _plain(signature)):
            raise BadToken("its signature is wrong")
        return msgspec.json.decode(_plain(encoded_claims), type=type_)
    except (ValueError, msgspec.DecodeError) as error:
        raise BadToken(f"it is no token of a service account: {type(error).__name__}") from None


def user_of(said: Claims, view: View, now: datetime, audiences: tuple[str, ...] = (ISSUER,)) -> User:
    """Who bears the token, where it still holds for one of the audiences. Raises `BadToken`."""
    if said.iss != ISSUER or not set(said.aud) & set(audiences):
        raise BadToken("it was made for another audience")
    if not said.nbf - _LEEWAY.total_seconds() <= now.timestamp() < said.exp:
        raise BadToken("its time is over")
    bound = said.bound
    if said.sub != service_account_name(bound.namespace, bound.serviceaccount.name):
        raise BadToken("it is bound to another service account")
    for type_, namespace, named in _bonds(bound):
        found = view.get(type_, namespace, named.name)
        if found is None or found.metadata.uid != named.uid:
            raise BadToken(f"the {type_.__name__} that it is bound to is gone")
        ending = found.metadata.deletion_timestamp
        if ending is not None and ending + _LEEWAY < now:
            raise BadToken(f"the {type_.__name__} that it is bound to has ended")
    groups = (*service_account_groups(bound.namespace), AUTHENTICATED)
    return User(said.sub, bound.serviceaccount.uid, groups, _extra(said))


def _bonds(bound: Bound) -> Iterator[tuple[type[Object], str, Named]]:
    yield ServiceAccount, bound.namespace, bound.serviceaccount
    if bound.pod is not None:
        yield Pod, bound.namespace, bound.pod
    if bound.secret is not None:
        yield Secret, bound.namespace, bound.secret
    if bound.node is not None:
        yield Node, "", bound.node


def _extra(said: Claims) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {f"{_EXTRA}credential-id": (f"JTI={said.jti}",)}
    for what, named in (("node", said.bound.node), ("pod", said.bound.pod)):
        if named is not None:
            found |= {f"{_EXTRA}{what}-name": (named.name,), f"{_EXTRA}{what}-uid": (named.uid,)}
    return found


def configuration(server: str) -> dict[str, Any]:
    """The discovery document of OpenID Connect, by which others find the keys."""
    return {
        "issuer": ISSUER,
        "jwks_uri": f"{server}/openid/v1/jwks",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }


def key_set(key: PublicKey | None) -> dict[str, Any]:
    """The public key as a JSON Web Key Set, by which others check tokens."""
    if key is None:
        return {"keys": []}
    numbers = {"n": key.n, "e": key.e}
    encoded = {name: _base64(n.to_bytes((n.bit_length() + 7) // 8, "big")).decode() for name, n in numbers.items()}
    return {"keys": [{"use": "sig", "kty": "RSA", "kid": key.kid, "alg": "RS256", **encoded}]}


def _base64(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")


def _plain(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
