"""VolumeBinding, VolumeZone, VolumeRestrictions and NodeVolumeLimits.

https://kubernetes.io/docs/concepts/storage/storage-classes/#volume-binding-mode,
https://kubernetes.io/docs/concepts/storage/persistent-volumes/ (node affinity, access modes),
https://kubernetes.io/docs/concepts/storage/storage-limits/.
"""

import pytest

from reconciler.scheduler.schedule import schedule
from reconciler.scheduler.snapshot import Snapshot
from schemas.core.persistence import PersistentVolume, PersistentVolumeClaim
from schemas.core.pod import Pod
from schemas.meta import Object
from schemas.storage import StorageClass
from tests.oracles.scheduler.chance import made
from tests.unit.reconciler.scheduler.plugins.asking import HOSTNAME, ZONE, Json, fits, pod, refusals, zoned

A, B = zoned("a", "A"), zoned("b", "B")


def class_(late: bool = True, provisioner: str = "disks.example.com", **more: object) -> Object:
    mode = "WaitForFirstConsumer" if late else "Immediate"
    written = {"metadata": {"name": "fast"}, "provisioner": provisioner, "volumeBindingMode": mode, **more}
    return made(StorageClass, written)


def claim(volume: str = "", mode: str = "ReadWriteOnce", size: str = "5Gi") -> Object:
    metadata: Json = {"name": "data", "namespace": "default"}
    spec: Json = {"accessModes": [mode], "storageClassName": "fast", "resources": {"requests": {"storage": size}}}
    if volume:
        metadata["annotations"] = {"pv.kubernetes.io/bind-completed": "yes"}
        spec["volumeName"] = volume
    return made(PersistentVolumeClaim, {"metadata": metadata, "spec": spec})


def volume(
    name: str = "v", on: str = "", size: str = "10Gi", labels: Json | None = None, bound: bool = False
) -> Object:
    spec: Json = {"capacity": {"storage": size}, "accessModes": ["ReadWriteOnce"], "storageClassName": "fast"}
    spec["csi"] = {"driver": "disks.example.com", "volumeHandle": name}
    if on:
        expression = {"key": HOSTNAME, "operator": "In", "values": [on]}
        spec["nodeAffinity"] = {"required": {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}}
    if bound:
        spec["claimRef"] = {"kind": "PersistentVolumeClaim", "namespace": "default", "name": "data"}
    phase = "Bound" if bound else "Available"
    metadata = {"name": name, "labels": labels or {}}
    return made(PersistentVolume, {"metadata": metadata, "spec": spec, "status": {"phase": phase}})


def user(name: str = "p", on: str = "") -> Pod:
    return pod(name, on=on, volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}])


LOCAL = "kubernetes.io/no-provisioner"
ONLY_B = [{"matchLabelExpressions": [{"key": ZONE, "values": ["B"]}]}]


@pytest.mark.parametrize(
    ("objects", "goes"),
    [
        pytest.param([class_(), claim("v"), volume(on="b", bound=True)], {"b"}, id="where the bound volume is"),
        pytest.param([class_(), claim()], {"a", "b"}, id="anywhere, if it can be made anywhere"),
        pytest.param([class_(allowedTopologies=ONLY_B), claim()], {"b"}, id="where it can be made"),
        pytest.param([class_(provisioner=LOCAL), claim(), volume(on="a")], {"a"}, id="where a free volume is"),
        pytest.param(
            [class_(provisioner=LOCAL), claim(size="50Gi"), volume(on="a")], set(), id="a volume that is too small"
        ),
        pytest.param(
            [class_(), claim("v"), volume(labels={ZONE: "B"}, bound=True)], {"b"}, id="in the zone of the volume"
        ),
        pytest.param(
            [class_(), claim("v"), volume(labels={ZONE: "B__C"}, bound=True)], {"b"}, id="in one of several zones"
        ),
        pytest.param(
            [class_(), claim("v", "ReadWriteOncePod"), volume(bound=True), user("other", "a")],
            set(),
            id="a claim for one pod alone, and it has it",
        ),
        pytest.param(
            [class_(), claim("v"), volume(bound=True), user("other", "a")], {"a", "b"}, id="a claim that pods may share"
        ),
    ],
)
def test_pods_go_where_their_volumes_can_be(objects: list[Object], goes: set[str]) -> None:
    assert fits(user(), A, B, *objects) == goes


@pytest.mark.parametrize(
    ("objects", "reason"),
    [
        pytest.param([], 'persistentvolumeclaim "data" not found', id="no claim"),
        pytest.param(
            [class_(late=False), claim()], "pod has unbound immediate PersistentVolumeClaims", id="not bound yet"
        ),
        pytest.param([class_(), claim("gone")], 'persistentvolume "gone" not found', id="no volume"),
    ],
)
def test_what_no_node_can_mend_is_said_once(objects: list[Object], reason: str) -> None:
    (found,) = schedule((user(),), Snapshot((A, B, *objects)))
    assert found.message == (
        f"0/2 nodes are available: {reason}. "
        "preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling."
    )


def test_volumes_that_a_node_can_attach_are_counted() -> None:
    other = pod("other", on="a", volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "more"}}])
    more = made(
        PersistentVolumeClaim,
        {
            "metadata": {
                "name": "more",
                "namespace": "default",
                "annotations": {"pv.kubernetes.io/bind-completed": "yes"},
            },
            "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "fast", "volumeName": "w"},
        },
    )
    objects = (A, B, class_(), claim("v"), volume(bound=True), more, volume("w", bound=False), other)
    snapshot = Snapshot(objects)
    for name in "ab":
        snapshot.limit_volumes(name, {"disks.example.com": 1})
    (found,) = schedule((user(),), snapshot)
    assert found.node == "b"


def test_a_disk_that_is_written_is_on_one_node_only() -> None:
    disk = {"name": "d", "gcePersistentDisk": {"pdName": "disk"}}
    writer = pod("writer", on="a", volumes=[disk])
    assert refusals(pod(volumes=[disk]), A, B, writer) == {"a": "VolumeRestrictions: node(s) had no available disk"}
