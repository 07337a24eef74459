"""Issues the tokens of service accounts: holds the key, and signs beside the event loop."""

import asyncio
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec

from reconciler.api import rs256, signing, signingkey, tokens
from reconciler.api.rs256 import PrivateKey, PublicKey
from reconciler.api.status import bad_request, not_found
from reconciler.api.tokens import Claims, SecretClaims, TokenSpec
from reconciler.store.view import View
from schemas.core.config import ServiceAccount
from schemas.kinds import BY_NAME

_MANY = 24
"""Tokens at once for which a process of its own pays."""


class Issuer:
    """Signs with the key that lies in `directory`, which is made when the first token is asked for."""

    def __init__(self, directory: Path, view: View) -> None:
        self._directory, self._view = directory, view
        self._key: PrivateKey | None = signingkey.load(directory)
        self._making = asyncio.Lock()

    @property
    def public_key(self) -> PublicKey | None:
        """None where no token was ever made."""
        return self._key.public if self._key else None

    async def key(self) -> PrivateKey:
        """Raises `CannotCertify`."""
        async with self._making:
            if self._key is None:
                self._key = await asyncio.to_thread(signingkey.ensure, self._directory)
            return self._key

    async def issue(self, namespace: str, name: str, asked: TokenSpec) -> tuple[str, tokens.Claims]:
        """A token for the ServiceAccount, and what it says. Raises the 404 and what `tokens` raises."""
        spec = tokens.completed(asked)
        account = self._view.get(ServiceAccount, namespace, name)
        if account is None:
            raise not_found(BY_NAME["ServiceAccount"], name)
        claims = tokens.claims(account, spec, self._view, datetime.now(UTC), str(uuid4()))
        (text,) = await self.signed([claims])
        return text, claims

    async def signed(self, said: Sequence[Claims | SecretClaims]) -> list[str]:
        """The tokens that say this. Raises `CannotCertify`."""
        key = await self.key()
        parts = [tokens.signed_part(key.public, claims) for claims in said]
        if len(parts) > _MANY:
            signatures = await asyncio.to_thread(signing.sign_all, self._directory, parts)
        else:
            signatures = [await asyncio.to_thread(rs256.sign, key, part, _blind(key)) for part in parts]
        return [tokens.token(part, signature) for part, signature in zip(parts, signatures, strict=True)]

    async def answer(self, namespace: str, name: str, document: dict[str, Any], manager: str) -> dict[str, Any]:
        """What `POST …/serviceaccounts/NAME/token` answers to a `TokenRequest`."""
        try:
            asked = msgspec.convert(document.get("spec") or {}, TokenSpec)
        except msgspec.ValidationError as error:
            raise bad_request(f"TokenRequest: spec: {error}") from None
        token, claims = await self.issue(namespace, name, asked)
        ref = asked.bound_object_ref
        return {
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "uid": str(uuid4()),
                "creationTimestamp": _time(claims.iat),
                "managedFields": [_entry(asked, manager, _time(claims.iat))],
            },
            "spec": {
                "audiences": claims.aud,
                "expirationSeconds": claims.asked_seconds,
                "boundObjectRef": {k: v for k, v in msgspec.to_builtins(ref).items() if v} if ref else None,
            },
            "status": {"token": token, "expirationTimestamp": _time(claims.iat + claims.asked_seconds)},
        }


def _entry(asked: TokenSpec, manager: str, time: str) -> dict[str, Any]:
    """Who owns the request, although it is gone with the answer."""
    bound = msgspec.to_builtins(asked.bound_object_ref) if asked.bound_object_ref else {}
    fields: dict[str, dict[str, Any] | None] = {
        "f:audiences": {} if asked.audiences else None,
        "f:boundObjectRef": {".": {}} | {f"f:{key}": {} for key, value in bound.items() if value} if bound else None,
        "f:expirationSeconds": {},
    }
    return {
        "manager": manager,
        "operation": "Update",
        "apiVersion": "authentication.k8s.io/v1",
        "time": time,
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:spec": {step: below for step, below in fields.items() if below is not None}},
        "subresource": "token",
    }


def _blind(key: PrivateKey) -> int:
    return secrets.randbelow(key.public.n - 2) + 2


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
