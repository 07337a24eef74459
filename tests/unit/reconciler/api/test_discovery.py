import json
from typing import Any

import pytest

from reconciler.api import discovery
from schemas import metrics, views
from schemas.kinds import KINDS, Kind
from tests.unit.reconciler.api.builders import shared

SHOWN = (*KINDS, *views.KINDS)


def recorded(name: str) -> Any:  # noqa: ANN401
    return json.loads((shared() / "api" / "discovery" / f"{name}.json").read_text())["response"]["body"]


@pytest.mark.parametrize("kind", SHOWN, ids=lambda kind: f"{kind.name} {kind.api_version}")
def test_a_resource_is_listed_with_its_subresources_as_kubernetes_lists_them(kind: Kind) -> None:
    name = f"apis_{kind.group}_{kind.version}" if kind.group else f"api_{kind.version}"
    listed = discovery.resources(kind.group, kind.version)
    assert listed is not None
    assert _of(kind, listed) == _of(kind, recorded(name))


def _of(kind: Kind, document: Any) -> dict[str, Any]:  # noqa: ANN401
    return {entry["name"]: entry for entry in document["resources"] if entry["name"].partition("/")[0] == kind.plural}


@pytest.mark.parametrize("core", [True, False])
def test_aggregated_discovery_has_the_resources_as_kubernetes_has_them(core: bool) -> None:
    theirs = _resources(recorded(f"aggregated_{'api' if core else 'apis'}_kubectl"))
    ours = _resources(discovery.aggregated(core))
    assert ours
    for key, resource in ours.items():
        if key[0] == metrics.GROUP:
            continue  # there was no metrics server
        if key == ("apiregistration.k8s.io", "apiservices"):
            assert resource["verbs"] == ["get", "list"]  # they follow from what is served
            continue
        assert resource == theirs[key]


def _resources(document: Any) -> dict[tuple[str, str], Any]:  # noqa: ANN401
    return {
        (group["metadata"].get("name", ""), resource["resource"]): resource
        for group in document["items"]
        for version in group["versions"]
        for resource in version["resources"]
        if version["version"] == group["versions"][0]["version"]
    }


def test_the_groups_are_those_of_kubernetes_in_its_order() -> None:
    *names, last = [group["name"] for group in discovery.groups()["groups"]]
    assert last == metrics.GROUP  # there was no metrics server
    assert names == [group["name"] for group in recorded("apis")["groups"] if group["name"] in names]
    assert {kind.group for kind in SHOWN if kind.group} <= set(names)
    assert discovery.group("apps") == recorded("group_apps")
    assert discovery.group("nosuch") is None
    assert discovery.resources("apps", "v9") is None


def test_what_is_only_posted_is_listed_as_kubernetes_lists_it() -> None:
    for group in ("authentication.k8s.io", "authorization.k8s.io"):
        assert discovery.resources(group, "v1") == recorded(f"apis_{group}_v1")


def test_the_version_is_that_of_kubernetes() -> None:
    told, theirs = dict(discovery.VERSION), recorded("version")
    for varies in ("gitCommit", "buildDate", "platform"):
        assert varies in told
        del told[varies], theirs[varies]
    assert told == theirs


def test_the_paths_that_describe_the_api_are_those_of_kubernetes() -> None:
    ours = {path for path in discovery.root() if metrics.GROUP not in path}
    assert ours - set(recorded("root")["paths"]) <= {"/openapi/v2", "/openapi/v3"}
