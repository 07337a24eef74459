"""Who asks: by a client certificate, by a token, or nobody at all, who may do what the roles give to everybody.

Tokens are the cluster's own, those of a file, and those of service accounts. Whatever is shown and does not hold is
refused, also where nothing would have been needed.
"""

import csv
import hashlib
import secrets
import ssl
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from reconciler.api import secretfile, secrettokens, tokens
from reconciler.api.issuing import Issuer
from reconciler.api.status import StatusError
from reconciler.api.tokens import BadToken, Claims
from reconciler.api.users import ADMIN, ANONYMOUS, AUTHENTICATED, User
from reconciler.store.view import View
from schemas.configuration import BadConfiguration

OPEN = frozenset({"/healthz", "/livez", "/readyz", "/version"})
"""Answered to everybody, with a slash behind them or without."""
_REMEMBERED = 1024
"""Tokens whose signature need not be checked again."""
_COLUMNS = 3


class Peer(msgspec.Struct, frozen=True):
    """A client's certificate, which TLS has verified: as `getpeercert` tells it, and its bytes."""

    told: Mapping[str, Any]
    content: bytes


def load_token(path: Path) -> str:
    """The cluster's own token in the file; a new one where there is none."""
    found = path.read_text().strip() if path.exists() else ""
    token = found or secrets.token_urlsafe(32)
    secretfile.replace(path, token.encode() + b"\n")
    return token


def load_users(path: Path) -> dict[str, User]:
    """Users by token, from a file as Kubernetes reads it: `token,user,uid,"group1,group2"`.

    Raises `BadConfiguration`.
    """
    try:
        rows = list(csv.reader(path.read_text().splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadConfiguration(f"api.tokensFile: {path} cannot be read: {error}") from None
    found: dict[str, User] = {}
    for number, row in enumerate(rows, 1):
        cells = [cell.strip() for cell in row]
        if not any(cells):
            continue
        if len(cells) < _COLUMNS or not cells[0] or not cells[1]:
            raise BadConfiguration(
                f'api.tokensFile: {path}:{number}: expected token,user,uid or token,user,uid,"groups"'
            )
        groups = [group.strip() for group in cells[3].split(",")] if len(cells) > _COLUMNS else []
        named = (*(group for group in groups if group), AUTHENTICATED)
        found[cells[0]] = User(cells[1], cells[2], tuple(dict.fromkeys(named)))
    return found


def of_certificate(peer: Peer, now: datetime) -> User:
    """The common name is the user, the organisations are the groups. Raises the 401 where its time is over."""
    subject = [pair for part in peer.told.get("subject", ()) for pair in part]
    name = next((value for key, value in subject if key == "commonName"), "")
    # TLS looked at the time when the connection began, which may be long ago.
    if not name or now.timestamp() > ssl.cert_time_to_seconds(peer.told["notAfter"]):
        raise unauthorized()
    groups = (*(value for key, value in subject if key == "organizationName"), AUTHENTICATED)
    fingerprint = hashlib.sha256(peer.content).hexdigest()
    extra: dict[str, tuple[str, ...]] = {"authentication.kubernetes.io/credential-id": (f"X509SHA256={fingerprint}",)}
    return User(name, groups=tuple(dict.fromkeys(groups)), extra=extra)


def unauthorized() -> StatusError:
    return StatusError(401, "Unauthorized", "Unauthorized")


class Authenticator:
    """Knows the users of one cluster."""

    def __init__(self, view: View, token: str, users: Mapping[str, User], issuer: Issuer) -> None:
        self._view, self._issuer = view, issuer
        # By digest: how long a look-up takes tells nothing of the tokens.
        self._users: dict[bytes, User] = {_digest(text): user for text, user in {**users, token: ADMIN}.items()}
        self._verified: dict[bytes, Claims] = {}

    def authenticate(self, authorization: str, peer: Peer | None, now: datetime) -> User:
        """Who asks: nobody that is known, where nothing is shown. Raises the 401."""
        if peer is not None:
            return of_certificate(peer, now)
        if authorization:
            scheme, _, borne = authorization.partition(" ")
            if scheme.lower() != "bearer":
                raise unauthorized()
            try:
                return self.bearer(borne.strip(), now)
            except BadToken:
                raise unauthorized() from None
        return ANONYMOUS

    def bearer(self, token: str, now: datetime, audiences: tuple[str, ...] = (tokens.ISSUER,)) -> User:
        """Whose token it is, for one of the audiences. Raises `BadToken`."""
        digest = _digest(token)
        user = self._users.get(digest)
        if user is not None:
            if tokens.ISSUER not in audiences:
                raise BadToken("it was made for another audience")
            return user
        try:
            said = self._claims(token, digest)
        except BadToken:
            return self._of_secret(token, audiences)
        return tokens.user_of(said, self._view, now, audiences)

    def _of_secret(self, token: str, audiences: tuple[str, ...]) -> User:
        """Whose token in a Secret it is. Raises `BadToken`."""
        key = self._issuer.public_key
        if key is None or tokens.ISSUER not in audiences:
            raise BadToken("it was made for another audience")
        return secrettokens.user_of(token, tokens.read_of_secret(token, key), self._view)

    def _claims(self, token: str, digest: bytes) -> Claims:
        found = self._verified.get(digest)
        if found is None:
            key = self._issuer.public_key
            if key is None:
                raise BadToken("no tokens of service accounts were made yet")
            found = tokens.read(token, key)
            if len(self._verified) >= _REMEMBERED:
                self._verified.pop(next(iter(self._verified)))
            self._verified[digest] = found
        return found


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
