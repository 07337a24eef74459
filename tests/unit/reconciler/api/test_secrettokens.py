"""Tokens in Secrets: filled in, held to their Secret and account."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from reconciler.api import secrettokens, tokens
from reconciler.api.auth import Authenticator
from reconciler.api.issuing import Issuer
from reconciler.api.secretfilling import SecretTokens
from reconciler.api.tokens import BadToken
from reconciler.store.cache import Cache
from reconciler.store.changes import Create, Delete
from schemas.core.config import Secret
from schemas.meta import Ref
from tests.unit.reconciler.api.builders import NOW, object_of
from tests.unit.reconciler.api.test_tokens import NUMBERS
from tests.unit.reconciler.running import open_cluster, running, until


def _account(name: str = "robot") -> Any:  # noqa: ANN401
    return object_of({"kind": "ServiceAccount", "metadata": {"name": name, "namespace": "default"}})


def _secret(name: str = "keys") -> Any:  # noqa: ANN401
    metadata = {"name": name, "namespace": "default", "annotations": {secrettokens.NAME: "robot"}}
    return object_of({"kind": "Secret", "metadata": metadata, "type": secrettokens.TYPE})


def _issuer(directory: Path, view: Any) -> Issuer:  # noqa: ANN401
    numbers = (NUMBERS.public_numbers.n, NUMBERS.public_numbers.e, NUMBERS.d, NUMBERS.p, NUMBERS.q)
    stored = dict(zip(("n", "e", "d", "p", "q"), (f"{number:x}" for number in numbers), strict=True))
    directory.mkdir(exist_ok=True)
    (directory / "service-accounts.json").write_bytes(msgspec.json.encode(stored))
    return Issuer(directory, view)


async def test_a_secret_for_a_token_is_filled_and_its_token_holds_as_long_as_it_is_there(tmp_path: Path) -> None:
    async with open_cluster(tmp_path) as cluster:
        issuer = _issuer(tmp_path / "pki", cluster.cache)
        async with running(SecretTokens(cluster, issuer, "PEM").run()):
            await cluster.apply([Create(_secret())])
            await cluster.apply([Create(_account())])

            def held() -> Secret:
                found = cluster.cache.get(Secret, "default", "keys")
                assert found is not None
                return found

            await until(lambda: bool(held().data), cluster)
            assert (held().data["ca.crt"], held().data["namespace"]) == (b"PEM", b"default")
            token = held().data["token"].decode()
            authenticator = Authenticator(cluster.cache, "other", {}, issuer)
            assert authenticator.bearer(token, NOW).name == "system:serviceaccount:default:robot"
            with pytest.raises(BadToken, match="audience"):
                authenticator.bearer(token, NOW, ("vault",))
            await cluster.apply([Delete(Ref("Secret", "default", "keys"))])
            with pytest.raises(BadToken, match="Secret"):
                authenticator.bearer(token, NOW)


def test_a_token_of_another_secret_or_account_does_not_hold(tmp_path: Path) -> None:
    account = msgspec.structs.replace(_account(), metadata=msgspec.structs.replace(_account().metadata, uid="sa1"))
    secret = secrettokens.filled(_secret(), account, b"one", "PEM")
    said = secrettokens.claims(secret, account)
    view = Cache()
    view.load([account, secret])
    assert secrettokens.user_of("one", said, view).uid == "sa1"
    with pytest.raises(BadToken, match="another"):
        secrettokens.user_of("two", said, view)
    other = Cache()
    other.load([secret])
    with pytest.raises(BadToken, match="ServiceAccount"):
        secrettokens.user_of("one", said, other)
    assert secrettokens.filled(secret, account, b"", "PEM") == secret
    assert not secrettokens.lacks_token(secret, account)


def test_such_a_token_is_no_bound_one(tmp_path: Path) -> None:
    issuer = _issuer(tmp_path, None)
    assert issuer.public_key is not None
    with pytest.raises(BadToken):
        tokens.read_of_secret("a.b.c", issuer.public_key)
