from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.api.attributes import Attributes
from reconciler.api.authorization import Authorizer
from reconciler.api.users import ADMIN, User
from reconciler.store.cache import Cache
from schemas.meta import Object, ref_of
from tests.unit.reconciler.api.builders import object_of

PODS = {"apiGroups": [""], "resources": ["pods", "pods/log"], "verbs": ["get", "list"]}
ALICE = User("alice", groups=("dev", "system:authenticated"))
ROBOT = User("system:serviceaccount:shop:robot", groups=("system:serviceaccounts", "system:serviceaccounts:shop"))


def role(name: str, *rules: dict[str, Any], namespace: str = "") -> Object:
    kind = "Role" if namespace else "ClusterRole"
    found: Object = object_of({"kind": kind, "metadata": {"name": name, "namespace": namespace}, "rules": list(rules)})
    return found


def binding(name: str, of: str, *subjects: dict[str, str], namespace: str = "") -> Object:
    kind, _, role_name = of.partition("/")
    found: Object = object_of(
        {
            "kind": "RoleBinding" if namespace else "ClusterRoleBinding",
            "metadata": {"name": name, "namespace": namespace},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role_name},
            "subjects": list(subjects),
        }
    )
    return found


def user(name: str) -> dict[str, str]:
    return {"kind": "User", "name": name, "apiGroup": "rbac.authorization.k8s.io"}


def group(name: str) -> dict[str, str]:
    return {"kind": "Group", "name": name, "apiGroup": "rbac.authorization.k8s.io"}


def account(name: str, namespace: str) -> dict[str, str]:
    return {"kind": "ServiceAccount", "name": name, "namespace": namespace}


def cluster(*objects: Object) -> Cache:
    cache = Cache()
    cache.load(objects)
    return cache


def pods(verb: str = "get", namespace: str = "shop", name: str = "", subresource: str = "") -> Attributes:
    return Attributes(verb, "", "v1", "pods", subresource, namespace, name)


READER = role("reader", PODS)


@pytest.mark.parametrize(
    ("objects", "who", "asked", "reason"),
    [
        pytest.param((), ADMIN, pods("delete"), "", id="masters need no role"),
        pytest.param((), ALICE, pods(), None, id="nobody else may anything"),
        pytest.param(
            (READER, binding("b", "ClusterRole/reader", user("alice"))),
            ALICE,
            pods(),
            'RBAC: allowed by ClusterRoleBinding "b" of ClusterRole "reader" to User "alice"',
            id="everywhere",
        ),
        pytest.param(
            (READER, binding("b", "ClusterRole/reader", group("dev"), namespace="shop")),
            ALICE,
            pods(),
            'RBAC: allowed by RoleBinding "b/shop" of ClusterRole "reader" to Group "dev"',
            id="in a namespace",
        ),
        pytest.param(
            (READER, binding("b", "ClusterRole/reader", group("dev"), namespace="shop")),
            ALICE,
            pods(namespace="other"),
            None,
            id="not in another",
        ),
        pytest.param(
            (READER, binding("b", "ClusterRole/reader", group("dev"), namespace="shop")),
            ALICE,
            pods("list", namespace=""),
            None,
            id="nor in all at once",
        ),
        pytest.param(
            (role("own", PODS, namespace="shop"), binding("b", "Role/own", account("robot", ""), namespace="shop")),
            ROBOT,
            pods(),
            'RBAC: allowed by RoleBinding "b/shop" of Role "own" to ServiceAccount "robot/shop"',
            id="a service account of the binding's namespace",
        ),
        pytest.param(
            (READER, binding("b", "ClusterRole/reader", account("robot", "other"))),
            ROBOT,
            pods(),
            None,
            id="the service account of another namespace",
        ),
        pytest.param(
            (READER, binding("b", "ClusterRole/reader", group("system:serviceaccounts:shop"))),
            ROBOT,
            pods(),
            'RBAC: allowed by ClusterRoleBinding "b" of ClusterRole "reader" to Group "system:serviceaccounts:shop"',
            id="all service accounts of a namespace",
        ),
        pytest.param(
            (READER, binding("b", "ClusterRole/reader", user("alice"))), ALICE, pods("delete"), None, id="another verb"
        ),
        pytest.param(
            (READER, binding("b", "ClusterRole/reader", user("alice"))),
            ALICE,
            pods(subresource="exec"),
            None,
            id="another subresource",
        ),
    ],
)
def test_roles_and_bindings_say_who_may(
    objects: tuple[Object, ...], who: User, asked: Attributes, reason: str | None
) -> None:
    decision = Authorizer(cluster(*objects)).authorize(who, asked)
    assert (decision.allowed, decision.reason) == (reason is not None, reason or "")


@pytest.mark.parametrize(
    ("rule", "asked", "allowed"),
    [
        pytest.param({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}, pods("x"), True, id="everything"),
        pytest.param({"apiGroups": ["apps"], "resources": ["*"], "verbs": ["*"]}, pods(), False, id="another group"),
        pytest.param(
            {"apiGroups": [""], "resources": ["pods"], "verbs": ["*"]}, pods("deletecollection"), True, id="verb"
        ),
        pytest.param(
            {"apiGroups": ["apps"], "resources": ["*/scale"], "verbs": ["update"]},
            Attributes("update", "apps", "v1", "deployments", "scale", "shop", "web"),
            True,
            id="a subresource of all",
        ),
        pytest.param(
            {"apiGroups": [""], "resources": ["pods/*"], "verbs": ["get"]}, pods(subresource="log"), False, id="star"
        ),
        pytest.param(PODS | {"resourceNames": ["web"]}, pods(name="web"), True, id="that name"),
        pytest.param(PODS | {"resourceNames": ["web"]}, pods(name="db"), False, id="another name"),
        pytest.param(PODS | {"resourceNames": ["web"]}, pods("list"), False, id="no name"),
        pytest.param(
            {"nonResourceURLs": ["/metrics"], "verbs": ["get"]}, Attributes("get", path="/metrics"), True, id="path"
        ),
        pytest.param(
            {"nonResourceURLs": ["/api/*"], "verbs": ["get"]}, Attributes("get", path="/api/v1"), True, id="below"
        ),
        pytest.param(
            {"nonResourceURLs": ["/api/*"], "verbs": ["get"]}, Attributes("get", path="/apis"), False, id="beside"
        ),
        pytest.param(
            {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
            Attributes("get", path="/metrics"),
            False,
            id="no path",
        ),
    ],
)
def test_a_rule_covers_what_it_says(rule: dict[str, Any], asked: Attributes, allowed: bool) -> None:
    view = cluster(role("r", rule), binding("b", "ClusterRole/r", user("alice")))
    assert Authorizer(view).authorize(ALICE, asked).allowed is allowed


def test_a_binding_without_its_role_is_named() -> None:
    view = cluster(binding("b", "ClusterRole/gone", user("alice")))
    decision = Authorizer(view).authorize(ALICE, pods())
    assert not decision.allowed
    assert decision.reason == 'RBAC: clusterrole.rbac.authorization.k8s.io "gone" not found'


def test_a_change_of_a_role_counts_at_once() -> None:
    view = cluster(READER)
    authorizer = Authorizer(view)
    view.subscribe(authorizer.changed)
    assert not authorizer.authorize(ALICE, pods()).allowed
    before = authorizer.policy
    allowed = binding("b", "ClusterRole/reader", user("alice"))
    view.push(1, [(ref_of(allowed), allowed)], 0, 0.0)
    assert authorizer.authorize(ALICE, pods()).allowed
    compiled = authorizer.policy
    assert compiled is not before
    other = object_of({"kind": "ConfigMap", "metadata": {"name": "c", "namespace": "shop"}})
    view.push(2, [(ref_of(other), other)], 0, 0.0)
    assert authorizer.policy is compiled


VERBS, GROUPS, RESOURCES, NAMES = (
    ("get", "list", "*"),
    ("", "apps", "*"),
    ("pods", "pods/log", "*/log", "*"),
    ("a", "b"),
)
some = st.integers(0, 2)
rules = st.fixed_dictionaries(
    {
        "verbs": st.lists(st.sampled_from(VERBS), min_size=1, max_size=2),
        "apiGroups": st.lists(st.sampled_from(GROUPS), min_size=1, max_size=2),
        "resources": st.lists(st.sampled_from(RESOURCES), min_size=1, max_size=2),
        "resourceNames": st.lists(st.sampled_from(NAMES), max_size=1),
    }
)
subjects = st.sampled_from([user("alice"), user("bob"), group("dev"), account("robot", "shop"), account("robot", "x")])
bindings = st.lists(st.tuples(some, st.sampled_from(("", "shop", "x")), st.lists(subjects, max_size=3)), max_size=5)
asked_for = st.builds(
    Attributes,
    verb=st.sampled_from(("get", "list")),
    group=st.sampled_from(("", "apps")),
    resource=st.sampled_from(("pods", "nodes")),
    subresource=st.sampled_from(("", "log")),
    namespace=st.sampled_from(("", "shop", "x")),
    name=st.sampled_from(("", "a", "b")),
)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.lists(rules, max_size=3), min_size=3, max_size=3), bindings, asked_for, st.sampled_from([ALICE, ROBOT])
)
def test_what_is_compiled_answers_as_a_search_through_all_would(
    roles: list[list[dict[str, Any]]],
    bound: list[tuple[int, str, list[dict[str, str]]]],
    asked: Attributes,
    who: User,
) -> None:
    objects = [role(f"r{number}", *held) for number, held in enumerate(roles)]
    objects += [
        binding(f"b{number}", f"ClusterRole/r{of}", *whom, namespace=place)
        for number, (of, place, whom) in enumerate(bound)
    ]
    expected = any(
        (not place or place == asked.namespace)
        and _named(whom, who)
        and any(_allows(rule, asked) for rule in roles[of])
        for of, place, whom in bound
    )
    assert Authorizer(cluster(*objects)).authorize(who, asked).allowed is expected


def _named(whom: Iterable[dict[str, str]], who: User) -> bool:
    names = {f"User {who.name}", *(f"Group {one}" for one in who.groups)}
    for one in whom:
        if one["kind"] == "ServiceAccount":
            text = f"User system:serviceaccount:{one['namespace']}:{one['name']}"
        else:
            text = f"{one['kind']} {one['name']}"
        if text in names:
            return True
    return False


def _allows(rule: dict[str, Any], asked: Attributes) -> bool:
    wanted = {"*", asked.resource} if not asked.subresource else {"*", f"*/{asked.subresource}"}
    wanted |= {f"{asked.resource}/{asked.subresource}"} if asked.subresource else set()
    return (
        bool({"*", asked.verb} & set(rule["verbs"]))
        and bool({"*", asked.group} & set(rule["apiGroups"]))
        and bool(wanted & set(rule["resources"]))
        and (not rule["resourceNames"] or asked.name in rule["resourceNames"])
    )
