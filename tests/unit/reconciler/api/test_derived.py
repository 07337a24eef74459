"""What is told and never stored, with the real kubectl and over HTTP."""

import json

from reconciler.api import derived, discovery
from reconciler.store.cache import Cache
from reconciler.store.interface import StoreError
from schemas.derived import REGISTRATION
from tests.unit.reconciler.api.conftest import Served
from tests.unit.reconciler.api.test_discovery import recorded


async def test_each_group_and_version_that_is_served_has_its_api_service(served: Served) -> None:
    rows = (await served.kubectl("get", "apiservices")).rows
    assert rows[0] == ["NAME", "SERVICE", "AVAILABLE", "AGE"]
    groups = {(group, version) for group, versions in discovery.TOLD.items() for version in versions}
    assert {row[0] for row in rows[1:]} == {f"{version}.{group}" for group, version in groups if group != REGISTRATION}
    assert {(row[1], row[2]) for row in rows[1:]} == {("Local", "True")}
    assert "Local APIServices are always available" in (await served.kubectl("describe", "apiservice", "v1.apps")).out
    said = await served.try_kubectl("get", "apiservice", "v1.nosuch")
    assert said.err == 'Error from server (NotFound): apiservices.apiregistration.k8s.io "v1.nosuch" not found\n'


def test_groups_are_told_in_the_order_of_their_priority() -> None:
    by_priority = sorted(derived.api_services(Cache()), key=lambda one: -one.spec.group_priority_minimum)
    assert list(dict.fromkeys(one.spec.group for one in by_priority)) == [
        group for group in discovery.TOLD if group != REGISTRATION
    ]
    preferred = {one.spec.group: one.spec.version for one in sorted(by_priority, key=lambda x: x.spec.version_priority)}
    assert preferred == {group: versions[0] for group, versions in discovery.TOLD.items() if group != REGISTRATION}


async def test_api_services_come_in_pages(served: Served) -> None:
    path = "/apis/apiregistration.k8s.io/v1/apiservices?limit=7"
    names, token = [], ""
    while True:
        said = await served.kubectl("get", "--raw", path + (f"&continue={token}" if token else ""))
        page = json.loads(said.out)
        names += [item["metadata"]["name"] for item in page["items"]]
        token = page["metadata"].get("continue", "")
        if not token:
            break
    assert names == [one.metadata.name for one in derived.api_services(served.cluster.cache)]


async def test_a_component_says_why_it_does_not_work(served: Served) -> None:
    served.server.components["scheduler"] = derived.unless(lambda: False, "waits for the folder")
    served.server.components["broker"] = derived.unless(lambda: True, "not connected")
    said = await served.kubectl("get", "componentstatuses")
    assert said.rows == [
        ["NAME", "STATUS", "MESSAGE", "ERROR"],
        ["store", "Healthy", "ok"],
        ["scheduler", "Unhealthy", "waits for the folder"],
        ["broker", "Healthy", "ok"],
    ]
    assert said.err == "Warning: v1 ComponentStatus is deprecated in v1.19+\n"
    assert (await served.kubectl("get", "cs", "store", "-o", "jsonpath={.conditions[0].status}")).out == "True"


async def test_a_store_that_cannot_be_read_is_unhealthy() -> None:
    async def read(_: str) -> object:
        raise StoreError("the disk is gone")

    assert await derived.reading(read)() == "the disk is gone"


async def test_what_is_derived_is_read_only(served: Served) -> None:
    said = await served.try_kubectl("delete", "apiservice", "v1.apps")
    assert "the server does not allow this method on the requested resource" in said.err


def test_discovery_names_them_as_kubernetes_does() -> None:
    listed = discovery.resources("", "v1")
    assert listed is not None
    (ours,) = [entry for entry in listed["resources"] if entry["name"] == "componentstatuses"]
    assert ours in recorded("api_v1")["resources"]
