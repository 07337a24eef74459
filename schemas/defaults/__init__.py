"""What the API server fills in where an object leaves a field out.

Pure and idempotent. What a defaulted object says does not depend on who reads it, so that stored, shown and
declared objects compare equal. What depends on the cluster (addresses, service accounts, tolerations by admission)
is not here. Follows the defaulting of Kubernetes 1.36, kind by kind.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from msgspec import structs

from schemas.apps import DaemonSet, Deployment, ReplicaSet, StatefulSet
from schemas.autoscaling import HorizontalPodAutoscaler
from schemas.batch import CronJob, Job
from schemas.core.config import Namespace, Secret
from schemas.core.endpoints import Endpoints
from schemas.core.node import Node
from schemas.core.persistence import PersistentVolume, PersistentVolumeClaim
from schemas.core.pod import Pod
from schemas.core.quota import LimitRange, ResourceQuota
from schemas.core.replication import PodTemplate, ReplicationController
from schemas.core.service import Service
from schemas.csi import CSIDriver
from schemas.defaults import access, autoscaling, csi, jobs, networking, quota, service, storage, workloads
from schemas.defaults.pod import pod_spec
from schemas.defaults.value import resource_list
from schemas.discovery import EndpointSlice
from schemas.meta import Object
from schemas.networking import IngressClass, NetworkPolicy
from schemas.rbac import ClusterRoleBinding, RoleBinding
from schemas.scheduling import PriorityClass
from schemas.storage import StorageClass

AnyObject = TypeVar("AnyObject", bound=Object)


def defaulted(object_: AnyObject) -> AnyObject:
    """The object with every default of its kind filled in."""
    fill = _BY_TYPE.get(type(object_))
    return object_ if fill is None else fill(object_)


def _pod(pod: Pod) -> Pod:
    return structs.replace(pod, spec=pod_spec(pod.spec))


def _namespace(namespace: Namespace) -> Namespace:
    metadata = namespace.metadata
    named = {"kubernetes.io/metadata.name": metadata.name} if metadata.name else {}
    finalizers = namespace.spec.finalizers
    if not finalizers and metadata.deletion_timestamp is None:
        finalizers = ("kubernetes",)
    return structs.replace(
        namespace,
        metadata=structs.replace(metadata, labels=metadata.labels | named),
        spec=structs.replace(namespace.spec, finalizers=finalizers),
        status=structs.replace(namespace.status, phase=namespace.status.phase or "Active"),
    )


def _secret(secret: Secret) -> Secret:
    written = {key: text.encode() for key, text in secret.string_data.items()}
    return structs.replace(secret, type=secret.type or "Opaque", data=secret.data | written, string_data={})


def _node(node: Node) -> Node:
    capacity = resource_list(node.status.capacity)
    allocatable = resource_list(node.status.allocatable) or capacity
    return structs.replace(node, status=structs.replace(node.status, capacity=capacity, allocatable=allocatable))


def _priority_class(priority: PriorityClass) -> PriorityClass:
    return structs.replace(priority, preemption_policy=priority.preemption_policy or "PreemptLowerPriority")


_BY_TYPE: dict[type[Object], Callable[[Any], Any]] = {
    CSIDriver: csi.csi_driver,
    ClusterRoleBinding: access.cluster_role_binding,
    CronJob: jobs.cron_job,
    DaemonSet: workloads.daemon_set,
    Deployment: workloads.deployment,
    EndpointSlice: service.endpoint_slice,
    Endpoints: service.endpoints,
    HorizontalPodAutoscaler: autoscaling.horizontal_pod_autoscaler,
    IngressClass: networking.ingress_class,
    Job: jobs.job,
    LimitRange: quota.limit_range,
    Namespace: _namespace,
    NetworkPolicy: networking.network_policy,
    Node: _node,
    PersistentVolume: storage.persistent_volume,
    PersistentVolumeClaim: storage.persistent_volume_claim,
    Pod: _pod,
    PodTemplate: workloads.pod_template,
    PriorityClass: _priority_class,
    ReplicaSet: workloads.replica_set,
    ReplicationController: workloads.replication_controller,
    ResourceQuota: quota.resource_quota,
    RoleBinding: access.role_binding,
    Secret: _secret,
    Service: service.service,
    StatefulSet: workloads.stateful_set,
    StorageClass: storage.storage_class,
}
