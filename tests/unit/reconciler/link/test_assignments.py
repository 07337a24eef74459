from collections.abc import Callable

import pytest

from reconciler.link.assignments import COMMIT, desired, uses
from reconciler.store.cache import Cache
from schemas.core.config import ConfigMap, Secret
from schemas.core.container import (
    ConfigMapEnvSource,
    ConfigMapKeySelector,
    Container,
    EnvFromSource,
    EnvVar,
    EnvVarSource,
    SecretEnvSource,
    SecretKeySelector,
)
from schemas.core.node import Node, NodeSpec
from schemas.core.persistence import (
    LocalVolumeSource,
    PersistentVolume,
    PersistentVolumeClaim,
    PersistentVolumeClaimStatus,
    PersistentVolumeSpec,
)
from schemas.core.pod import Pod, PodSpec
from schemas.core.podstatus import PodStatus
from schemas.core.reference import LocalObjectReference, ObjectReference
from schemas.core.volume import (
    ConfigMapProjection,
    ConfigMapVolumeSource,
    PersistentVolumeClaimSpec,
    PersistentVolumeClaimVolumeSource,
    ProjectedVolumeSource,
    SecretProjection,
    SecretVolumeSource,
    Volume,
    VolumeProjection,
)
from schemas.meta import ManagedFieldsEntry, Object, ObjectMeta, Ref
from schemas.node import RuntimeClass


def pod(uid: str, spec: PodSpec | None = None, **metadata: object) -> Pod:
    spec = spec or PodSpec(containers=(), node_name="n1")
    return Pod(metadata=ObjectMeta(name=uid, namespace="shop", uid=uid, generation=3, **metadata), spec=spec)  # type: ignore[arg-type]


def cluster(*objects: Object) -> Cache:
    cache = Cache()
    cache.load(objects)
    return cache


def of_container(**fields: object) -> PodSpec:
    return PodSpec(containers=(Container(name="c", **fields),), node_name="n1")  # type: ignore[arg-type]


def of_volume(**fields: object) -> PodSpec:
    return PodSpec(containers=(), volumes=(Volume(name="v", **fields),), node_name="n1")  # type: ignore[arg-type]


def from_env(**fields: object) -> PodSpec:
    return of_container(env=(EnvVar(name="E", value_from=EnvVarSource(**fields)),))  # type: ignore[arg-type]


def projected(**fields: object) -> PodSpec:
    return of_volume(projected=ProjectedVolumeSource(sources=(VolumeProjection(**fields),)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("spec", "kind"),
    [
        pytest.param(
            of_container(env_from=(EnvFromSource(config_map_ref=ConfigMapEnvSource(name="x")),)),
            "ConfigMap",
            id="envFrom",
        ),
        pytest.param(
            of_container(env_from=(EnvFromSource(secret_ref=SecretEnvSource(name="x")),)), "Secret", id="envFrom secret"
        ),
        pytest.param(from_env(config_map_key_ref=ConfigMapKeySelector(key="k", name="x")), "ConfigMap", id="env"),
        pytest.param(from_env(secret_key_ref=SecretKeySelector(key="k", name="x")), "Secret", id="env secret"),
        pytest.param(of_volume(config_map=ConfigMapVolumeSource(name="x")), "ConfigMap", id="volume"),
        pytest.param(of_volume(secret=SecretVolumeSource(secret_name="x")), "Secret", id="volume secret"),
        pytest.param(projected(config_map=ConfigMapProjection(name="x")), "ConfigMap", id="projected"),
        pytest.param(projected(secret=SecretProjection(name="x")), "Secret", id="projected secret"),
        pytest.param(
            PodSpec(containers=(), image_pull_secrets=(LocalObjectReference("x"),)), "Secret", id="imagePullSecrets"
        ),
        pytest.param(
            PodSpec(
                containers=(),
                init_containers=of_container(
                    env_from=(EnvFromSource(secret_ref=SecretEnvSource(name="x")),)
                ).containers,
            ),
            "Secret",
            id="init container",
        ),
    ],
)
def test_every_way_to_name_a_config_is_known(spec: PodSpec, kind: str) -> None:
    assert uses(pod("a", spec)) == {Ref(kind, "shop", "x")}


def test_a_node_is_told_its_pods_and_what_they_use_and_nothing_else() -> None:
    using = of_volume(secret=SecretVolumeSource(secret_name="used", optional=True))
    elsewhere = PodSpec(containers=(), node_name="n2")
    used = Secret(metadata=ObjectMeta(name="used", namespace="shop"), data={"k": b"1"}, string_data={"l": "2"})
    others = [
        Secret(metadata=ObjectMeta(name="unused", namespace="shop")),
        Secret(metadata=ObjectMeta(name="used", namespace="other")),
        ConfigMap(metadata=ObjectMeta(name="used", namespace="shop")),
    ]
    view = cluster(pod("a", using), pod("b", elsewhere), used, *others)
    found = desired("n1", view)
    assert set(found.pods) == {"a"}
    assert {key: config.data for key, config in found.configs.items()} == {"secret/shop/used": {"k": b"1", "l": b"2"}}


def test_what_does_not_exist_is_left_out_but_remembered_as_named() -> None:
    found = desired("n1", cluster(pod("a", of_volume(config_map=ConfigMapVolumeSource(name="x")))))
    assert not found.configs
    assert found.named == {Ref("ConfigMap", "shop", "x")}


def test_binary_and_text_of_a_config_map_go_as_bytes() -> None:
    stored = ConfigMap(metadata=ObjectMeta(name="x", namespace="shop"), data={"t": "é"}, binary_data={"b": b"\xff"})
    found = desired("n1", cluster(pod("a", of_volume(config_map=ConfigMapVolumeSource(name="x"))), stored))
    assert found.configs["configmap/shop/x"].data == {"t": "é".encode(), "b": b"\xff"}


def test_what_a_report_changes_does_not_change_the_assignment() -> None:
    def told(one: Pod) -> object:
        return desired("n1", cluster(one)).pods["a"]

    change: Callable[..., Pod] = pod
    reported = change("a", resource_version="9", managed_fields=(ManagedFieldsEntry(manager="m"),))
    reported = Pod(metadata=reported.metadata, spec=reported.spec, status=PodStatus(phase="Running"))
    assert told(reported) == told(pod("a"))


def test_the_commit_goes_with_the_pod() -> None:
    found = desired("n1", cluster(pod("a", annotations={COMMIT: "abc"})))
    assert found.pods["a"].commit == "abc"


def test_the_digest_names_generations_hashes_and_the_pod_cidr() -> None:
    node = Node(metadata=ObjectMeta(name="n1"), spec=NodeSpec(pod_cidr="10.1.0.0/24"))
    digest = desired("n1", cluster(node, pod("a"))).digest("s", 7)
    assert (digest.store, digest.revision, digest.pods, digest.pod_cidr) == ("s", 7, {"a": 3}, "10.1.0.0/24")


def test_a_pod_is_told_the_handler_of_its_runtime_class() -> None:
    sandboxed = RuntimeClass(metadata=ObjectMeta(name="sandboxed"), handler="runsc")
    found = desired(
        "n1", cluster(pod("u1", PodSpec(containers=(), node_name="n1", runtime_class_name="sandboxed")), sandboxed)
    )
    assert found.configs["runtimeclass//sandboxed"].data == {"handler": b"runsc"}
    assert Ref("RuntimeClass", "", "sandboxed") in found.named


def test_the_digest_tells_the_node_its_labels() -> None:
    node = Node(metadata=ObjectMeta(name="n1", labels={"disk": "fast"}))
    assert desired("n1", cluster(node)).digest("s", 1).labels == {"disk": "fast"}


def test_a_block_volume_goes_as_a_device_where_the_node_has_one() -> None:
    claim = PersistentVolumeClaim(
        metadata=ObjectMeta(name="data", namespace="shop", uid="c1"),
        spec=PersistentVolumeClaimSpec(volume_name="pv"),
        status=PersistentVolumeClaimStatus(phase="Bound"),
    )
    reference = ObjectReference(kind="PersistentVolumeClaim", namespace="shop", name="data", uid="c1")
    spec = PersistentVolumeSpec(volume_mode="Block", local=LocalVolumeSource(path="/dev/sda"), claim_ref=reference)
    volume = PersistentVolume(metadata=ObjectMeta(name="pv", uid="v1"), spec=spec)
    uses_it = of_volume(persistent_volume_claim=PersistentVolumeClaimVolumeSource(claim_name="data"))
    found = desired("n1", cluster(pod("u1", uses_it), claim, volume)).configs["persistentvolumeclaim/shop/data"]
    assert found.volume is not None
    assert (found.volume.local, found.volume.block) == ("/dev/sda", True)
