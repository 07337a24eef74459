"""Which volumes a pod gets, and what is in them."""

from typing import Any

import pytest

from nodeagent.pods.fieldpaths import PodFacts
from nodeagent.pods.node import NodeFacts
from nodeagent.volumes.plan import (
    Block,
    Content,
    EmptyDir,
    File,
    HostPath,
    ImageVolume,
    Planned,
    VolumeFault,
    config_keys,
    is_read_only,
    plan_volumes,
)
from schemas.messages import ClaimedVolume, Config
from tests.unit.nodeagent.pods.builders import pod

CONFIGS = {
    one.key: one
    for one in (
        Config("ConfigMap", "default", "cm", {"a": b"1", "b": b"2"}),
        Config("Secret", "default", "sec", {"word": b"sesame"}),
        Config("PersistentVolumeClaim", "default", "disk", volume=ClaimedVolume(name="pv", local="/dev/x", block=True)),
    )
}


def plan(**volume: Any) -> Planned:  # noqa: ANN401 - as YAML
    facts = PodFacts(pod(volumes=[{"name": "v", **volume}], metadata={"labels": {"app": "web"}}), NodeFacts(name="n"))
    return plan_volumes(facts, CONFIGS)[0]


@pytest.mark.parametrize(
    ("volume", "planned"),
    [
        pytest.param({}, EmptyDir("v"), id="nothing named"),
        pytest.param({"emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}, EmptyDir("v", True, 1 << 20), id="memory"),
        pytest.param(
            {"image": {"reference": "a:1", "pullPolicy": "Never"}}, ImageVolume("v", "a:1", "Never"), id="image"
        ),
        pytest.param({"persistentVolumeClaim": {"claimName": "disk"}}, Block("v", "/dev/x"), id="block device"),
        pytest.param({"hostPath": {"path": "/x", "type": "File"}}, HostPath("v", "/x", "File"), id="host path"),
        pytest.param({"configMap": {"name": "cm"}}, Content("v", {"a": File(b"1"), "b": File(b"2")}), id="config map"),
        pytest.param(
            {"configMap": {"name": "cm", "defaultMode": 0o400, "items": [{"key": "b", "path": "x/b", "mode": 0o600}]}},
            Content("v", {"x/b": File(b"2", 0o600)}),
            id="items and modes",
        ),
        pytest.param({"secret": {"secretName": "no", "optional": True}}, Content("v", {}), id="optional and absent"),
        pytest.param(
            {"secret": {"secretName": "sec", "optional": True, "items": [{"key": "no", "path": "x"}]}},
            Content("v", {}),
            id="optional key",
        ),
        pytest.param(
            {"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
            Content("v", {"labels": File(b'app="web"')}),
            id="downward API",
        ),
        pytest.param(
            {
                "projected": {
                    "defaultMode": 0o440,
                    "sources": [
                        {"configMap": {"name": "cm", "items": [{"key": "a", "path": "a"}]}},
                        {"secret": {"name": "sec"}},
                        {"downwardAPI": {"items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}},
                    ],
                }
            },
            Content("v", {"a": File(b"1", 0o440), "word": File(b"sesame", 0o440), "name": File(b"web", 0o440)}),
            id="projected",
        ),
    ],
)
def test_volumes_are_planned(volume: dict[str, Any], planned: Planned) -> None:
    assert plan(**volume) == planned


@pytest.mark.parametrize(
    ("volume", "message"),
    [
        pytest.param({"configMap": {"name": "no"}}, 'configmap "no" not found', id="config map"),
        pytest.param({"secret": {"secretName": "no"}}, 'secret "no" not found', id="secret"),
        pytest.param(
            {"configMap": {"name": "cm", "items": [{"key": "z", "path": "z"}]}},
            "references non-existent config key: z",
            id="key",
        ),
        pytest.param(
            {"configMap": {"name": "cm", "items": [{"key": "a", "path": "../a"}]}}, "invalid path '../a'", id="path"
        ),
        pytest.param({"iscsi": {"targetPortal": "x", "iqn": "y", "lun": 0}}, "not supported on this node", id="kind"),
        pytest.param(
            {"projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}},
            'failed to fetch token: none was made for serviceaccount ""',
            id="token",
        ),
        pytest.param(
            {"projected": {"sources": [{"podCertificate": {"keyType": "ED25519", "signerName": "x/y"}}]}},
            "pod certificate cannot be projected",
            id="projection",
        ),
    ],
)
def test_what_cannot_be_had_is_said(volume: dict[str, Any], message: str) -> None:
    with pytest.raises(VolumeFault) as fault:
        plan(**volume)
    assert str(fault.value).startswith('MountVolume.SetUp failed for volume "v" : ')
    assert message in str(fault.value)


def test_the_configs_that_volumes_show_are_known() -> None:
    shown = pod(
        volumes=[
            {"name": "a", "configMap": {"name": "cm"}},
            {"name": "b", "projected": {"sources": [{"secret": {"name": "sec"}}]}},
        ]
    )
    assert config_keys(shown) == {"configmap/default/cm", "secret/default/sec"}


@pytest.mark.parametrize(
    ("group", "mode"), [pytest.param({}, 0o644, id="all"), pytest.param({"fsGroup": 7}, 0o600, id="group")]
)
def test_a_token_is_a_file(group: dict[str, int], mode: int) -> None:
    sources = [{"serviceAccountToken": {"path": "token", "audience": "vault", "expirationSeconds": 600}}]
    one = pod(volumes=[{"name": "v", "projected": {"sources": sources}}], securityContext=group)
    config = Config("Token", "default", one.metadata.uid, {"600:vault": b"secret", "3600:": b"other"})
    planned = plan_volumes(PodFacts(one, NodeFacts(name="n")), {config.key: config})
    assert planned == (Content("v", {"token": File(b"secret", mode)}),)


MIB = 1 << 20
HUGE = {"hugepages-2Mi": "4Mi"}


def memory(medium: str, limit: str | None, resources: dict[str, Any]) -> Planned:
    source = {"medium": medium} | ({"sizeLimit": limit} if limit else {})
    containers = [{"name": "main", "image": "x", "resources": {"limits": resources, "requests": resources}}]
    node = NodeFacts(name="n", allocatable_memory=64 * MIB, page_sizes=(2 * MIB, 1024 * MIB))
    facts = PodFacts(pod(volumes=[{"name": "v", "emptyDir": source}], containers=containers), node)
    return plan_volumes(facts, {})[0]


@pytest.mark.parametrize(
    ("medium", "limit", "resources", "planned"),
    [
        pytest.param("Memory", None, {}, EmptyDir("v", True, 64 * MIB), id="what the node can give"),
        pytest.param("Memory", None, {"memory": "8Mi"}, EmptyDir("v", True, 8 * MIB), id="what the pod may take"),
        pytest.param("Memory", "1Mi", {"memory": "8Mi"}, EmptyDir("v", True, MIB), id="what it says"),
        pytest.param("Memory", "1Gi", {}, EmptyDir("v", True, 64 * MIB), id="more than there is"),
        pytest.param("HugePages-1Gi", None, {}, EmptyDir("v", True, 0, 1024 * MIB), id="pages of that size"),
        pytest.param("HugePages", "4Mi", HUGE, EmptyDir("v", True, 4 * MIB, 2 * MIB), id="those that are asked for"),
    ],
)
def test_an_empty_dir_in_memory_is_bounded(
    medium: str, limit: str | None, resources: dict[str, str], planned: Planned
) -> None:
    assert memory(medium, limit, resources) == planned


@pytest.mark.parametrize("medium", ["HugePages", "HugePages-16Mi"])
def test_huge_pages_that_the_node_lacks_are_said(medium: str) -> None:
    with pytest.raises(VolumeFault, match="the node has hugepages-2Mi, hugepages-1Gi"):
        memory(medium, None, {})


def test_containers_only_read_what_is_an_image() -> None:
    assert is_read_only(ImageVolume("v", "a:1"))
    assert not is_read_only(Block("v", "/dev/x"))
    assert is_read_only(Block("v", "/dev/x", read_only=True))
