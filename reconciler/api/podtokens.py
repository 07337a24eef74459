"""Makes the tokens that pods get, for the link to carry: as `kubectl create token --bound-object-kind Pod` would."""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import uuid4

from reconciler.api import tokens
from reconciler.api.certificate import CannotCertify
from reconciler.api.issuing import Issuer
from reconciler.api.status import StatusError
from reconciler.api.tokens import BadToken, BoundObject, Claims, TokenSpec
from reconciler.link.tokens import CannotMint, Minted
from reconciler.store.view import View
from schemas.core.config import ServiceAccount
from schemas.core.pod import Pod
from schemas.podtokens import Asked

_LIFE = 0.8
"""The share of its time after which a token is replaced, as the kubelet does."""


class PodMinter:
    def __init__(self, issuer: Issuer, view: View, clock: Callable[[], datetime]) -> None:
        self._issuer, self._view, self._clock = issuer, view, clock

    async def mint(self, wanted: Sequence[tuple[Pod, Asked]]) -> Sequence[Minted | None]:
        said = [self._claims(pod, asked) for pod, asked in wanted]
        try:
            texts = iter(await self._issuer.signed([one for one in said if one is not None]))
        except (CannotCertify, OSError) as error:
            raise CannotMint(str(error)) from error
        return [None if one is None else _minted(next(texts).encode(), one) for one in said]

    def read(self, uid: str, text: bytes) -> Minted | None:
        key = self._issuer.public_key
        if key is None:
            return None
        try:
            said = tokens.read(text.decode(), key)
        except (BadToken, UnicodeDecodeError):
            return None
        return _minted(text, said) if said.bound.pod is not None and said.bound.pod.uid == uid else None

    def _claims(self, pod: Pod, asked: Asked) -> Claims | None:
        """None where the pod or its account has gone meanwhile."""
        metadata = pod.metadata
        account = self._view.get(ServiceAccount, metadata.namespace, pod.spec.service_account_name)
        if account is None:
            return None
        bound = BoundObject("Pod", "v1", metadata.name, metadata.uid)
        spec = TokenSpec((asked.audience,) if asked.audience else (), asked.seconds, bound)
        try:
            completed = tokens.completed(spec)
            return tokens.claims(account, completed, self._view, self._clock(), str(uuid4()))
        except StatusError:
            return None


def _minted(text: bytes, said: Claims) -> Minted:
    return Minted(text, said.bound.serviceaccount.uid, said.iat + _LIFE * (said.exp - said.iat))
