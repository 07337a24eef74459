"""Who asks: one token, which makes its bearer `kubernetes-admin`; anonymous callers learn health and version."""

import hmac
import secrets
from collections.abc import Iterable
from pathlib import Path

from reconciler.api import secretfile
from reconciler.api.status import StatusError

ADMIN = "kubernetes-admin"
GROUPS = ("system:masters", "system:authenticated")
_OPEN = frozenset({"/healthz", "/livez", "/readyz", "/version"})


def load_token(path: Path) -> str:
    """The token in the file; a new one where there is none."""
    found = path.read_text().strip() if path.exists() else ""
    token = found or secrets.token_urlsafe(32)
    secretfile.replace(path, token.encode() + b"\n")
    return token


def check(path: str, authorization: str, token: str) -> None:
    """Raises the 401 for a request that bears no, or another, token and asks for more than health."""
    scheme, _, borne = authorization.partition(" ")
    if scheme.lower() == "bearer" and hmac.compare_digest(borne.strip().encode(), token.encode()):
        return
    if not authorization and path.rstrip("/") in _OPEN:
        return
    raise StatusError(401, "Unauthorized", "Unauthorized")


def refuse_impersonation(headers: Iterable[str]) -> None:
    """Raises the 403 for a request made in another's name (`kubectl --as`), lest it be done with full rights."""
    if any(name.lower().startswith("impersonate-") for name in headers):
        raise StatusError(403, "Forbidden", f"impersonation is not served: every request is made as {ADMIN}")
