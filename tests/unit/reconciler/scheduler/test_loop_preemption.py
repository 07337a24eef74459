"""What the loop writes where a pod has to wait: for victims to end, or for its claims to be bound."""

import asyncio
from pathlib import Path

from msgspec import structs

from reconciler.scheduler.loop import SchedulerLoop
from reconciler.store.changes import Create, Delete, Update, UpdateStatus
from reconciler.store.cluster import Cluster
from schemas import conditions
from schemas.core.affinity import NodeSelector, NodeSelectorRequirement, NodeSelectorTerm
from schemas.core.event import Event
from schemas.core.persistence import (
    LocalVolumeSource,
    PersistentVolume,
    PersistentVolumeClaim,
    PersistentVolumeClaimStatus,
    PersistentVolumeSpec,
    PersistentVolumeStatus,
    VolumeNodeAffinity,
)
from schemas.core.pod import Pod
from schemas.core.volume import (
    PersistentVolumeClaimSpec,
    PersistentVolumeClaimVolumeSource,
    Volume,
    VolumeResourceRequirements,
)
from schemas.meta import ObjectMeta, Ref
from schemas.scheduling import PriorityClass
from schemas.storage import StorageClass
from tests.unit.reconciler.controllers.builders import node, pod
from tests.unit.reconciler.running import open_cluster, running, until

_IMPORTANT = PriorityClass(metadata=ObjectMeta(name="important"), value=10)
_BIG = {"cpu": "3"}
_SELECTED = "volume.kubernetes.io/selected-node"


def _important(name: str) -> Pod:
    asked = pod(name, requests=_BIG)
    return structs.replace(asked, spec=structs.replace(asked.spec, priority_class_name="important"))


def _get(cluster: Cluster, name: str) -> Pod:
    found = cluster.cache.get(Pod, "default", name)
    assert found is not None
    return found


async def test_a_more_important_pod_makes_another_end_and_takes_its_place_when_it_has(tmp_path: Path) -> None:
    async with open_cluster(tmp_path) as cluster:
        await cluster.apply([Create(node("n1")), Create(_IMPORTANT), Create(pod("low", requests=_BIG))])
        async with running(SchedulerLoop(cluster).run()):
            await until(lambda: _get(cluster, "low").spec.node_name == "n1", cluster)
            await cluster.apply((Create(_important("high")),))
            await until(lambda: _get(cluster, "high").status.nominated_node_name == "n1", cluster)

            victim = _get(cluster, "low")
            assert victim.metadata.deletion_timestamp is not None
            told = conditions.find(victim.status.conditions, "DisruptionTarget")
            assert told is not None
            assert (told.status, told.reason) == ("True", "PreemptionByScheduler")
            uid = _get(cluster, "high").metadata.uid
            assert f"Preempted by pod {uid} on node n1" in {one.message for one in cluster.cache.list(Event)}
            assert _get(cluster, "high").spec.node_name == ""

            await cluster.apply((Delete(Ref("Pod", "default", "low"), grace_seconds=0),))
            await until(lambda: _get(cluster, "high").spec.node_name == "n1", cluster)
            assert _get(cluster, "high").status.nominated_node_name == ""


async def test_room_that_is_being_made_for_a_pod_is_given_to_no_lesser_one(tmp_path: Path) -> None:
    async with open_cluster(tmp_path) as cluster:
        await cluster.apply([Create(node("n1")), Create(_IMPORTANT), Create(pod("low", requests=_BIG))])
        loop = SchedulerLoop(cluster)
        async with running(loop.run()):
            await until(lambda: _get(cluster, "low").spec.node_name == "n1", cluster)
            await cluster.apply((Create(_important("high")),))
            await until(lambda: _get(cluster, "high").status.nominated_node_name == "n1", cluster)
            await cluster.apply((Create(pod("other", requests=_BIG)),))
            await cluster.apply((Delete(Ref("Pod", "default", "low"), grace_seconds=0),))
            await until(lambda: _get(cluster, "high").spec.node_name == "n1", cluster)
            async with asyncio.timeout(60):
                while not loop.idle:
                    await asyncio.sleep(0)
            assert _get(cluster, "other").spec.node_name == ""


def _class(provisioner: str) -> StorageClass:
    return StorageClass(
        metadata=ObjectMeta(name="later"), provisioner=provisioner, volume_binding_mode="WaitForFirstConsumer"
    )


_CLAIM = PersistentVolumeClaim(
    metadata=ObjectMeta(name="data", namespace="default"),
    spec=PersistentVolumeClaimSpec(
        access_modes=("ReadWriteOnce",),
        resources=VolumeResourceRequirements(requests={"storage": "1Gi"}),
        storage_class_name="later",
    ),
)


def _volume(name: str, on: str) -> PersistentVolume:
    required = NodeSelectorRequirement(key="kubernetes.io/hostname", operator="In", values=(on,))
    return PersistentVolume(
        metadata=ObjectMeta(name=name),
        spec=PersistentVolumeSpec(
            access_modes=("ReadWriteOnce",),
            capacity={"storage": "2Gi"},
            local=LocalVolumeSource(path="/data"),
            node_affinity=VolumeNodeAffinity(NodeSelector((NodeSelectorTerm(match_expressions=(required,)),))),
            storage_class_name="later",
        ),
    )


def _using() -> Pod:
    asked = pod("p")
    volume = Volume(name="d", persistent_volume_claim=PersistentVolumeClaimVolumeSource(claim_name="data"))
    return structs.replace(asked, spec=structs.replace(asked.spec, volumes=(volume,)))


def _labelled(name: str) -> Create:
    made = node(name)
    labels = {**made.metadata.labels, "kubernetes.io/hostname": name}
    return Create(structs.replace(made, metadata=structs.replace(made.metadata, labels=labels)))


def _claim(cluster: Cluster) -> PersistentVolumeClaim:
    found = cluster.cache.get(PersistentVolumeClaim, "default", "data")
    assert found is not None
    return found


async def _bind(cluster: Cluster, volume: str) -> None:
    """What the controller of claims does once there is a volume."""
    claim = _claim(cluster)
    bound = structs.replace(claim, spec=structs.replace(claim.spec, volume_name=volume))
    status = PersistentVolumeClaimStatus(phase="Bound")
    await cluster.apply([Update(bound), UpdateStatus(structs.replace(claim, status=status))])


async def test_a_claim_that_waits_for_its_pod_is_told_the_node_and_the_pod_bound_when_it_is(tmp_path: Path) -> None:
    async with open_cluster(tmp_path) as cluster:
        await cluster.apply(
            [_labelled("n1"), _labelled("n2"), Create(_class("made.example.com")), Create(_CLAIM), Create(_using())]
        )
        async with running(SchedulerLoop(cluster).run()):
            await until(lambda: _SELECTED in _claim(cluster).metadata.annotations, cluster)
            chosen = _claim(cluster).metadata.annotations[_SELECTED]
            await until(lambda: _get(cluster, "p").status.nominated_node_name == chosen, cluster)
            assert _get(cluster, "p").spec.node_name == ""
            await cluster.apply((Create(_volume("made", chosen)),))
            await _bind(cluster, "made")
            await until(lambda: _get(cluster, "p").spec.node_name == chosen, cluster)


async def test_a_volume_that_is_there_is_made_out_to_the_claim_on_its_node(tmp_path: Path) -> None:
    async with open_cluster(tmp_path) as cluster:
        there = _volume("there", "n2")
        await cluster.apply(
            [_labelled("n1"), _labelled("n2"), Create(_class("kubernetes.io/no-provisioner")), Create(there)]
        )
        available = structs.replace(there, status=PersistentVolumeStatus(phase="Available"))
        await cluster.apply([UpdateStatus(available), Create(_CLAIM), Create(_using())])
        async with running(SchedulerLoop(cluster).run()):
            await until(lambda: _get(cluster, "p").status.nominated_node_name == "n2", cluster)
            made_out = cluster.cache.get(PersistentVolume, "", "there")
            assert made_out is not None
            assert made_out.spec.claim_ref is not None
            assert made_out.spec.claim_ref.uid == _claim(cluster).metadata.uid
            await _bind(cluster, "there")
            await until(lambda: _get(cluster, "p").spec.node_name == "n2", cluster)
