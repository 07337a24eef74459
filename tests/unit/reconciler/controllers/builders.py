"""Objects for tests, with only what the test is about."""

from msgspec import structs

from schemas.apps import (
    Deployment,
    DeploymentSpec,
    DeploymentStrategy,
    ReplicaSet,
    ReplicaSetSpec,
    RollingUpdateDeployment,
)
from schemas.core.affinity import Toleration
from schemas.core.container import Container, ResourceRequirements
from schemas.core.node import Node, NodeCondition, NodeSpec, NodeStatus, Taint
from schemas.core.pod import Pod, PodSpec, PodTemplateSpec
from schemas.meta import LabelSelector, ObjectMeta, OwnerReference

LABELS = {"app": "web"}


def template(image: str = "app:1", labels: dict[str, str] = LABELS) -> PodTemplateSpec:
    return PodTemplateSpec(ObjectMeta(labels=labels), PodSpec((Container(name="c", image=image),)))


def deployment(
    replicas: int = 3,
    *,
    image: str = "app:1",
    surge: int | str = 1,
    unavailable: int | str = 0,
    strategy: str = "RollingUpdate",
    min_ready_seconds: int = 0,
) -> Deployment:
    rolling = RollingUpdateDeployment(surge, unavailable) if strategy == "RollingUpdate" else None
    return Deployment(
        metadata=ObjectMeta(name="web", namespace="default"),
        spec=DeploymentSpec(
            selector=LabelSelector(match_labels=LABELS),
            template=template(image),
            replicas=replicas,
            min_ready_seconds=min_ready_seconds,
            strategy=DeploymentStrategy(rolling, strategy),
        ),
    )


def replica_set(name: str = "web", replicas: int = 1, *, available: int = 0, created: int | None = None) -> ReplicaSet:
    found = ReplicaSet(
        metadata=ObjectMeta(name=name, namespace="default", uid=f"uid-{name}"),
        spec=ReplicaSetSpec(LabelSelector(match_labels=LABELS), replicas=replicas, template=template()),
    )
    return structs.replace(found, status=structs.replace(found.status, available_replicas=available))


def pod(
    name: str = "p",
    *,
    node: str = "",
    labels: dict[str, str] | None = None,
    owner: OwnerReference | None = None,
    requests: dict[str, str] | None = None,
    tolerations: tuple[Toleration, ...] = (),
    priority: int | None = None,
) -> Pod:
    container = Container(name="c", image="app:1", resources=ResourceRequirements(requests=dict(requests or {})))
    return Pod(
        metadata=ObjectMeta(
            name=name, namespace="default", labels=labels or {}, owner_references=(owner,) if owner else ()
        ),
        spec=PodSpec((container,), node_name=node, tolerations=tolerations, priority=priority),
    )


def node(name: str = "n1", *, ready: str = "True", taints: tuple[Taint, ...] = (), cordoned: bool = False) -> Node:
    reason = {"True": "KubeletReady", "False": "KubeletNotReady", "Unknown": "NodeStatusUnknown"}[ready]
    return Node(
        metadata=ObjectMeta(name=name, labels={"kubernetes.io/hostname": name}),
        spec=NodeSpec(taints=taints, unschedulable=cordoned),
        status=NodeStatus(
            allocatable={"cpu": "4", "memory": "8Gi", "pods": "110"},
            conditions=(NodeCondition(ready, "Ready", reason=reason),),
        ),
    )
