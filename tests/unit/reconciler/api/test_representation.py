import json
from typing import Any

import pytest

from reconciler.api.representation import PLAIN, Form, ListPosition, encode_list, encode_one, negotiate
from reconciler.api.status import StatusError
from schemas.kinds import BY_NAME
from tests.unit.reconciler.api.builders import NOW, config_map

KUBECTL = (
    "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json"
)
CONFIG_MAP = BY_NAME["ConfigMap"]


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        pytest.param("", PLAIN, id="nothing said"),
        pytest.param("*/*", PLAIN, id="anything"),
        pytest.param("application/json", PLAIN, id="plain"),
        pytest.param("application/vnd.kubernetes.protobuf,application/json", PLAIN, id="protobuf or else plain"),
        pytest.param("application/json;stream=watch", PLAIN, id="a watch"),
        pytest.param(KUBECTL, Form("Table"), id="kubectl get"),
        pytest.param("application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io", Form("Metadata"), id="metadata"),
        pytest.param("application/json;as=Nope;v=v1;g=meta.k8s.io,application/json", PLAIN, id="unknown or else plain"),
    ],
)
def test_the_first_form_that_can_be_given_is_given(accept: str, form: Form) -> None:
    assert negotiate(accept) == form


@pytest.mark.parametrize("accept", ["text/plain", "application/yaml", "application/json;as=Nope;v=v1;g=meta.k8s.io"])
def test_what_cannot_be_given_is_not_acceptable(accept: str) -> None:
    with pytest.raises(StatusError) as caught:
        negotiate(accept)
    assert caught.value.code == 406


def listed(form: Form, *names: str, **position: Any) -> Any:  # noqa: ANN401
    objects = [config_map(name) for name in names]
    return json.loads(b"".join(encode_list(CONFIG_MAP, objects, form, ListPosition(7, **position), NOW)))


def test_a_list_is_one_document_of_its_pieces() -> None:
    assert listed(PLAIN) == {
        "kind": "ConfigMapList",
        "apiVersion": "v1",
        "metadata": {"resourceVersion": "7"},
        "items": [],
    }
    assert [item["metadata"]["name"] for item in listed(PLAIN, "a", "b")["items"]] == ["a", "b"]
    assert listed(PLAIN, "a", continue_="t", remaining=3)["metadata"] == {
        "resourceVersion": "7",
        "continue": "t",
        "remainingItemCount": 3,
    }


def test_a_table_has_columns_once_and_a_row_for_each_object() -> None:
    table = listed(Form("Table"), "a", "b")
    assert table["kind"] == "Table"
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Data", "Age"]
    assert [row["cells"] for row in table["rows"]] == [["a", 1, "<unknown>"], ["b", 1, "<unknown>"]]
    assert [row["object"]["kind"] for row in table["rows"]] == ["PartialObjectMetadata"] * 2


@pytest.mark.parametrize(
    ("include", "kind"), [("None", None), ("Metadata", "PartialObjectMetadata"), ("Object", "ConfigMap")]
)
def test_a_row_carries_what_was_asked_for(include: str, kind: str | None) -> None:
    form = negotiate(KUBECTL, include)
    (row,) = json.loads(encode_one(config_map("a"), form, NOW))["rows"]
    assert (row["object"] and row["object"]["kind"]) == kind


def test_metadata_alone_leave_the_content_out() -> None:
    found = json.loads(encode_one(config_map("a", l="1"), Form("Metadata"), NOW))
    assert found["kind"] == "PartialObjectMetadata"
    assert found["metadata"]["labels"] == {"l": "1"}
    assert "data" not in found
    assert listed(Form("Metadata"), "a")["kind"] == "PartialObjectMetadataList"


def test_a_watch_names_the_columns_once() -> None:
    assert json.loads(encode_one(config_map("a"), Form("Table"), NOW, columns=False))["columnDefinitions"] is None
