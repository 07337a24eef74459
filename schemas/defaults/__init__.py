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
from schemas.core.node import Node
from schemas.core.pod import Pod
from schemas.core.replication import PodTemplate, ReplicationController
from schemas.core.service import ClientIPConfig, Service, ServicePort, ServiceSpec, SessionAffinityConfig
from schemas.defaults import autoscaling, jobs, workloads
from schemas.defaults.pod import pod_spec
from schemas.defaults.value import resource_list
from schemas.meta import Object

AnyObject = TypeVar("AnyObject", bound=Object)


def defaulted(object_: AnyObject) -> AnyObject:
    """The object with every default of its kind filled in."""
    fill = _BY_TYPE.get(type(object_))
    return object_ if fill is None else fill(object_)


def _pod(pod: Pod) -> Pod:
    return structs.replace(pod, spec=pod_spec(pod.spec))


def _service(service: Service) -> Service:
    spec = service.spec
    type_ = spec.type or "ClusterIP"
    affinity = spec.session_affinity or "None"
    routed = type_ in ("ClusterIP", "NodePort", "LoadBalancer")
    external = type_ in ("NodePort", "LoadBalancer") or (type_ == "ClusterIP" and bool(spec.external_ips))
    balanced = type_ == "LoadBalancer" and spec.allocate_load_balancer_node_ports is None
    return structs.replace(
        service,
        spec=structs.replace(
            spec,
            type=type_,
            session_affinity=affinity,
            session_affinity_config=_affinity_config(affinity, spec),
            ports=tuple(_service_port(port) for port in spec.ports),
            internal_traffic_policy=spec.internal_traffic_policy or ("Cluster" if routed else ""),
            external_traffic_policy=spec.external_traffic_policy or ("Cluster" if external else ""),
            allocate_load_balancer_node_ports=True if balanced else spec.allocate_load_balancer_node_ports,
        ),
    )


def _affinity_config(affinity: str, spec: ServiceSpec) -> SessionAffinityConfig | None:
    if affinity == "None":
        return None
    config = spec.session_affinity_config
    if affinity == "ClientIP" and (config is None or config.client_ip is None):
        return SessionAffinityConfig(client_ip=ClientIPConfig(timeout_seconds=10800))
    return config


def _service_port(port: ServicePort) -> ServicePort:
    unset = port.target_port in (None, 0, "")
    return structs.replace(port, protocol=port.protocol or "TCP", target_port=port.port if unset else port.target_port)


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


_BY_TYPE: dict[type[Object], Callable[[Any], Any]] = {
    CronJob: jobs.cron_job,
    DaemonSet: workloads.daemon_set,
    Deployment: workloads.deployment,
    HorizontalPodAutoscaler: autoscaling.horizontal_pod_autoscaler,
    Job: jobs.job,
    Namespace: _namespace,
    Node: _node,
    Pod: _pod,
    PodTemplate: workloads.pod_template,
    ReplicaSet: workloads.replica_set,
    ReplicationController: workloads.replication_controller,
    Secret: _secret,
    Service: _service,
    StatefulSet: workloads.stateful_set,
}
