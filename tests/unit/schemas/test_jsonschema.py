from importlib import resources
from typing import Any

import jsonschema
import pytest

from schemas.jsonschema import file_name, print_schema, schema_of
from schemas.kinds import BY_NAME, KINDS, Kind
from tests.unit.schemas.build import deployment, document, pod


@pytest.mark.parametrize("kind", [pytest.param(kind, id=kind.name) for kind in KINDS])
def test_the_committed_schema_is_what_the_types_say(kind: Kind) -> None:
    committed = resources.files("schemas").joinpath("json", file_name(kind)).read_text(encoding="utf-8")
    assert committed == print_schema(kind), "run `python -m schemas.jsonschema`"
    jsonschema.Draft202012Validator.check_schema(schema_of(kind))


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
    jsonschema.validate(written, schema_of(BY_NAME[written["kind"]]), jsonschema.Draft202012Validator)


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
    assert not jsonschema.Draft202012Validator(schema_of(kind)).is_valid(written)
