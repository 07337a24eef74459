"""Several people at one API, with the real kubectl."""

import base64
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reconciler import accessdefaults
from reconciler.api import certificate, kubeconfig
from reconciler.api.kubeconfig import Access
from reconciler.store.changes import Delete
from schemas.meta import Ref
from tests.unit.reconciler.api.conftest import Said, Served, created

AS_ALICE = ("--as=alice", "--as-group=dev")


@pytest.fixture
async def kept(served: Served) -> Served:
    """With the roles that a cluster begins with."""
    await served.apply(*accessdefaults.changes(served.cluster.cache))
    return served


async def ask(kept: Served, path: Path, *arguments: str) -> Said:
    """The answer to somebody else."""
    return await kept.try_kubectl(f"--kubeconfig={path}", *arguments)


def certified(kept: Served, name: str, *groups: str) -> Path:
    """A kubeconfig with a client certificate."""
    access = kept.server.access
    made = certificate.issue(kept.directory / "api", name, groups, 1, datetime.now(UTC))
    path = kept.directory / f"{name}.kubeconfig"
    path.write_bytes(kubeconfig.text(access, name, kubeconfig.client_credentials(made)))
    return path


def with_token(kept: Served, token: str) -> Path:
    access = kept.server.access
    path = kept.directory / "token.kubeconfig"
    kubeconfig.write(path, Access(access.server, access.authority, token))
    return path


async def test_a_person_with_a_certificate_may_do_what_a_role_allows(kept: Served) -> None:
    alice = certified(kept, "alice", "dev")
    assert "alice" in (await ask(kept, alice, "auth", "whoami")).out
    assert "[dev system:authenticated]" in (await ask(kept, alice, "auth", "whoami")).out
    assert (await ask(kept, alice, "get", "pods")).err == (
        'Error from server (Forbidden): pods is forbidden: User "alice" cannot list resource "pods" '
        'in API group "" in the namespace "default"\n'
    )
    await kept.kubectl("create", "rolebinding", "devs", "--clusterrole=edit", "--group=dev")
    assert "web" in (await ask(kept, alice, "get", "pods")).out
    assert (await ask(kept, alice, "label", "pod", "web", "tier=front")).code == 0
    assert "cannot list resource" in (await ask(kept, alice, "get", "pods", "-n", "other")).err
    assert (
        'cannot list resource "nodes" in API group "" at the cluster scope'
        in (await ask(kept, alice, "get", "nodes")).err
    )
    assert (
        'forbidden: User "alice" cannot get path "/metrics"' in (await ask(kept, alice, "get", "--raw", "/metrics")).err
    )


async def test_a_service_account_acts_with_its_token_until_it_is_gone(kept: Served) -> None:
    await kept.kubectl("create", "rolebinding", "robots", "--clusterrole=view", "--serviceaccount=default:robot")
    token = (await kept.kubectl("create", "token", "robot", "--duration=15m")).out.strip()
    robot = with_token(kept, token)
    said = await ask(kept, robot, "auth", "whoami")
    assert "system:serviceaccount:default:robot" in said.out
    assert "[system:serviceaccounts system:serviceaccounts:default system:authenticated]" in said.out
    assert "web" in (await ask(kept, robot, "get", "pods")).out
    assert "cannot get resource" in (await ask(kept, robot, "get", "secret", "keys")).err
    await kept.apply(Delete(Ref("ServiceAccount", "default", "robot")))
    await kept.apply(created("ServiceAccount", "robot"))
    assert "Unauthorized" in (await ask(kept, robot, "get", "pods")).err


async def test_a_token_that_is_bound_to_a_pod_goes_with_it(kept: Served) -> None:
    pod = {"containers": [{"name": "c", "image": "x"}], "serviceAccountName": "robot"}
    await kept.apply(created("Pod", "bound", spec=pod))
    bound = ("--bound-object-kind=Pod", "--bound-object-name=bound")
    token = (await kept.kubectl("create", "token", "robot", *bound)).out.strip()
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    assert claims["kubernetes.io"]["pod"]["uid"] == kept.find("Pod", "bound").metadata.uid
    path = with_token(kept, token)
    assert "authentication.kubernetes.io/pod-name" in (await ask(kept, path, "auth", "whoami")).out
    await kept.apply(Delete(Ref("Pod", "default", "bound"), grace_seconds=0))
    assert "Unauthorized" in (await ask(kept, path, "auth", "whoami")).err
    wrong = await kept.try_kubectl("create", "token", "robot", "--bound-object-kind=Pod", "--bound-object-name=web")
    assert "pod running with different serviceaccount name" in wrong.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(
            ("robot", "--duration=10s"),
            'error: failed to create token: TokenRequest.authentication.k8s.io "" is invalid: '
            "spec.expirationSeconds: Invalid value: 10: may not specify a duration less than 10 minutes\n",
            id="too short",
        ),
        pytest.param(
            ("nosuch",), 'error: failed to create token: serviceaccounts "nosuch" not found\n', id="of nobody"
        ),
    ],
)
async def test_a_token_that_cannot_be_is_refused(kept: Served, arguments: tuple[str, ...], said: str) -> None:
    assert (await kept.try_kubectl("create", "token", *arguments)).err == said


async def test_a_token_for_another_audience_does_not_open_the_api(kept: Served) -> None:
    token = (await kept.kubectl("create", "token", "robot", "--audience=vault")).out.strip()
    assert "must be logged in" in (await ask(kept, with_token(kept, token), "get", "pods")).err


async def test_whoever_may_asks_in_anothers_name(kept: Served) -> None:
    assert (await kept.kubectl("auth", "whoami", *AS_ALICE)).rows[1:] == [
        ["Username", "alice"],
        ["Groups", "[dev system:authenticated]"],
    ]
    other = await kept.kubectl("auth", "whoami", "--as=bob", "--as-uid=u1", "--as-user-extra=dept=it")
    assert other.rows[1:] == [
        ["Username", "bob"],
        ["UID", "u1"],
        ["Groups", "[system:authenticated]"],
        ["Extra: dept", "[it]"],
    ]
    alice = certified(kept, "alice")
    await kept.kubectl("get", "pods")  # so that kubectl knows what is served, and asks for nothing else
    assert (await ask(kept, alice, "get", "pods", "--as=bob")).err == (
        'Error from server (Forbidden): pods is forbidden: User "alice" cannot impersonate-on:user-info:list '
        'resource "pods" in API group "" in the namespace "default"\n'
    )
    await kept.kubectl(
        "create", "clusterrole", "as-bob", "--verb=impersonate", "--resource=users", "--resource-name=bob"
    )
    await kept.kubectl("create", "clusterrolebinding", "as-bob", "--clusterrole=as-bob", "--user=alice")
    assert "bob" in (await ask(kept, alice, "auth", "whoami", "--as=bob")).out
    assert (await ask(kept, alice, "auth", "whoami", "--as=carol")).code == 1


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        pytest.param(("create", "pods"), "yes\n", id="the administrator"),
        pytest.param(("*", "*"), "yes\n", id="everything"),
        pytest.param(("get", "secrets", *AS_ALICE), "no\n", id="alice"),
        pytest.param(("get", "pods/log", *AS_ALICE), "no\n", id="a subresource"),
        pytest.param(("get", "/logs/", *AS_ALICE), "no\n", id="a path"),
        pytest.param(("get", "/healthz", *AS_ALICE), "yes\n", id="health"),
    ],
)
async def test_can_i(kept: Served, asked: tuple[str, ...], answer: str) -> None:
    assert (await kept.try_kubectl("auth", "can-i", *asked)).out == answer


async def test_what_one_may_is_listed(kept: Served) -> None:
    said = await kept.kubectl("auth", "can-i", "--list", "-n", "other", *AS_ALICE)
    assert ["selfsubjectreviews.authentication.k8s.io", "[]", "[]", "[create]"] in said.rows
    assert said.rows.count(["[/version]", "[]", "[get]"]) == 2
    assert len(said.rows) == 20
    assert ["*.*", "[]", "[]", "[*]"] in (await kept.kubectl("auth", "can-i", "--list")).rows


async def test_nobody_grants_what_they_may_not(kept: Served) -> None:
    await kept.kubectl("create", "rolebinding", "alice", "--clusterrole=admin", "--user=alice")
    refused = await kept.try_kubectl("create", "role", "esc", "--verb=get", "--resource=pods/status,nodes", *AS_ALICE)
    assert refused.err == (
        'Error from server (Forbidden): roles.rbac.authorization.k8s.io "esc" is forbidden: user "alice" '
        '(groups=["dev" "system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n'
        '{APIGroups:[""], Resources:["nodes"], Verbs:["get"]}\n'
    )
    bound = await kept.try_kubectl(
        "create", "rolebinding", "esc", "--clusterrole=cluster-admin", "--user=alice", *AS_ALICE
    )
    assert bound.err.endswith('{APIGroups:["*"], Resources:["*"], Verbs:["*"]}\n{NonResourceURLs:["*"], Verbs:["*"]}\n')
    assert (await kept.try_kubectl("create", "role", "ok", "--verb=get", "--resource=pods", *AS_ALICE)).code == 0
    rules = '[{"op":"replace","path":"/rules/0/resources","value":["nodes"]}]'
    patched = await kept.try_kubectl("patch", "role", "ok", "--type=json", "-p", rules, *AS_ALICE)
    assert "not currently held" in patched.err
    declared = '{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"Role","metadata":{"name":"applied"},"rules":'
    declared += '[{"apiGroups":[""],"resources":["nodes"],"verbs":["get"]}]}'
    applied = await kept.try_kubectl("apply", "--server-side", "-f", "-", *AS_ALICE, stdin=declared)
    assert "not currently held" in applied.err


async def test_reviews_are_answered(kept: Served) -> None:
    await kept.kubectl("create", "rolebinding", "alice-edit", "--clusterrole=edit", "--user=alice")
    question = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": "alice", "resourceAttributes": {"namespace": "default", "verb": "get", "resource": "pods"}},
    }
    said = await kept.kubectl("create", "--validate=false", "-o", "json", "-f", "-", stdin=json.dumps(question))
    assert json.loads(said.out)["status"] == {
        "allowed": True,
        "reason": 'RBAC: allowed by RoleBinding "alice-edit/default" of ClusterRole "edit" to User "alice"',
    }
    question["spec"] = {"user": "alice"}
    empty = await kept.try_kubectl("create", "--validate=false", "-f", "-", stdin=json.dumps(question))
    assert empty.err == (
        "The request is invalid: spec.resourceAttributes: Invalid value: null: exactly one of nonResourceAttributes "
        "or resourceAttributes must be specified\n"
    )
    local = question | {"kind": "LocalSubjectAccessReview", "metadata": {"namespace": "default"}}
    local["spec"] = {"user": "bob", "resourceAttributes": {"namespace": "default", "verb": "get", "resource": "pods"}}
    said = await kept.kubectl("create", "--validate=false", "-o", "json", "-f", "-", stdin=json.dumps(local))
    assert json.loads(said.out)["status"] == {"allowed": False}
    token = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": "wrong"}}
    said = await kept.kubectl("create", "--validate=false", "-o", "json", "-f", "-", stdin=json.dumps(token))
    assert json.loads(said.out)["status"] == {"error": "invalid bearer token", "user": {}}


async def test_others_can_check_a_token_by_the_keys_that_are_shown(kept: Served) -> None:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

    token = (await kept.kubectl("create", "token", "robot")).out.strip()
    robot = with_token(kept, token)
    told = json.loads((await ask(kept, robot, "get", "--raw", "/.well-known/openid-configuration")).out)
    assert told["jwks_uri"] == f"{kept.server.access.server}/openid/v1/jwks"
    (key,) = json.loads((await ask(kept, robot, "get", "--raw", "/openid/v1/jwks")).out)["keys"]

    def number(text: str) -> int:
        return int.from_bytes(base64.urlsafe_b64decode(text + "=="), "big")

    part, _, signature = token.rpartition(".")
    public = RSAPublicNumbers(number(key["e"]), number(key["n"])).public_key()
    public.verify(base64.urlsafe_b64decode(signature + "=="), part.encode(), padding.PKCS1v15(), hashes.SHA256())


async def test_the_key_of_tokens_is_its_owners_alone(kept: Served) -> None:
    await kept.kubectl("create", "token", "robot")
    path = kept.directory / "api" / "service-accounts.json"
    assert os.stat(path).st_mode & 0o777 == 0o600
