"""Puts tokens into the Secrets that are made for them: looks at what changes, and signs what lacks."""

import asyncio
import logging
from collections.abc import Sequence

from reconciler.api import secrettokens
from reconciler.api.certificate import CannotCertify
from reconciler.api.issuing import Issuer
from reconciler.store.changes import ChangeError, Update
from reconciler.store.cluster import Cluster
from reconciler.store.interface import StoreError
from reconciler.store.view import Event
from schemas.core.config import Secret, ServiceAccount
from schemas.meta import Object, Ref, ref_of

log = logging.getLogger(__name__)

RETRY_SECONDS = 30.0


class SecretTokens:
    """`authority` (PEM) is what clients of the API have to trust."""

    def __init__(self, cluster: Cluster, issuer: Issuer, authority: str) -> None:
        self._cluster, self._issuer, self._authority = cluster, issuer, authority
        self._due: dict[Ref, None] = {}
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled."""
        end = self._cluster.cache.subscribe(self._listen)
        try:
            for secret in self._cluster.cache.list(Secret):
                self._look_at(secret)
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._due:
                    ref = next(iter(self._due))
                    del self._due[ref]
                    await self._fill(ref)
        finally:
            end()

    def _listen(self, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event.new, Secret):
                self._look_at(event.new)
            elif isinstance(event.new, ServiceAccount) and event.old is None:
                for secret in self._cluster.cache.list(Secret, event.new.metadata.namespace):
                    self._look_at(secret)

    def _look_at(self, secret: Object) -> None:
        if isinstance(secret, Secret) and secret.type == secrettokens.TYPE:
            self._again(ref_of(secret))

    def _again(self, ref: Ref) -> None:
        self._due[ref] = None
        self._wake.set()

    async def _fill(self, ref: Ref) -> None:
        view = self._cluster.cache
        secret = view.get(Secret, ref.namespace, ref.name)
        account = secrettokens.account_of(secret, view) if secret is not None else None
        if secret is None or account is None:
            return
        try:
            token = b""
            if secrettokens.lacks_token(secret, account):
                (text,) = await self._issuer.signed([secrettokens.claims(secret, account)])
                token = text.encode()
            filled = secrettokens.filled(secret, account, token, self._authority)
            if filled != secret:
                await self._cluster.apply([Update(filled)])
        except ChangeError:
            return  # somebody was quicker, whose change is looked at in its turn
        except (CannotCertify, StoreError, OSError) as error:
            log.error("cannot fill a Secret with a token, trying again later secret=%s error=%s", ref, error)
            asyncio.get_running_loop().call_later(RETRY_SECONDS, self._again, ref)
