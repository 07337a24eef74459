from importlib import resources
from typing import Any

import jsonschema
import pytest

from schemas.jsonschema import combined_schema, contents, editor_schema, schema_of
from schemas.kinds import BY_NAME
from tests.unit.schemas.build import deployment, document, pod

CONTENTS = contents()
EDITOR = jsonschema.Draft202012Validator(combined_schema())


@pytest.mark.parametrize("name", CONTENTS)
def test_the_committed_schema_is_what_the_types_say(name: str) -> None:
    committed = resources.files("schemas").joinpath("json", name).read_text(encoding="utf-8")
    assert committed == CONTENTS[name], "run `python -m schemas.jsonschema`"


def test_the_schemas_are_schemas() -> None:
    """All definitions are in the combined one."""
    jsonschema.Draft202012Validator.check_schema(combined_schema())


def test_nothing_else_is_committed_beside_the_schemas() -> None:
    assert {entry.name for entry in resources.files("schemas").joinpath("json").iterdir()} == set(CONTENTS)


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(pod({"resources": {"limits": {"cpu": 0.5, "memory": "1Gi"}}}), id="quantities"),
        pytest.param(pod({"livenessProbe": {"httpGet": {"port": "http"}}}), id="a port by name"),
        pytest.param(
            deployment(strategy={"rollingUpdate": {"maxSurge": 1, "maxUnavailable": "25%"}}), id="a deployment"
        ),
        pytest.param(document("v1", "Secret", data={"a": "YQ=="}), id="a secret"),
    ],
)
def test_a_sound_document_satisfies_its_schema(written: dict[str, Any]) -> None:
    for schema in (schema_of(BY_NAME[written["kind"]]), editor_schema(BY_NAME[written["kind"]]), combined_schema()):
        jsonschema.Draft202012Validator(schema).validate(written)


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(deployment(replica=3), id="an unknown field"),
        pytest.param(deployment(replicas="3"), id="a text for a number"),
        pytest.param(pod({"resources": {"limits": {"cpu": "lots"}}}), id="no quantity"),
        pytest.param(pod() | {"kind": "Pot"}, id="another kind"),
        pytest.param({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}, id="a missing field"),
    ],
)
def test_a_broken_document_does_not_satisfy_its_schema(written: dict[str, Any]) -> None:
    kind = BY_NAME.get(written["kind"], BY_NAME["Pod"])
    for schema in (schema_of(kind), editor_schema(kind), combined_schema()):
        assert not jsonschema.Draft202012Validator(schema).is_valid(written)


def in_an_editor(written: dict[str, Any]) -> list[str]:
    return [error.json_path for error in EDITOR.iter_errors(written)]


@pytest.mark.parametrize(
    ("written", "wrong"),
    [
        pytest.param(pod({"env": None, "resources": None}), [], id="nulls of what may be absent"),
        pytest.param(pod({"name": None}), ["$.spec.containers[0].name"], id="a null of what is required"),
        pytest.param(pod({"resources": {"limits": {"cpu": None}}}), 1, id="a null in place of an amount"),
        pytest.param(document("v1", "List", items=[pod(), deployment()]), [], id="a list"),
        pytest.param(document("v1", "List", items=[deployment(replica=1)]), 1, id="a fault in a list"),
        pytest.param(document("v1", "ConfigMapList", items=[{"metadata": {"name": "a"}}]), [], id="a list of a kind"),
        pytest.param(document("extensions/v1beta1", "Deployment", spec={"x": 1}), [], id="an old version"),
        pytest.param(document("app/v1", "Deployment"), ["$.apiVersion"], id="a misspelt version"),
        pytest.param(document("cert-manager.io/v1", "Certificate"), ["$.kind"], id="a kind that is not served"),
    ],
)
def test_the_one_schema_for_a_folder_finds_out_the_kind(written: dict[str, Any], wrong: list[str] | int) -> None:
    found = in_an_editor(written)
    assert len(found) == wrong if isinstance(wrong, int) else found == wrong
