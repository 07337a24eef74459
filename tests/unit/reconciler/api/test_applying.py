"""Server-side apply and the folder's fields, with the real kubectl against a served cluster."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from reconciler.manifests.ledger import Declared
from reconciler.manifests.ownership import settle
from reconciler.provenance import COMMIT, SOURCE
from reconciler.store.changes import Create
from schemas.core.config import ConfigMap
from schemas.decode import decode
from schemas.defaults import defaulted
from schemas.fieldsets import members, path_text
from schemas.kinds import BY_NAME
from schemas.meta import Object, ObjectMeta, OwnerReference, Ref
from tests.unit.reconciler.api.conftest import TEMPLATE, Served


def _map(**data: str) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "owned"}, "data": data})


def _owners(object_: Object) -> dict[str, set[str]]:
    return {
        f"{entry.manager}/{entry.operation}/{entry.subresource}": {path_text(path) for path in members(entry.fields_v1)}
        for entry in object_.metadata.managed_fields
    }


async def _apply(served: Served, document: str, *arguments: str) -> str:
    return (await served.kubectl("apply", "--server-side", "-f", "-", *arguments, stdin=document)).out


async def test_apply_on_the_server_makes_owns_and_drops(served: Served) -> None:
    assert await _apply(served, _map(a="1", b="1")) == "configmap/owned serverside-applied\n"
    assert _owners(served.find("ConfigMap", "owned")) == {"kubectl/Apply/": {".data.a", ".data.b"}}
    revision = served.cluster.cache.revision
    await _apply(served, _map(a="1", b="1"))
    assert served.cluster.cache.revision == revision, "the same again changes nothing"
    await _apply(served, _map(a="1"))
    assert served.find("ConfigMap", "owned").data == {"a": "1"}


async def test_what_others_own_is_taken_only_by_force(served: Served) -> None:
    await _apply(served, _map(a="1", b="1"))
    refused = await served.try_kubectl(
        "apply", "--server-side", "--field-manager=other", "-f", "-", stdin=_map(a="2", b="2")
    )
    assert refused.err.startswith(
        'error: Apply failed with 2 conflicts: conflicts with "kubectl":\n- .data.a\n- .data.b\nPlease review'
    )
    await _apply(served, _map(a="2"), "--field-manager=other", "--force-conflicts")
    assert served.find("ConfigMap", "owned").data == {"a": "2", "b": "1"}
    await served.kubectl("patch", "cm", "owned", "--type=merge", "-p", '{"data":{"b":"9"}}', "--field-manager=hand")
    refused = await served.try_kubectl("apply", "--server-side", "-f", "-", stdin=_map(b="1"))
    assert refused.err.startswith('error: Apply failed with 1 conflict: conflict with "hand" using v1: .data.b\n')


async def test_kubectl_moves_on_from_its_annotation(served: Served) -> None:
    await served.kubectl("apply", "-f", "-", stdin=_map(a="1"))
    await _apply(served, _map(a="2"))
    assert served.find("ConfigMap", "owned").data == {"a": "2"}
    shown = await served.kubectl("apply", "view-last-applied", "cm", "owned", "-o", "json")
    assert json.loads(shown.out)["data"] == {"a": "2"}


async def test_a_difference_is_shown_and_not_made(served: Served) -> None:
    await _apply(served, _map(a="1"))
    said = await served.try_kubectl("diff", "--server-side", "-f", "-", stdin=_map(a="2"))
    assert said.code == 1
    assert '+  a: "2"' in said.out
    assert served.find("ConfigMap", "owned").data == {"a": "1"}


async def test_every_write_is_told_of(served: Served) -> None:
    await served.kubectl("scale", "deploy/web", "--replicas=3")
    await served.kubectl("label", "deploy", "web", "tier=front")
    assert _owners(served.find("Deployment", "web")) == {
        "kubectl/Update/scale": {".spec.replicas"},
        "kubectl-label/Update/": {".metadata.labels.tier"},
    }


WEB: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "folder", "namespace": "default"},
    "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": TEMPLATE},
}


async def _declare(served: Served, **spec: Any) -> None:  # noqa: ANN401
    """As a pass over the folder does it."""
    document = WEB | {"spec": WEB["spec"] | spec}
    assert decode(BY_NAME["Deployment"], document).object is not None
    ref = Ref("Deployment", "default", "folder")
    declared = Declared(ref, "apps/web.yaml", 12, json.dumps(document).encode())
    outcome = settle(declared, served.cluster.cache.find(ref), defaulted, "1a2b3c4d5e6f7081", datetime.now(UTC))
    assert outcome.change is not None
    await served.apply(outcome.change)


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("scale", "deploy/folder", "--replicas=5"), id="scale"),
        pytest.param(("patch", "deploy", "folder", "-p", '{"spec":{"replicas":5}}'), id="patch"),
        pytest.param(
            ("patch", "deploy", "folder", "--type=json", "-p", '[{"op":"remove","path":"/spec/replicas"}]'),
            id="removal",
        ),
    ],
)
async def test_what_the_folder_declares_is_refused_with_its_place(served: Served, arguments: tuple[str, ...]) -> None:
    await _declare(served, replicas=2)
    said = await served.try_kubectl(*arguments)
    assert said.code == 1
    assert ".spec.replicas is declared in apps/web.yaml:12 (commit 1a2b3c4d5e6f): change it there" in said.err
    assert served.find("Deployment", "folder").spec.replicas == 2


async def test_not_even_force_takes_what_the_folder_declares(served: Served) -> None:
    await _declare(served, replicas=2)
    document = json.dumps(WEB | {"spec": {"replicas": 5}})
    said = await served.try_kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=document)
    assert "is declared in apps/web.yaml:12" in said.err
    posing = await served.try_kubectl("apply", "--server-side", "--field-manager=wherry", "-f", "-", stdin=document)
    assert "this manager is the folder" in posing.err


async def test_what_the_folder_leaves_out_is_free_and_stays(served: Served) -> None:
    await _declare(served)
    await served.kubectl("scale", "deploy/folder", "--replicas=5")
    await served.kubectl("rollout", "restart", "deploy/folder")
    await served.kubectl("label", "deploy", "folder", "mine=1")
    await _declare(served, minReadySeconds=3)
    folder = served.find("Deployment", "folder")
    assert (folder.spec.replicas, folder.spec.min_ready_seconds, folder.metadata.labels["mine"]) == (5, 3, "1")
    assert "kubectl.kubernetes.io/restartedAt" in folder.spec.template.metadata.annotations


async def test_a_replacement_cannot_make_the_folder_forget(served: Served) -> None:
    await _declare(served, replicas=2)
    document = WEB | {"spec": WEB["spec"] | {"replicas": 2, "minReadySeconds": 7}}
    document["metadata"] = WEB["metadata"] | {"managedFields": [{}]}
    await served.kubectl("replace", "-f", "-", stdin=json.dumps(document))
    folder = served.find("Deployment", "folder")
    assert folder.spec.min_ready_seconds == 7
    assert {SOURCE, COMMIT} <= folder.metadata.annotations.keys()
    assert "wherry/Apply/" in _owners(folder)


async def test_who_deletes_what_is_declared_is_told_that_it_comes_back(served: Served) -> None:
    await _declare(served)
    said = await served.kubectl("delete", "deploy", "folder", "--wait=false")
    assert "Warning: Deployment folder is declared in apps/web.yaml:12" in said.err
    assert "will be made again" in said.err


async def test_what_a_controller_made_is_its_own_until_somebody_takes_it(served: Served) -> None:
    owner = OwnerReference("apps/v1", "ReplicaSet", "web", "u", controller=True)
    metadata = ObjectMeta(name="made", namespace="default", labels={"app": "a"}, owner_references=(owner,))
    await served.cluster.apply([Create(ConfigMap(metadata=metadata, data={"a": "1"}))])
    document = _map(a="2").replace('"owned"', '"made"')
    refused = await served.try_kubectl("apply", "--server-side", "-f", "-", stdin=document)
    assert 'conflict with "kube-controller-manager" using v1: .data.a' in refused.err
    assert served.find("ConfigMap", "made").metadata.managed_fields == ()
    await _apply(served, document, "--force-conflicts")
    assert _owners(served.find("ConfigMap", "made")) == {
        "kubectl/Apply/": {".data.a"},
        "kube-controller-manager/Update/": {
            ".data",
            ".metadata.labels",
            ".metadata.labels.app",
            ".metadata.ownerReferences",
            '.metadata.ownerReferences[uid="u"]',
        },
    }


async def test_what_was_read_and_is_written_back_changes_nothing(served: Served) -> None:
    owner = OwnerReference("apps/v1", "ReplicaSet", "web", "u", controller=True)
    metadata = ObjectMeta(name="made", namespace="default", owner_references=(owner,))
    await served.cluster.apply([Create(ConfigMap(metadata=metadata, data={"a": "1"}))])
    read = (await served.kubectl("get", "cm", "made", "-o", "json", "--show-managed-fields")).out
    assert json.loads(read)["metadata"]["managedFields"][0]["manager"] == "kube-controller-manager"
    revision = served.cluster.cache.revision
    await served.kubectl("replace", "-f", "-", stdin=read)
    assert served.cluster.cache.revision == revision
