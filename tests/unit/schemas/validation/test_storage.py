"""Rules of volumes, claims and storage classes that no recorded answer shows."""

from typing import Any

import pytest

from schemas.shape import Json
from tests.unit.schemas.build import document, pod
from tests.unit.schemas.validation.found import faults, faults_of_change


def claim(size: str = "1Gi", status: dict[str, Any] | None = None, **spec: Json) -> dict[str, Any]:
    resources = {"requests": {"storage": size}}
    spec = {"accessModes": ["ReadWriteOnce"], "resources": resources, **spec}
    return document("v1", "PersistentVolumeClaim", spec=spec, status=status or {})


def volume(**spec: Json) -> dict[str, Any]:
    sources = {"nfs", "csi", "local", "iscsi", "hostPath"} & spec.keys()
    source: dict[str, Any] = {} if sources else {"hostPath": {"path": "/data"}}
    spec = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], **source, **spec}
    return document("v1", "PersistentVolume", spec=spec)


def storage_class(**fields: Json) -> dict[str, Any]:
    return document("storage.k8s.io/v1", "StorageClass", **{"provisioner": "example.com/p", **fields})


ON_A_NODE = {
    "required": {
        "nodeSelectorTerms": [
            {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["a"]}]}
        ]
    }
}
DEFAULT_GROUP = "must be 'PersistentVolumeClaim' when referencing the default apiGroup"
CSI = {"driver": "example.com", "volumeHandle": "v"}


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(claim(), id="claim"),
        pytest.param(claim(storageClassName=""), id="claim without a class"),
        pytest.param(claim(dataSource={"kind": "PersistentVolumeClaim", "name": "b"}), id="copy of a claim"),
        pytest.param(volume(), id="volume"),
        pytest.param(volume(local={"path": "/data"}, nodeAffinity=ON_A_NODE), id="local volume"),
        pytest.param(volume(csi=CSI, volumeAttributesClassName="fast"), id="volume of a driver"),
        pytest.param(storage_class(), id="class"),
        pytest.param(
            storage_class(
                allowedTopologies=[{"matchLabelExpressions": [{"key": "zone", "values": ["a", "b"]}]}],
                parameters={"type": "fast"},
                mountOptions=["noatime"],
            ),
            id="class with everything",
        ),
    ],
)
def test_sound_storage_is_taken(written: dict[str, Any]) -> None:
    assert faults(written) == []


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        pytest.param(
            claim(dataSource={"kind": "Other", "name": "b"}, dataSourceRef={"kind": "Other", "name": "c"}),
            [
                f'spec.dataSource: Invalid value: "Other": {DEFAULT_GROUP}',
                f'spec.dataSourceRef: Invalid value: "Other": {DEFAULT_GROUP}',
                'spec.dataSource: Invalid value: {"kind":"Other","name":"b"}: must match dataSourceRef',
            ],
            id="two sources",
        ),
        pytest.param(
            claim("100m"),
            [
                'spec.resources.requests[storage]: fractional byte value "100m" is invalid, must be an integer',
            ],
            id="a tenth of a byte",
        ),
        pytest.param(
            volume(nfs={"server": "", "path": "/x"}), ["spec.nfs.server: Required value"], id="no server of a volume"
        ),
        pytest.param(
            volume(local={"path": "/a/../b"}, nodeAffinity=ON_A_NODE),
            ["spec.local.path: Invalid value: \"/a/../b\": must not contain '..'"],
            id="way up",
        ),
        pytest.param(
            volume(nodeAffinity={}),
            ["spec.nodeAffinity.required: Required value: must specify required node constraints"],
            id="affinity to nothing",
        ),
        pytest.param(
            volume(capacity={"storage": "0"}),
            ['spec.capacity[storage]: Invalid value: "0": must be greater than zero'],
            id="no size",
        ),
        pytest.param(
            volume(csi={**CSI, "nodeStageSecretRef": {}, "nodePublishSecretRef": {"name": "s"}}),
            ["spec.csi.nodePublishSecretRef.namespace: Required value"],
            id="secret of a driver",
        ),
        pytest.param(
            volume(hostPath={"path": "//."}, persistentVolumeReclaimPolicy="Recycle"),
            [
                "spec.persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a hostPath mount of '/'",
                "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated",
            ],
            id="recycling the root",
        ),
        pytest.param(
            storage_class(allowedTopologies=[{"matchLabelExpressions": [{"key": "zone", "values": ["a", "a"]}]}]),
            ['allowedTopologies[0].matchLabelExpressions[0].values[1]: Duplicate value: "a"'],
            id="zone twice",
        ),
        pytest.param(
            pod(volumes=[{"name": "v", "ephemeral": {"volumeClaimTemplate": {"spec": {}}}}]),
            [
                "spec.volumes[0].ephemeral.volumeClaimTemplate.spec.accessModes: Required value: "
                "at least 1 access mode is required",
                "spec.volumes[0].ephemeral.volumeClaimTemplate.spec.resources[storage]: Required value",
            ],
            id="claim of a pod",
        ),
    ],
)
def test_a_broken_rule_of_storage_is_told_in_the_words_of_kubernetes(
    written: dict[str, Any], expected: list[str]
) -> None:
    assert faults(written) == expected


BOUND = {"phase": "Bound", "capacity": {"storage": "1Gi"}}
FIXED = (
    "spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName "
    "for bound claims"
)
SMALLER = "spec.resources.requests.storage: Forbidden: field can not be less than status.capacity"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(claim(), claim(volumeName="v"), [], id="binding"),
        pytest.param(claim(), claim(storageClassName="c"), [], id="a class where there was none"),
        pytest.param(claim(storageClassName="a"), claim(storageClassName="c"), [FIXED], id="another class"),
        pytest.param(claim(volumeName="v"), claim(volumeName="w"), [FIXED], id="another volume"),
        pytest.param(claim(), claim("2Gi"), [FIXED], id="growth before there is a volume"),
        pytest.param(claim(status=BOUND), claim("2Gi", BOUND), [], id="growth"),
        pytest.param(claim("3Gi", BOUND), claim("2Gi", BOUND), [], id="less growth than was hoped for"),
        pytest.param(claim(status=BOUND), claim("512Mi", BOUND), [SMALLER], id="shrinking"),
        pytest.param(
            volume(),
            volume(hostPath={"path": "/other"}),
            [
                "spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation",
            ],
            id="another source",
        ),
        pytest.param(volume(), volume(capacity={"storage": "2Gi"}), [], id="larger volume"),
        pytest.param(volume(), volume(nodeAffinity=ON_A_NODE), [], id="affinity where there was none"),
        pytest.param(
            volume(csi=CSI),
            volume(csi={**CSI, "controllerExpandSecretRef": {"name": "s", "namespace": "n"}}),
            [],
            id="secret for growth",
        ),
        pytest.param(storage_class(), storage_class(allowVolumeExpansion=True), [], id="allowing growth"),
        pytest.param(
            storage_class(),
            storage_class(reclaimPolicy="Retain"),
            ['reclaimPolicy: Invalid value: "Retain": field is immutable'],
            id="what becomes of volumes",
        ),
    ],
)
def test_what_of_storage_may_change(old: dict[str, Any], new: dict[str, Any], expected: list[str]) -> None:
    assert faults_of_change(old, new) == expected
