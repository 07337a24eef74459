import json
from typing import Any

import pytest

from reconciler.api import discovery, openapi
from schemas.kinds import KINDS, Kind
from tests.unit.reconciler.api.builders import shared


def recorded(name: str) -> Any:  # noqa: ANN401
    return json.loads((shared() / "api" / "discovery" / f"{name}.json").read_text())["response"]["body"]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_resource_is_listed_as_kubernetes_lists_it(kind: Kind) -> None:
    name = f"apis_{kind.group}_{kind.version}" if kind.group else f"api_{kind.version}"
    (theirs,) = [entry for entry in recorded(name)["resources"] if entry["name"] == kind.plural]
    listed = discovery.resources(kind.group, kind.version)
    assert listed is not None
    (ours,) = [entry for entry in listed["resources"] if entry["name"] == kind.plural]
    assert ours == {key: value for key, value in theirs.items() if key != "storageVersionHash"}


@pytest.mark.parametrize("core", [True, False])
def test_aggregated_discovery_has_the_resources_as_kubernetes_has_them(core: bool) -> None:
    theirs = _resources(recorded(f"aggregated_{'api' if core else 'apis'}_kubectl"))
    ours = _resources(discovery.aggregated(core))
    assert ours
    for key, resource in ours.items():
        known = {part["subresource"]: part for part in theirs[key].pop("subresources", [])}
        parts = resource.pop("subresources", [])
        for answer in (resource, theirs[key]):
            answer["responseKind"] = answer["responseKind"]["kind"]
        assert resource == theirs[key]
        assert {part["subresource"] for part in parts} <= set(known)
        assert all(part["verbs"] == known[part["subresource"]]["verbs"] for part in parts)


def _resources(document: Any) -> dict[tuple[str, str], Any]:  # noqa: ANN401
    return {
        (group["metadata"].get("name", ""), resource["resource"]): resource
        for group in document["items"]
        for version in group["versions"]
        for resource in version["resources"]
    }


def test_the_groups_are_those_of_the_kinds_and_of_the_reviews() -> None:
    names = {group["name"] for group in discovery.groups()["groups"]}
    assert names == {kind.group for kind in KINDS if kind.group} | {"authentication.k8s.io", "authorization.k8s.io"}
    assert discovery.group("apps") == recorded("group_apps")
    assert discovery.group("nosuch") is None
    assert discovery.resources("apps", "v9") is None


def test_openapi_says_of_each_kind_that_the_server_validates_fields() -> None:
    index = openapi.index()["paths"]
    assert set(index) >= {"api/v1", "apis/apps/v1"}
    patched = {}
    for path in index:
        document = openapi.document(path)
        assert document is not None
        for item in document["paths"].values():
            operation = item["patch"]
            kind = operation["x-kubernetes-group-version-kind"]["kind"]
            patched[kind] = [parameter["name"] for parameter in operation["parameters"]]
    assert set(patched) == {kind.name for kind in KINDS}
    assert all("fieldValidation" in names for names in patched.values())
    assert openapi.document("apis/nosuch/v1") is None
