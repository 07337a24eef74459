import json
from typing import Any

import pytest

from reconciler.api.negotiation import negotiate
from reconciler.api.representation import PLAIN, Form, ListPosition, encode_list, encode_one
from schemas.events import KIND as EVENTS
from schemas.events import shown
from schemas.kinds import BY_NAME, KINDS, Kind
from tests.unit.reconciler.api.builders import NOW, config_map, object_of, smallest

KUBECTL = (
    "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json"
)
CONFIG_MAP = BY_NAME["ConfigMap"]


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


@pytest.mark.parametrize("kind", [*KINDS, EVENTS], ids=lambda kind: f"{kind.name} {kind.api_version}")
def test_every_kind_has_every_form(kind: Kind) -> None:
    object_ = object_of(smallest(BY_NAME[kind.name]))
    as_ = shown if kind is EVENTS else None
    place = ListPosition(7)
    for name, one, many in (
        ("Object", kind.name, f"{kind.name}List"),
        ("Metadata", "PartialObjectMetadata", "PartialObjectMetadataList"),
        ("Table", "Table", "Table"),
    ):
        form = Form(name, "Object", as_=as_)  # type: ignore[arg-type]
        found = json.loads(encode_one(object_, form, NOW))
        listed = json.loads(b"".join(encode_list(kind, [object_], form, place, NOW)))
        assert (found["kind"], listed["kind"]) == (one, many)
        if name == "Table":
            assert len(found["rows"][0]["cells"]) == len(found["columnDefinitions"])
            assert found["rows"][0]["object"]["apiVersion"] == kind.api_version
        else:
            version = kind.api_version if name == "Object" else "meta.k8s.io/v1"
            assert (found["apiVersion"], listed["apiVersion"], len(listed["items"])) == (version, version, 1)
