import base64
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.api import rs256, signing, tokens
from reconciler.api.certificate import CannotCertify
from reconciler.api.issuing import Issuer
from reconciler.api.podtokens import PodMinter
from reconciler.api.rs256 import PrivateKey, PublicKey
from reconciler.api.status import StatusError
from reconciler.api.tokens import BadToken, BoundObject, Claims, TokenSpec
from reconciler.store.cache import Cache
from schemas.core.config import ServiceAccount
from schemas.core.pod import Pod
from schemas.meta import Object, ref_of
from schemas.podtokens import Asked
from tests.unit.reconciler.api.builders import NOW, object_of

GENERATED = rsa.generate_private_key(public_exponent=65537, key_size=1024)
"""Small, and so made quickly."""
NUMBERS = GENERATED.private_numbers()
PUBLIC = PublicKey("k1", NUMBERS.public_numbers.n, NUMBERS.public_numbers.e)
KEY = PrivateKey(PUBLIC, NUMBERS.d, NUMBERS.p, NUMBERS.q)


def thing(kind: str, name: str, uid: str, namespace: str = "shop", **fields: Any) -> Object:  # noqa: ANN401
    metadata = {"name": name, "namespace": namespace, "uid": uid} | fields.pop("metadata", {})
    found: Object = object_of({"kind": kind, "metadata": metadata} | fields)
    return found


ROBOT = thing("ServiceAccount", "robot", "sa1")
POD = thing(
    "Pod",
    "web",
    "p1",
    spec={"containers": [{"name": "c", "image": "x"}], "serviceAccountName": "robot", "nodeName": "n1"},
)
OBJECTS = {"sa": ROBOT, "pod": POD, "node": thing("Node", "n1", "n1", ""), "secret": thing("Secret", "keys", "s1")}


def view(**changed: Object | None) -> Cache:
    cache = Cache()
    cache.load(found for found in (OBJECTS | changed).values() if found is not None)
    return cache


def issue(seconds: int = 3600, *audiences: str, bound: BoundObject | None = None) -> str:
    spec = tokens.completed(TokenSpec(audiences, seconds, bound))
    assert isinstance(ROBOT, ServiceAccount)
    part = tokens.signed_part(PUBLIC, tokens.claims(ROBOT, spec, view(), NOW, "jti"))
    return tokens.token(part, rs256.sign(KEY, part, 12345))


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=200), st.integers(2, 2**1000))
def test_a_signature_is_the_one_that_a_library_makes(message: bytes, blind: int) -> None:
    signature = rs256.sign(KEY, message, blind)
    assert signature == GENERATED.sign(message, padding.PKCS1v15(), hashes.SHA256())
    assert rs256.verify(PUBLIC, message, signature)
    assert not rs256.verify(PUBLIC, message + b"x", signature)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=130))
def test_no_chance_bytes_are_a_signature(signature: bytes) -> None:
    assert not rs256.verify(PUBLIC, b"message", signature)


def test_a_number_beyond_the_modulus_is_no_signature() -> None:
    value = int.from_bytes(rs256.sign(KEY, b"m", 7), "big") + PUBLIC.n
    assert not rs256.verify(PUBLIC, b"m", value.to_bytes(PUBLIC.size + 1, "big"))
    with pytest.raises(ValueError, match="unfit"):
        rs256.sign(KEY, b"m", 0)


def test_a_token_says_whose_it_is() -> None:
    user = tokens.user_of(tokens.read(issue(), PUBLIC), view(), NOW)
    assert (user.name, user.uid) == ("system:serviceaccount:shop:robot", "sa1")
    assert user.groups == ("system:serviceaccounts", "system:serviceaccounts:shop", "system:authenticated")
    assert user.extra == {"authentication.kubernetes.io/credential-id": ("JTI=jti",)}


def test_a_token_of_a_pod_names_it_and_its_node() -> None:
    user = tokens.user_of(tokens.read(issue(bound=BoundObject("Pod", "v1", "web", "p1")), PUBLIC), view(), NOW)
    assert user.extra["authentication.kubernetes.io/pod-uid"] == ("p1",)
    assert user.extra["authentication.kubernetes.io/node-name"] == ("n1",)


ENDING = msgspec.structs.replace(
    POD, metadata=msgspec.structs.replace(POD.metadata, deletion_timestamp=NOW + timedelta(seconds=30))
)


@pytest.mark.parametrize(
    ("changed", "later", "audiences", "why"),
    [
        pytest.param({}, 3600, (), "its time is over", id="expired"),
        pytest.param({}, -61, (), "its time is over", id="not yet"),
        pytest.param({"sa": None}, 0, (), "ServiceAccount that it is bound to is gone", id="account gone"),
        pytest.param({"sa": thing("ServiceAccount", "robot", "sa2")}, 0, (), "is gone", id="another account"),
        pytest.param({"pod": None}, 0, (), "Pod that it is bound to is gone", id="pod gone"),
        pytest.param({"pod": thing("Pod", "web", "p2", spec={"containers": []})}, 0, (), "is gone", id="another pod"),
        pytest.param({"pod": ENDING}, 91, (), "has ended", id="pod ended"),
        pytest.param({"node": None}, 0, (), "Node that it is bound to is gone", id="node gone"),
        pytest.param({}, 0, ("vault",), "another audience", id="audience"),
    ],
)
def test_a_token_holds_no_longer_than_what_it_is_bound_to(
    changed: dict[str, Object | None], later: int, audiences: tuple[str, ...], why: str
) -> None:
    claims = tokens.read(issue(3600, *audiences, bound=BoundObject("Pod", "v1", "web")), PUBLIC)
    with pytest.raises(BadToken, match=why):
        tokens.user_of(claims, view(**changed), NOW + timedelta(seconds=later))


def test_the_token_of_a_pod_holds_while_the_pod_ends() -> None:
    claims = tokens.read(issue(bound=BoundObject("Pod", "v1", "web")), PUBLIC)
    assert tokens.user_of(claims, view(pod=ENDING), NOW + timedelta(seconds=60)).name.endswith(":robot")


def encoded(part: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def test_what_was_not_signed_so_is_no_token() -> None:
    header, claims, signature = issue().split(".")
    other = json.loads(base64.urlsafe_b64decode(claims + "==")) | {"sub": "system:serviceaccount:shop:root"}
    for text in (
        f"{header}.{encoded(other)}.{signature}",
        f"{encoded({'alg': 'none', 'kid': 'k1'})}.{claims}.",
        f"{encoded({'alg': 'HS256', 'kid': 'k1'})}.{claims}.{signature}",
        f"{encoded({'alg': 'RS256', 'kid': 'k2'})}.{claims}.{signature}",
        f"{header}.{claims}.{signature[:-4]}AAAA",
        f"{header}.{claims}",
        "a.b.c",
        "..",
        "",
        "é" * 10,
        "x" * (tokens.MAX_BYTES + 1),
    ):
        with pytest.raises(BadToken):
            tokens.read(text, PUBLIC)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=80))
def test_any_text_is_refused_and_none_breaks_the_reader(text: str) -> None:
    with pytest.raises(BadToken):
        tokens.read(text, PUBLIC)


@pytest.mark.parametrize(
    ("bound", "code"),
    [
        pytest.param(BoundObject("Pod", "v1", "nosuch"), 404, id="no such pod"),
        pytest.param(BoundObject("Pod", "v1", "web", "p9"), 409, id="another uid"),
        pytest.param(BoundObject("ConfigMap", "v1", "web"), 400, id="another kind"),
        pytest.param(BoundObject("Pod", "v2", "web"), 400, id="another version"),
    ],
)
def test_a_token_is_bound_to_what_is_there(bound: BoundObject, code: int) -> None:
    with pytest.raises(StatusError) as caught:
        issue(bound=bound)
    assert caught.value.code == code


@pytest.mark.parametrize("seconds", [0, 599, (1 << 32) + 1])
def test_a_token_lasts_ten_minutes_or_more(seconds: int) -> None:
    with pytest.raises(StatusError) as caught:
        tokens.completed(TokenSpec(expiration_seconds=seconds))
    assert caught.value.code == 422
    assert tokens.completed(TokenSpec()) == TokenSpec((tokens.ISSUER,), 3600)


def test_claims_are_written_as_kubernetes_writes_them() -> None:
    _, claims, _ = issue(bound=BoundObject("Secret", "v1", "keys")).split(".")
    said = json.loads(base64.urlsafe_b64decode(claims + "=="))
    assert said["kubernetes.io"] == {
        "namespace": "shop",
        "serviceaccount": {"name": "robot", "uid": "sa1"},
        "secret": {"name": "keys", "uid": "s1"},
    }
    assert datetime.fromtimestamp(said["exp"], NOW.tzinfo) == NOW + timedelta(hours=1)
    assert isinstance(msgspec.convert(said, Claims), Claims)
    assert ref_of(ROBOT).name == "robot"


def test_the_token_that_every_pod_gets_holds_for_a_year_and_tells_when_it_should_be_read_again() -> None:
    spec = tokens.completed(TokenSpec((), 3607, BoundObject("Pod", "v1", "web", "p1")))
    assert isinstance(ROBOT, ServiceAccount)
    said = tokens.claims(ROBOT, spec, view(), NOW, "jti")
    assert (said.exp - said.iat, said.bound.warnafter - said.iat, said.asked_seconds) == (31536007, 3607, 3607)
    unbound = tokens.claims(ROBOT, tokens.completed(TokenSpec((), 3607)), view(), NOW, "jti")
    assert (unbound.exp - unbound.iat, unbound.bound.warnafter) == (3607, 0)


def test_many_are_signed_by_a_process_of_its_own_with_the_same_outcome(tmp_path: Path) -> None:
    numbers = (NUMBERS.public_numbers.n, NUMBERS.public_numbers.e, NUMBERS.d, NUMBERS.p, NUMBERS.q)
    stored = dict(zip(("n", "e", "d", "p", "q"), (f"{number:x}" for number in numbers), strict=True))
    (tmp_path / "service-accounts.json").write_bytes(msgspec.json.encode(stored))
    parts = [b"one.part", b"another.part"]
    assert signing.sign_all(tmp_path, parts) == [rs256.sign(KEY, part, 12345) for part in parts]
    with pytest.raises(CannotCertify, match="there is no key"):
        signing.sign_all(tmp_path / "nowhere", parts)


async def test_the_minter_makes_what_the_api_takes_and_reads_it_again(tmp_path: Path) -> None:
    numbers = (NUMBERS.public_numbers.n, NUMBERS.public_numbers.e, NUMBERS.d, NUMBERS.p, NUMBERS.q)
    stored = dict(zip(("n", "e", "d", "p", "q"), (f"{number:x}" for number in numbers), strict=True))
    (tmp_path / "service-accounts.json").write_bytes(msgspec.json.encode(stored))
    issuer = Issuer(tmp_path, view())
    minter = PodMinter(issuer, view(), lambda: NOW)
    assert isinstance(POD, Pod)
    (minted,) = await minter.mint([(POD, Asked("", 3607))])
    assert minted is not None
    assert issuer.public_key is not None
    user = tokens.user_of(tokens.read(minted.text.decode(), issuer.public_key), view(), NOW)
    assert user.name == "system:serviceaccount:shop:robot"
    assert minter.read("p1", minted.text) == minted
    assert minter.read("p2", minted.text) is None
    assert minter.read("p1", b"rubbish") is None
    assert NOW.timestamp() + 290 * 86400 < minted.due < NOW.timestamp() + 300 * 86400
    assert await PodMinter(issuer, view(sa=None), lambda: NOW).mint([(POD, Asked("", 3607))]) == [None]
