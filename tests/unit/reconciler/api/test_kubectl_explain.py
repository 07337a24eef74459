"""What kubectl tells of the API: kinds, their fields, what can be done with them."""

import asyncio
import json
import re
from typing import Any

from reconciler.api.discovery import RESOURCES
from schemas.kinds import KINDS, Kind
from tests.unit.reconciler.api.builders import shared
from tests.unit.reconciler.api.conftest import Served

NAMED = re.compile(r"^( *)(?!enum: )(\S+)\t<(.*)>( -required-)?$|^ *enum: (.*)$", re.MULTILINE)


def steps() -> dict[str, Any]:
    """The recorded steps by id."""
    lines = (shared() / "kubectl.jsonl").read_text().splitlines()
    return {step["id"]: step for step in map(json.loads, lines) if step["id"].startswith("discovery/")}


def structure(text: str) -> list[tuple[str, ...]]:
    """Names, types and texts that a field may hold; the words about them are our own."""
    head = re.findall(r"^(?:GROUP|KIND|VERSION|FIELD): .*$|^ENUM:\n(?:    \S.*\n)*", text, re.MULTILINE)
    return [(re.sub(r" +", " ", line).strip(),) for line in head] + [match.groups("") for match in NAMED.finditer(text)]


EVENTS = "events.v1.events.k8s.io"
EXPLAINED = (
    "pod",
    "strategy",
    "enum",
    "recursive",
    "recursive-pdb",
    "badfield",
    "badkind",
    "cj",
    "map",
    "badversion",
)


async def test_explain_tells_the_names_types_and_structure_that_kubernetes_tells(served: Served) -> None:
    recorded = steps()
    for name in EXPLAINED:
        step = recorded[f"discovery/explain-{name}"]
        said = await served.try_kubectl(*step["argv"])
        assert (said.code, structure(said.out)) == (step["rc"], structure(step["stdout"])), name
        assert re.sub(r"\s+", " ", said.err) == re.sub(r"\s+", " ", step["stderr"]), name


async def test_every_kind_is_explained_to_its_leaves(served: Served) -> None:
    at_once = asyncio.Semaphore(4)

    async def explained(kind: Kind) -> None:
        async with at_once:
            said = await served.kubectl("explain", kind.plural, "--recursive", f"--api-version={kind.api_version}")
        assert f"KIND:       {kind.name}\n" in said.out
        assert {name for _, name, *_ in NAMED.findall(said.out)} >= {
            "apiVersion",
            "kind",
            "metadata",
            "ownerReferences",
        }

    await served.kubectl("explain", "pods")  # fills kubectl's cache, which the others share
    await asyncio.gather(*map(explained, KINDS))


async def test_resources_are_listed_with_their_verbs(served: Served) -> None:
    lines = [line.split() for line in (await served.kubectl("api-resources", "-o", "wide")).out.splitlines()]
    theirs = [line.split() for line in steps()["discovery/api-resources-wide"]["stdout"].splitlines()]
    told = ("metrics.k8s.io/v1beta1", "apiregistration.k8s.io/v1")  # none where that was recorded, or one to write to
    derived = [line for line in lines if any(group in line for group in told)]
    assert [line for line in lines if line not in theirs] == derived
    # Of what is served in two versions kubectl lists the newer one.
    served_for_good = {(one.group, one.plural) for one in RESOURCES if not one.parent and one.group != "metrics.k8s.io"}
    assert len(lines) - len(derived) == len(["the head", *served_for_good, "componentstatuses"])


async def test_the_version_is_told(served: Served) -> None:
    assert "Server Version: v1.36.2\n" in (await served.kubectl("version")).out


async def test_events_are_there_in_both_groups(served: Served) -> None:
    old, new = [json.loads((await served.kubectl("get", name, "-o", "json")).out) for name in ("events", EVENTS)]
    ((was,), (is_,)) = old["items"], new["items"]
    assert is_["apiVersion"] == "events.k8s.io/v1"
    assert is_["metadata"] == was["metadata"]
    assert (is_["note"], is_["regarding"]) == (was["message"], was["involvedObject"])
    assert is_["deprecatedSource"] == was["source"]
    assert "Started container c" in (await served.kubectl("events")).out
    rows = (await served.kubectl("get", EVENTS)).rows
    assert rows == (await served.kubectl("get", "events")).rows
    await served.kubectl("annotate", EVENTS, "web.1", "a=b")
    assert served.find("Event", "web.1").metadata.annotations == {"a": "b"}
    selected = ("get", EVENTS, "--field-selector", "regarding.name=web", "-o", "name")
    assert (await served.kubectl(*selected)).out == "event.events.k8s.io/web.1\n"


MANIFEST: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "c", "namespace": "default"},
    "data": {"a": "1", "b": "1"},
}


async def test_apply_merges_what_others_have_changed_and_diff_tells_of_it(served: Served) -> None:
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "merged"},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "m"}},
            "template": {
                "metadata": {"labels": {"app": "m"}},
                "spec": {"containers": [{"name": "a", "image": "a"}, {"name": "b", "image": "b"}]},
            },
        },
    }
    await served.kubectl("apply", "-f", "-", stdin=json.dumps(deployment))
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "c"}]}}}}
    await served.kubectl("patch", "deploy", "merged", "-p", json.dumps(patch))
    spec: Any = deployment["spec"]
    spec["template"]["spec"]["containers"] = [{"name": "a", "image": "a2"}]
    text = json.dumps(deployment)
    diff = await served.try_kubectl("diff", "-f", "-", stdin=text)
    assert diff.code == 1, diff.err
    assert re.search(r"^\+ +- image: a2$", diff.out, re.MULTILINE)
    await served.kubectl("apply", "-f", "-", stdin=text)
    containers = served.find("Deployment", "merged").spec.template.spec.containers
    assert {container.name: container.image for container in containers} == {"a": "a2", "c": "c"}
    same = await served.try_kubectl("diff", "-f", "-", stdin=text)
    assert (same.code, same.out) == (0, "")


async def test_unknown_fields_are_warned_of_or_refused(served: Served) -> None:
    odd = json.dumps(MANIFEST | {"dataa": {}})
    warned = await served.kubectl("create", "--validate=warn", "-f", "-", stdin=odd)
    assert 'unknown field "dataa"' in warned.err
    refused = await served.try_kubectl("create", "-f", "-", stdin=odd)
    assert "strict decoding error" in refused.err


REVIEW = """
apiVersion: authorization.k8s.io/v1
kind: SubjectAccessReview
spec: {user: somebody, %s: {verb: get, resource: pods}}
"""


async def test_kubectl_checks_by_itself_what_can_only_be_created(served: Served) -> None:
    """It knows the types from `/openapi/v2` in protobuf, and asks for no other form of it."""
    sound = await served.kubectl("create", "-f", "-", "-o", "name", stdin=REVIEW % "resourceAttributes")
    assert sound.out.startswith("subjectaccessreview")
    said = await served.try_kubectl("create", "-f", "-", stdin=REVIEW % "resourceAttribute")
    assert said.code == 1
    assert 'unknown field "resourceAttribute" in io.k8s.api.authorization.v1.SubjectAccessReviewSpec' in said.err


async def test_kubectl_says_which_kind_is_unknown(served: Served) -> None:
    said = await served.try_kubectl("apply", "-f", "-", stdin="{apiVersion: v1, kind: Nosuch, metadata: {name: x}}")
    assert 'no matches for kind "Nosuch" in version "v1"' in said.err
