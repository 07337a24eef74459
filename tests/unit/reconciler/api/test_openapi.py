import gzip
import json
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Any

import pytest

from reconciler.api import openapi
from reconciler.api.discovery import RESOURCES
from schemas import events
from schemas.kinds import KINDS
from tests.corpus import official

EXTENSIONS = (
    "x-kubernetes-group-version-kind",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-list-type",
    "x-kubernetes-map-type",
    "x-kubernetes-patch-merge-key",
    "x-kubernetes-patch-strategy",
)


@cache
def group(path: str) -> Any:  # noqa: ANN401
    found = openapi.document(path)
    assert found is not None
    return json.loads(gzip.decompress(found.body))


@cache
def whole() -> Any:  # noqa: ANN401
    return json.loads(gzip.decompress(openapi.swagger().body))


def known() -> Any:  # noqa: ANN401
    folder = resources.files("kubernetes_validate") / "kubernetes-json-schema" / f"v{official.VERSION}-local"
    content = (folder / "_definitions.json").read_text()
    return json.loads(content.replace("#/$defs/", "#/definitions/"))["$defs"]


def plain(schema: Any) -> Any:  # noqa: ANN401
    """What a schema says of structure: without descriptions, and with null for nothing."""
    kept = {key: schema[key] for key in ("$ref", "format", "additionalProperties", "items", "type") if key in schema}
    kept |= {key: schema[key] for key in EXTENSIONS if key in schema}
    if isinstance(kept.get("type"), list):
        kept["type"] = next(type_ for type_ in kept["type"] if type_ != "null")
    if kept.get("x-kubernetes-list-type") == "atomic":
        del kept["x-kubernetes-list-type"]  # what is not said to merge is replaced, said or not
    for inner in ("items", "additionalProperties"):
        if isinstance(kept.get(inner), dict):
            kept[inner] = plain(kept[inner])
    return kept


SPECIAL = ("IntOrString", "Quantity", "Status", "DeleteOptions")


def test_the_types_are_those_of_kubernetes() -> None:
    theirs = known()
    wrong: list[tuple[object, ...]] = []
    for name, ours in whole()["definitions"].items():
        if name.endswith(SPECIAL):
            continue
        expected = theirs[name]
        properties = expected.get("properties", {})
        if sorted(ours.get("required", ())) != sorted(expected.get("required", ())):
            wrong.append((name, "required", ours.get("required"), expected.get("required")))
        wrong += [(name, field) for field in set(ours.get("properties", {})) ^ set(properties)]
        for field, schema in ours.get("properties", {}).items():
            if field in properties and plain(schema) != plain(properties[field]):
                wrong.append((name, field, plain(schema), plain(properties[field])))
    assert not wrong


@pytest.mark.parametrize("kind", [*KINDS, events.KIND], ids=lambda kind: f"{kind.name} {kind.api_version}")
def test_each_kind_can_be_listed_read_written_and_patched(kind: Any) -> None:  # noqa: ANN401
    root = f"apis/{kind.group}/{kind.version}" if kind.group else f"api/{kind.version}"
    document = group(root)
    place = "/namespaces/{namespace}" if kind.namespaced else ""
    collection = document["paths"][f"/{root}{place}/{kind.plural}"]
    item = document["paths"][f"/{root}{place}/{kind.plural}/{{name}}"]
    assert {"get", "post"} <= set(collection)
    assert {"get", "put", "patch", "delete"} <= set(item)
    named = {"group": kind.group, "version": kind.version, "kind": kind.name}
    assert item["patch"]["x-kubernetes-group-version-kind"] == named
    parameters = {parameter["name"] for parameter in item["patch"]["parameters"]}
    assert parameters == {"dryRun", "fieldManager", "fieldValidation", "force"}
    schemas = document["components"]["schemas"].values()
    assert [one for one in schemas if one.get("x-kubernetes-group-version-kind") == [named]]


def test_every_resource_and_subresource_has_its_paths() -> None:
    for resource in RESOURCES:
        root = f"apis/{resource.group}/{resource.version}" if resource.group else f"api/{resource.version}"
        tail = f"{resource.parent}/{{name}}/{resource.plural}" if resource.parent else resource.plural
        place = "namespaces/{namespace}/" if resource.namespaced else ""
        assert f"/{root}/{place}{tail}" in group(root)["paths"]


def references(document: Any) -> Iterator[str]:  # noqa: ANN401
    if isinstance(document, dict):
        if isinstance(document.get("$ref"), str):
            yield document["$ref"]
        for value in document.values():
            yield from references(value)
    elif isinstance(document, list):
        for value in document:
            yield from references(value)


@pytest.mark.parametrize("path", openapi.paths())
def test_nothing_is_referred_to_that_is_not_there(path: str) -> None:
    document = group(path)
    there = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert set(references(document)) == there


def test_no_operation_shares_its_name() -> None:
    names = [
        operation["operationId"]
        for item in whole()["paths"].values()
        for operation in item.values()
        if isinstance(operation, dict)
    ]
    assert len(names) == len(set(names))
    assert {"listCoreV1NamespacedPod", "readAppsV1NamespacedDeploymentScale", "listCoreV1PodForAllNamespaces"} <= set(
        names
    )


def test_the_index_tells_one_version_of_a_document_from_another() -> None:
    for path, entry in openapi.index()["paths"].items():
        found = openapi.document(path)
        assert found is not None
        assert entry["serverRelativeURL"] == f"/openapi/v3/{path}?hash={found.hash}"
    assert openapi.document("apis/nosuch/v1") is None
