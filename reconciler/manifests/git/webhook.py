"""Webhooks of forges: whether one is genuine, and whether it is about what is followed. Pure.

The signature is the credential: GitHub, Gitea and Forgejo sign the body with the shared secret (HMAC-SHA256), GitLab
sends the secret itself. Comparisons take the same time whatever they find.
"""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

import msgspec

_EVENTS = ("X-GitHub-Event", "X-Gitea-Event", "X-Forgejo-Event", "X-Gitlab-Event")


def is_genuine(headers: Mapping[str, str], body: bytes, secret: bytes) -> bool:
    """Whether the sender knows the secret. The first signature that is there counts. `headers` ignore case."""
    assert secret
    digest = hmac.new(secret, body, hashlib.sha256).hexdigest()
    for name, expected in (
        ("X-Hub-Signature-256", f"sha256={digest}".encode()),
        ("X-Gitea-Signature", digest.encode()),
        ("X-Forgejo-Signature", digest.encode()),
        ("X-Gitlab-Token", secret),
    ):
        if (given := headers.get(name)) is not None:
            return hmac.compare_digest(given.encode(errors="replace"), expected)
    return False


def is_push_to(headers: Mapping[str, str], body: bytes, refs: str) -> bool:
    """Whether it tells of a push to the reference; `refs` that ends in a slash means any below."""
    event = next((headers[name] for name in _EVENTS if name in headers), "")
    if event.lower().removesuffix(" hook") not in ("push", "tag push"):
        return False
    ref = _payload(body).get("ref")
    return isinstance(ref, str) and (ref == refs or (refs.endswith("/") and ref.startswith(refs)))


def _payload(body: bytes) -> dict[str, Any]:
    """The JSON, which GitHub wraps in a form unless told not to. Empty where it is neither."""
    try:
        if body.startswith(b"payload="):
            body = parse_qs(body.decode("ascii"), max_num_fields=4)["payload"][0].encode()
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeError, ValueError, KeyError):
        return {}
