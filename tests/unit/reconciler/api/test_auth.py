from datetime import timedelta
from pathlib import Path

import pytest

from reconciler.api.auth import Authenticator, Peer, load_users
from reconciler.api.issuing import Issuer
from reconciler.api.status import StatusError
from reconciler.api.tokens import BadToken
from reconciler.api.users import ADMIN, ANONYMOUS, User
from reconciler.store.cache import Cache
from schemas.configuration import BadConfiguration
from tests.unit.reconciler.api.builders import NOW

ALICE = User("alice", "7", ("dev", "system:authenticated"))


@pytest.fixture
def authenticator(tmp_path: Path) -> Authenticator:
    view = Cache()
    return Authenticator(view, "good", {"alices": ALICE}, Issuer(tmp_path, view))


@pytest.mark.parametrize(
    ("authorization", "user"),
    [
        pytest.param("Bearer good", ADMIN, id="the cluster's token"),
        pytest.param("bearer good", ADMIN, id="the scheme in any case"),
        pytest.param("Bearer alices", ALICE, id="a user's token"),
        pytest.param("Bearer bad", None, id="no such token"),
        pytest.param("Bearer a.b.c", None, id="no token at all"),
        pytest.param("Bearer \udce9", None, id="not even text"),
        pytest.param("Basic good", None, id="another scheme"),
        pytest.param("", ANONYMOUS, id="nothing"),
    ],
)
def test_a_token_says_who_asks(authenticator: Authenticator, authorization: str, user: User | None) -> None:
    if user is not None:
        assert authenticator.authenticate(authorization, None, NOW) == user
        return
    with pytest.raises(StatusError) as caught:
        authenticator.authenticate(authorization, None, NOW)
    assert (caught.value.code, caught.value.message) == (401, "Unauthorized")


def peer(*names: tuple[str, str], ends: str = "Mar 30 12:00:00 2026 GMT") -> Peer:
    return Peer({"subject": tuple((name,) for name in names), "notAfter": ends}, b"certificate")


def test_a_certificate_says_who_asks(authenticator: Authenticator) -> None:
    shown = peer(("organizationName", "dev"), ("organizationName", "ops"), ("commonName", "bob"))
    user = authenticator.authenticate("", shown, NOW)
    assert (user.name, user.groups) == ("bob", ("dev", "ops", "system:authenticated"))
    assert user.extra["authentication.kubernetes.io/credential-id"][0].startswith("X509SHA256=")
    assert authenticator.authenticate("Bearer good", shown, NOW) == user


@pytest.mark.parametrize(
    "shown",
    [
        pytest.param(peer(("organizationName", "dev")), id="without a name"),
        pytest.param(peer(("commonName", "bob"), ends="Mar 1 11:59:59 2026 GMT"), id="ended meanwhile"),
    ],
)
def test_a_certificate_that_does_not_hold_is_refused(authenticator: Authenticator, shown: Peer) -> None:
    with pytest.raises(StatusError):
        authenticator.authenticate("", shown, NOW)


def test_a_users_token_is_for_the_api_alone(authenticator: Authenticator) -> None:
    with pytest.raises(BadToken, match="audience"):
        authenticator.bearer("alices", NOW + timedelta(days=1), ("vault",))


def test_users_are_read_as_kubernetes_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "tokens.csv"
    path.write_text('alices,alice,7,"dev"\nb, bob ,8,"dev, ops"\n\nc,carol,9\n')
    assert load_users(path) == {
        "alices": ALICE,
        "b": User("bob", "8", ("dev", "ops", "system:authenticated")),
        "c": User("carol", "9", ("system:authenticated",)),
    }


@pytest.mark.parametrize("text", ["secret\n", "secret,alice\n", ",alice,7\n", "secret,,7\n"])
def test_a_line_that_names_no_user_is_named_without_its_token(tmp_path: Path, text: str) -> None:
    path = tmp_path / "tokens.csv"
    path.write_text("a,b,c\n" + text)
    with pytest.raises(BadConfiguration, match=r"api.tokensFile: .*tokens.csv:2: expected") as caught:
        load_users(path)
    assert "secret" not in str(caught.value)
    with pytest.raises(BadConfiguration, match="cannot be read"):
        load_users(tmp_path / "nosuch")
