import json
from typing import Any

import pytest

from reconciler import accessdefaults
from reconciler.api.authorization import Authorizer
from reconciler.api.reviews import KINDS, Asked, kind_of, review
from reconciler.api.status import StatusError
from reconciler.api.tokens import ISSUER, BadToken
from reconciler.api.users import ADMIN, User
from schemas.meta import Object
from tests.unit.reconciler.api.builders import NOW, shared
from tests.unit.reconciler.api.test_authorization import binding, cluster, user
from tests.unit.reconciler.controllers.world import World

ALICE = User("alice", "alice", ("dev", "system:authenticated"))


def bearer(token: str, audiences: tuple[str, ...]) -> User:
    if token != "alicetoken" or ISSUER not in audiences:
        raise BadToken("no")
    return ALICE


def answer(
    kind: str, spec: dict[str, Any], *, of: User = ADMIN, namespace: str = "", held: tuple[Object, ...] = ()
) -> Any:  # noqa: ANN401
    (group,) = (group for (group, _), name in KINDS.items() if name == kind)
    asked = Asked(group, kind, namespace, {"spec": spec}, of, "unknown", NOW)
    return review(asked, Authorizer(cluster(*held)), bearer)


def refused(kind: str, spec: dict[str, Any], namespace: str = "") -> StatusError:
    with pytest.raises(StatusError) as caught:
        answer(kind, spec, namespace=namespace)
    return caught.value


RECORDED = ("ssar", "ssar_alice", "ssrr_alice", "sar", "tokenreview", "tokenreview_bad", "ssrr_nons")


@pytest.mark.parametrize("id_", RECORDED)
def test_questions_are_answered_as_by_kubernetes(id_: str) -> None:
    exchanges = map(json.loads, (shared() / "api" / "http.jsonl").read_text().splitlines())
    (exchange,) = (one for one in exchanges if one["id"] == id_)
    request, response = exchange["request"], exchange["response"]
    _, _, group, version, plural = request["path"].split("/")
    world = World()
    world.apply(accessdefaults.changes(world.cache))
    user_ = ALICE if request["user"] == "alice" else ADMIN
    asked = Asked(group, kind_of(group, version, plural, ""), "", request["body"], user_, "unknown", NOW)
    try:
        found = review(asked, Authorizer(world.cache), bearer)
    except StatusError as error:
        found = error.status()
    for entry in found["metadata"].get("managedFields", ()):
        entry["time"] = "<time>"
    expected = response["body"]
    assert json.loads(json.dumps(found)) == expected


def test_who_one_is() -> None:
    assert answer("SelfSubjectReview", {}, of=ALICE)["status"] == {
        "userInfo": {"username": "alice", "uid": "alice", "groups": ["dev", "system:authenticated"]}
    }


def test_whether_another_may() -> None:
    held = (binding("b", "ClusterRole/gone", user("alice")),)
    spec = {"user": "alice", "resourceAttributes": {"verb": "get", "resource": "pods"}}
    status = answer("SubjectAccessReview", spec, held=held)["status"]
    assert status == {"allowed": False, "reason": 'RBAC: clusterrole.rbac.authorization.k8s.io "gone" not found'}


@pytest.mark.parametrize(
    ("kind", "spec", "namespace", "code", "part"),
    [
        ("SubjectAccessReview", {"resourceAttributes": {}}, "", 422, "at least one of user or group"),
        ("SubjectAccessReview", {"user": "a"}, "", 422, "exactly one of nonResourceAttributes or resourceAttributes"),
        (
            "SelfSubjectAccessReview",
            {"resourceAttributes": {}, "nonResourceAttributes": {}},
            "",
            422,
            "exactly one of nonResourceAttributes",
        ),
        (
            "LocalSubjectAccessReview",
            {"user": "a", "resourceAttributes": {"namespace": "x"}},
            "shop",
            422,
            "must match metadata.namespace",
        ),
        ("SelfSubjectAccessReview", {"resourceAttributes": 7}, "", 400, "spec: Expected"),
        ("SelfSubjectRulesReview", {}, "", 400, "no namespace on request"),
        ("TokenReview", {}, "", 400, "token is required"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(
    kind: str, spec: dict[str, Any], namespace: str, code: int, part: str
) -> None:
    error = refused(kind, spec, namespace)
    assert error.code == code
    assert part in error.message


@pytest.mark.parametrize(
    ("plural", "version", "namespace"),
    [
        ("nosuchreviews", "v1", ""),
        ("subjectaccessreviews", "v1beta1", ""),
        ("subjectaccessreviews", "v1", "shop"),
        ("localsubjectaccessreviews", "v1", ""),
    ],
)
def test_a_question_has_its_place(plural: str, version: str, namespace: str) -> None:
    with pytest.raises(StatusError):
        kind_of("authorization.k8s.io", version, plural, namespace)
