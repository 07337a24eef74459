from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.api import escalation, impersonation
from reconciler.api.attributes import Attributes
from reconciler.api.authorization import Authorizer
from reconciler.api.status import StatusError
from reconciler.api.users import ADMIN, User
from schemas.meta import Object
from tests.unit.reconciler.api.builders import object_of
from tests.unit.reconciler.api.test_authorization import ALICE, PODS, ROBOT, binding, cluster, pods, role, user

RBAC = "rbac.authorization.k8s.io"
SECRETS = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}
TRUSTED = {"apiGroups": [RBAC], "resources": ["roles", "clusterroles"], "verbs": ["escalate", "bind"]}
EVERYTHING = ({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}, {"nonResourceURLs": ["*"], "verbs": ["*"]})


def given_to_alice(*rules: dict[str, Any], others: tuple[Object, ...] = ()) -> Authorizer:
    return Authorizer(cluster(role("held", *rules), binding("b", "ClusterRole/held", user("alice")), *others))


def picking(name: str) -> Object:
    selector = {"matchLabels": {"a": "b"}}
    document = {"kind": "ClusterRole", "metadata": {"name": name}, "rules": []}
    found: Object = object_of(document | {"aggregationRule": {"clusterRoleSelectors": [selector]}})
    return found


@pytest.mark.parametrize(
    ("held", "new", "old", "allowed"),
    [
        pytest.param((PODS,), role("new", PODS), None, True, id="what one has"),
        pytest.param((PODS,), role("new", SECRETS), None, False, id="what one has not"),
        pytest.param((PODS,), role("new", SECRETS), role("new", SECRETS), True, id="a change of something else"),
        pytest.param((PODS,), role("new", SECRETS, PODS), role("new", SECRETS), False, id="all, where one changes"),
        pytest.param((TRUSTED,), role("new", SECRETS), None, True, id="escalate"),
        pytest.param((TRUSTED | {"resourceNames": ["other"]},), role("new", SECRETS), None, False, id="another's"),
        pytest.param((PODS | {"resourceNames": ["a"]},), role("new", PODS), None, False, id="some names only"),
        pytest.param((PODS,), role("new", PODS | {"resourceNames": ["a"]}), None, True, id="fewer names"),
        pytest.param((SECRETS,), binding("new", "ClusterRole/held", user("bob")), None, True, id="binding one's own"),
        pytest.param((SECRETS,), binding("new", "ClusterRole/more", user("bob")), None, False, id="binding more"),
        pytest.param((TRUSTED,), binding("new", "ClusterRole/more", user("bob")), None, True, id="bind"),
        pytest.param((PODS,), picking("new"), None, False, id="a role that picks others"),
        pytest.param((PODS,), picking("new"), picking("new"), True, id="one that already does"),
        pytest.param(EVERYTHING, picking("new"), None, True, id="who may do everything"),
    ],
)
def test_nobody_gives_more_than_they_have(
    held: tuple[dict[str, Any], ...], new: Object, old: Object | None, allowed: bool
) -> None:
    authorizer = given_to_alice(*held, others=(role("more", PODS),))
    escalation.check(authorizer, ADMIN, new, old)
    if allowed:
        escalation.check(authorizer, ALICE, new, old)
    else:
        with pytest.raises(StatusError) as caught:
            escalation.check(authorizer, ALICE, new, old)
        assert (caught.value.code, caught.value.reason) == (403, "Forbidden")


def test_a_binding_to_no_role_is_refused() -> None:
    with pytest.raises(StatusError, match=r'clusterroles.rbac.authorization.k8s.io "gone" not found'):
        escalation.check(given_to_alice(PODS), ALICE, binding("new", "ClusterRole/gone", user("bob")), None)


def test_what_is_missing_is_told_together() -> None:
    new = role("new", {"apiGroups": ["", "apps"], "resources": ["x"], "verbs": ["get", "list"]})
    with pytest.raises(StatusError) as caught:
        escalation.check(given_to_alice(), ALICE, new, None)
    assert caught.value.message.endswith(
        ' is attempting to grant RBAC permissions not currently held:\n{APIGroups:[""], Resources:["x"], '
        'Verbs:["get" "list"]}\n{APIGroups:["apps"], Resources:["x"], Verbs:["get" "list"]}'
    )


rules = st.fixed_dictionaries(
    {
        "verbs": st.lists(st.sampled_from(("get", "list", "*")), min_size=1, max_size=2),
        "apiGroups": st.lists(st.sampled_from(("", "apps", "*")), min_size=1, max_size=2),
        "resources": st.lists(st.sampled_from(("pods", "pods/log", "*/log", "*")), min_size=1, max_size=2),
        "resourceNames": st.lists(st.sampled_from(("a", "b")), max_size=2),
    }
)
QUESTIONS = [
    Attributes(verb, group, "v1", resource, sub, "", name)
    for verb in ("get", "list", "watch")
    for group in ("", "apps", "batch")
    for resource in ("pods", "nodes")
    for sub in ("", "log", "exec")
    for name in ("", "a", "b", "c")
]


@settings(max_examples=60, deadline=None)
@given(st.lists(rules, max_size=3), st.lists(rules, min_size=1, max_size=2))
def test_what_may_be_given_allows_nothing_that_one_may_not(
    held: list[dict[str, Any]], new: list[dict[str, Any]]
) -> None:
    authorizer = given_to_alice(*held)
    try:
        escalation.check(authorizer, ALICE, role("new", *new), None)
    except StatusError:
        return
    other = Authorizer(cluster(role("new", *new), binding("b", "ClusterRole/new", user("alice"))))
    for asked in QUESTIONS:
        if other.authorize(ALICE, asked).allowed:
            assert authorizer.authorize(ALICE, asked).allowed, asked


@pytest.mark.parametrize(
    ("headers", "meant"),
    [
        ([("Accept", "x")], None),
        ([("Impersonate-User", "bob")], User("bob", groups=("system:authenticated",))),
        (
            [("impersonate-user", "bob"), ("Impersonate-Group", "a"), ("Impersonate-Group", "b")],
            User("bob", groups=("a", "b", "system:authenticated")),
        ),
        (
            [("Impersonate-User", "bob"), ("Impersonate-Uid", "7"), ("Impersonate-Extra-Example.com%2fdept", "it")],
            User("bob", "7", ("system:authenticated",), {"example.com/dept": ("it",)}),
        ),
        (
            [("Impersonate-User", "system:serviceaccount:shop:robot")],
            User(ROBOT.name, groups=(*ROBOT.groups, "system:authenticated")),
        ),
        ([("Impersonate-User", "system:anonymous")], User("system:anonymous", groups=("system:unauthenticated",))),
    ],
)
def test_headers_name_who_is_meant(headers: list[tuple[str, str]], meant: User | None) -> None:
    asked = impersonation.asked_for(headers)
    assert (impersonation.impersonated(asked) if asked else None) == meant


@pytest.mark.parametrize("headers", [[("Impersonate-Group", "a")], [("Impersonate-Whom", "a")]])
def test_headers_that_name_nobody_are_refused(headers: list[tuple[str, str]]) -> None:
    with pytest.raises(StatusError, match="mpersonat"):
        impersonation.asked_for(headers)


def may(verb: str, *resources: str, group: str = "") -> dict[str, Any]:
    return {"apiGroups": [group], "resources": list(resources), "verbs": [verb]}


AUTHENTICATION = "authentication.k8s.io"
BOB = User("bob", groups=("ops",))


@pytest.mark.parametrize(
    ("held", "meant", "missing"),
    [
        pytest.param((), BOB, "impersonate-on:user-info:get", id="nothing"),
        pytest.param((may("impersonate", "users"),), BOB, "impersonate-on:user-info:get", id="without the group"),
        pytest.param((may("impersonate", "users", "groups"),), BOB, None, id="user and group"),
        pytest.param((may("impersonate-on:user-info:get", "pods"),), BOB, "impersonate:user-info", id="not on whom"),
        pytest.param(
            (
                may("impersonate-on:user-info:get", "pods"),
                may("impersonate:user-info", "users", "groups", group=AUTHENTICATION),
            ),
            BOB,
            None,
            id="for this kind of request",
        ),
        pytest.param((may("impersonate", "serviceaccounts"),), User(ROBOT.name), None, id="a service account"),
        pytest.param((), User(ROBOT.name), "impersonate-on:serviceaccount:get", id="no service account"),
        pytest.param(
            (may("impersonate", "users"),),
            User("bob", "7", (), {"dept": ("it",)}),
            "impersonate-on:user-info:get",
            id="uid and extra need a word of their own",
        ),
        pytest.param(
            (may("impersonate", "users"), may("impersonate", "uids", "userextras/dept", group=AUTHENTICATION)),
            User("bob", "7", (), {"dept": ("it",)}),
            None,
            id="uid and extra",
        ),
    ],
)
def test_one_asks_in_anothers_name_where_roles_allow_it(
    held: tuple[dict[str, Any], ...], meant: User, missing: str | None
) -> None:
    authorizer = given_to_alice(*held)
    if missing is None:
        impersonation.check(authorizer, ALICE, meant, pods())
        return
    with pytest.raises(StatusError, match=missing):
        impersonation.check(authorizer, ALICE, meant, pods())
