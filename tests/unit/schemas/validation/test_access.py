"""Rules of roles and bindings that no recorded answer shows."""

from typing import Any

import pytest

from schemas.shape import Json
from tests.unit.schemas.build import document
from tests.unit.schemas.validation.found import faults, faults_of_change

RBAC = "rbac.authorization.k8s.io/v1"


def role(kind: str = "Role", name: str = "a", **rule: Json) -> dict[str, Any]:
    rules = [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"], **rule}]
    return {**document(RBAC, kind, rules=rules), "metadata": {"name": name}}


def binding(*subjects: dict[str, Any], kind: str = "RoleBinding", role: str = "view") -> dict[str, Any]:
    return document(RBAC, kind, roleRef={"kind": "ClusterRole", "name": role}, subjects=list(subjects))


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        pytest.param(role(), [], id="role"),
        pytest.param(role(name="system:node:a"), [], id="name with colons"),
        pytest.param(
            role(name="a/b"), ["metadata.name: Invalid value: \"a/b\": may not contain '/'"], id="name with a slash"
        ),
        pytest.param(
            role("ClusterRole", nonResourceURLs=["/x"]),
            [
                'rules[0].nonResourceURLs: Invalid value: ["/x"]: rules cannot apply to both regular resources and '
                "non-resource URLs"
            ],
            id="both kinds of rules",
        ),
        pytest.param(
            document(RBAC, "ClusterRole", aggregationRule={}),
            [
                "aggregationRule.clusterRoleSelectors: Required value: at least one clusterRoleSelector required if "
                "aggregationRule is non-nil"
            ],
            id="aggregation of nothing",
        ),
        pytest.param(binding({"kind": "Group", "name": "g"}), [], id="binding"),
        pytest.param(binding(role="system:auth-delegator"), [], id="role with a colon"),
        pytest.param(binding({"kind": "ServiceAccount", "name": "s"}), [], id="account of the same namespace"),
        pytest.param(
            binding({"kind": "ServiceAccount", "name": "s", "namespace": "n", "apiGroup": "x"}),
            ['subjects[0].apiGroup: Unsupported value: "x": supported values: ""'],
            id="group of an account",
        ),
        pytest.param(
            binding({"kind": "User", "name": ""}),
            [
                "subjects[0].name: Required value",
                'subjects[0].name: Invalid value: "": user name cannot be empty',
            ],
            id="user without a name",
        ),
    ],
)
def test_rules_of_access(written: dict[str, Any], expected: list[str]) -> None:
    assert faults(written) == expected


@pytest.mark.parametrize("kind", ["RoleBinding", "ClusterRoleBinding"])
def test_a_binding_gets_other_subjects_but_no_other_role(kind: str) -> None:
    old = binding(kind=kind)
    assert faults_of_change(old, binding({"kind": "User", "name": "u"}, kind=kind)) == []
    assert faults_of_change(old, binding(kind=kind, role="edit")) == [
        'roleRef: Invalid value: {"APIGroup":"rbac.authorization.k8s.io","Kind":"ClusterRole","Name":"edit"}: '
        "cannot change roleRef"
    ]
