"""Objects for the tests of the cluster, with as little in them as goes."""

from datetime import UTC, datetime
from itertools import count

from reconciler.store.planning import Mint
from schemas.apps import Deployment, DeploymentSpec, ReplicaSet, ReplicaSetSpec
from schemas.core.config import ConfigMap, Namespace, NamespaceSpec
from schemas.core.container import Container
from schemas.core.node import Node
from schemas.core.pod import Pod, PodSpec, PodTemplateSpec
from schemas.core.podstatus import PodStatus
from schemas.meta import LabelSelector, Object, ObjectMeta, OwnerReference

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def meta(name: str, namespace: str = "shop", **more: object) -> ObjectMeta:
    return ObjectMeta(name=name, namespace=namespace, **more)  # type: ignore[arg-type]


def owner(object_: Object) -> OwnerReference:
    return OwnerReference(
        api_version=object_.api_version, kind=object_.kind, name=object_.metadata.name, uid=object_.metadata.uid
    )


def pod(name: str, *, node: str = "", phase: str = "", grace: int | None = None, **more: object) -> Pod:
    spec = PodSpec(
        containers=(Container(name="c", image="nginx:1.27"),), node_name=node, termination_grace_period_seconds=grace
    )
    return Pod(metadata=meta(name, **more), spec=spec, status=PodStatus(phase=phase))  # type: ignore[arg-type]


def config(name: str, data: dict[str, str] | None = None, **more: object) -> ConfigMap:
    return ConfigMap(metadata=meta(name, **more), data=data or {})  # type: ignore[arg-type]


def deployment(name: str, replicas: int = 1) -> Deployment:
    labels = {"app": name}
    spec = DeploymentSpec(
        replicas=replicas,
        selector=LabelSelector(match_labels=labels),
        template=PodTemplateSpec(
            metadata=ObjectMeta(labels=labels), spec=PodSpec(containers=(Container(name="c", image="nginx:1.27"),))
        ),
    )
    return Deployment(metadata=meta(name, labels=labels), spec=spec)


def replica_set(name: str, **more: object) -> ReplicaSet:
    spec = ReplicaSetSpec(selector=LabelSelector(match_labels={"app": name}))
    return ReplicaSet(metadata=meta(name, **more), spec=spec)  # type: ignore[arg-type]


def node(name: str) -> Node:
    return Node(metadata=meta(name, ""))


def namespace(name: str, *finalizers: str) -> Namespace:
    return Namespace(metadata=meta(name, ""), spec=NamespaceSpec(finalizers=finalizers))


def counting_mint() -> Mint:
    """Numbers in place of chance: uid-1, uid-2, … and bbbbb, bbbbc, …"""
    uids, suffixes = count(1), count()
    letters = "bcdfghjklm"
    return Mint(
        uid=lambda: f"uid-{next(uids)}",
        suffix=lambda: "".join(letters[int(digit)] for digit in f"{next(suffixes):05}"),
    )
