"""Webhooks of the forges, as they send them."""

import hashlib
import hmac
import json
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from reconciler.manifests.git.webhook import is_genuine, is_push_to

SECRET = b"shared"
PUSH = json.dumps({"ref": "refs/heads/main", "after": "1" * 40}).encode()


def signed(body: bytes, secret: bytes = SECRET) -> str:
    return hmac.new(secret, body, hashlib.sha256).hexdigest()


@pytest.mark.parametrize(
    ("headers", "genuine"),
    [
        pytest.param({"X-Hub-Signature-256": f"sha256={signed(PUSH)}"}, True, id="GitHub"),
        pytest.param({"X-Gitea-Signature": signed(PUSH)}, True, id="Gitea"),
        pytest.param({"X-Forgejo-Signature": signed(PUSH)}, True, id="Forgejo"),
        pytest.param({"X-Gitlab-Token": "shared"}, True, id="GitLab"),
        pytest.param({"X-Hub-Signature-256": f"sha256={signed(PUSH, b'other')}"}, False, id="another secret"),
        pytest.param({"X-Hub-Signature-256": f"sha256={signed(b'other')}"}, False, id="another body"),
        pytest.param({"X-Hub-Signature-256": signed(PUSH)}, False, id="without the scheme"),
        pytest.param({"X-Hub-Signature": f"sha1={signed(PUSH)}"}, False, id="sha1 is not asked for"),
        pytest.param({"X-Gitlab-Token": ""}, False, id="empty token"),
        pytest.param({"X-Gitlab-Token": "shäred"}, False, id="no ASCII"),
        pytest.param({}, False, id="unsigned"),
        pytest.param({"X-Hub-Signature-256": "x", "X-Gitlab-Token": "shared"}, False, id="the first one counts"),
    ],
)
def test_whether_it_is_genuine(headers: dict[str, str], genuine: bool) -> None:
    assert is_genuine(CIMultiDict(headers), PUSH, SECRET) is genuine


@given(st.binary(max_size=200), st.text(max_size=80))
def test_a_signature_that_is_made_up_is_never_genuine(body: bytes, made_up: str) -> None:
    for name in ("X-Hub-Signature-256", "X-Gitea-Signature"):
        assert not is_genuine({name: made_up}, body, SECRET)


@pytest.mark.parametrize(
    ("event", "ref", "follows", "is_push"),
    [
        pytest.param(("X-GitHub-Event", "push"), "refs/heads/main", "refs/heads/main", True, id="GitHub"),
        pytest.param(("X-Gitea-Event", "push"), "refs/heads/main", "refs/heads/main", True, id="Gitea"),
        pytest.param(("X-Gitlab-Event", "Push Hook"), "refs/heads/main", "refs/heads/main", True, id="GitLab"),
        pytest.param(("X-Gitlab-Event", "Tag Push Hook"), "refs/tags/v1", "refs/tags/v1", True, id="GitLab tag"),
        pytest.param(("X-GitHub-Event", "push"), "refs/heads/other", "refs/heads/main", False, id="other branch"),
        pytest.param(("X-GitHub-Event", "push"), "refs/heads/any", "refs/heads/", True, id="HEAD not known yet"),
        pytest.param(("X-GitHub-Event", "push"), "refs/tags/v1", "refs/heads/", False, id="a tag is no branch"),
        pytest.param(("X-GitHub-Event", "ping"), "refs/heads/main", "refs/heads/main", False, id="ping"),
        pytest.param(("X-Gitlab-Event", "Issue Hook"), "refs/heads/main", "refs/heads/main", False, id="issue"),
        pytest.param(("X-Other", "push"), "refs/heads/main", "refs/heads/main", False, id="no event"),
    ],
)
def test_whether_it_tells_of_a_push_to_what_is_followed(
    event: tuple[str, str], ref: str, follows: str, is_push: bool
) -> None:
    body = json.dumps({"ref": ref}).encode()
    for sent in (body, urlencode({"payload": body}).encode()):
        assert is_push_to(CIMultiDict([event]), sent, follows) is is_push


@given(st.binary(max_size=300))
def test_no_body_breaks_it(body: bytes) -> None:
    assert not is_push_to({"X-GitHub-Event": "push"}, body, "refs/heads/main")
    assert not is_push_to({"X-GitHub-Event": "push"}, b"payload=" + body, "refs/heads/main")
