"""What a writer is told of fields that are missing, or that hold what cannot be read."""

from typing import Any

import pytest

from reconciler.api.bodies import read
from reconciler.api.status import StatusError
from reconciler.api.target import Target
from schemas.kinds import BY_NAME

CONTAINER = {"name": "c", "image": "nginx:1.25"}
SELECTED = {"matchLabels": {"a": "b"}}
TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [CONTAINER]}}
RULE = {"http": {"paths": [{"path": "/", "backend": {"service": {"name": "s", "port": {"number": 80}}}}]}}


def refused(kind: str, document: dict[str, Any], namespace: str | None = "shop") -> StatusError:
    with pytest.raises(StatusError) as caught:
        read(Target(BY_NAME[kind], namespace), {"metadata": {"name": "bad"}, **document}, "Strict")
    return caught.value


@pytest.mark.parametrize(
    ("kind", "document", "told"),
    [
        pytest.param("Pod", {}, ["spec.containers: Required value"], id="all of it"),
        pytest.param(
            "Pod",
            {"spec": {"containers": [{"image": "nginx"}]}},
            ["spec.containers[0].name: Required value"],
            id="a name in a list",
        ),
        pytest.param(
            "Pod",
            {"spec": {"containers": [CONTAINER], "volumes": [{"name": "v", "nfs": {"server": "s"}}]}},
            [
                "spec.volumes[0].nfs.path: Required value",
                'spec.volumes[0].nfs.path: Invalid value: "": must be an absolute path',
            ],
            id="two rules of one field",
        ),
        pytest.param(
            "Pod",
            {
                "metadata": {"generateName": "bad-", "ownerReferences": [{"apiVersion": "v1", "kind": "Pod"}]},
                "spec": {"containers": [CONTAINER]},
            },
            [
                'metadata.ownerReferences.name: Invalid value: "": must not be empty',
                'metadata.ownerReferences.uid: Invalid value: "": must not be empty',
            ],
            id="a rule that leaves the place out",
        ),
        pytest.param(
            "Deployment",
            {"spec": {"selector": SELECTED}},
            [
                "spec.template.metadata.labels: Invalid value: null: `selector` does not match template `labels`",
                "spec.template.spec.containers: Required value",
            ],
            id="a template",
        ),
        pytest.param(
            "Deployment",
            {"spec": {"template": TEMPLATE}},
            [
                "spec.selector: Required value",
                'spec.template.metadata.labels: Invalid value: {"a":"b"}: `selector` does not match template `labels`',
            ],
            id="a selector",
        ),
        pytest.param(
            "Ingress",
            {"spec": {"rules": [RULE]}},
            ["spec.rules[0].http.paths[0].pathType: Required value: pathType must be specified"],
            id="a rule that says more",
        ),
        pytest.param(
            "Pod",
            {"spec": {"containers": [{"image": "nginx", "name": None}]}},
            ["spec.containers[0].name: Required value"],
            id="a null",
        ),
    ],
)
def test_a_missing_field_is_told_by_the_rules_of_its_kind(kind: str, document: dict[str, Any], told: list[str]) -> None:
    error = refused(kind, document)
    assert (error.code, error.reason) == (422, "Invalid")
    causes = error.status()["details"]["causes"]
    assert [f"{cause['field']}: {cause['message']}" for cause in causes] == told


@pytest.mark.parametrize(
    ("kind", "document", "why"),
    [
        pytest.param(
            "Pod",
            {"spec": {"containers": [CONTAINER | {"resources": {"requests": {"cpu": "lots"}}}]}},
            r"quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
            id="no amount",
        ),
        pytest.param(
            "Pod",
            {"spec": {"containers": [CONTAINER | {"resources": {"requests": {"cpu": "1GG"}}}]}},
            "unable to parse quantity's suffix",
            id="an unknown unit",
        ),
        pytest.param("ConfigMap", {"binaryData": {"a": "!!"}}, "illegal base64 data at input byte 0", id="no base64"),
        pytest.param("Secret", {"data": {"a": "aGk?"}}, "illegal base64 data at input byte 3", id="broken base64"),
    ],
)
def test_a_text_that_cannot_be_read_is_told_in_the_words_of_kubernetes(
    kind: str, document: dict[str, Any], why: str
) -> None:
    error = refused(kind, document)
    assert (error.code, error.message) == (400, f'{kind} in version "v1" cannot be handled as a {kind}: {why}')
