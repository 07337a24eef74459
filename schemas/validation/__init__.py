"""The API server's rules for the served kinds, in its own words.

`validate` looks at an object that is decoded and defaulted, `validate_update` at what changed of one that was there
before; a caller that updates an object asks both. Rules that need to see other objects (quotas, classes, allocated
addresses) are not here. Follows the validation of Kubernetes 1.36.
"""

from collections.abc import Callable
from typing import Any

from schemas import names
from schemas.apps import ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet
from schemas.autoscaling import HorizontalPodAutoscaler
from schemas.batch import CronJob, Job
from schemas.certificates import CertificateSigningRequest
from schemas.coordination import Lease
from schemas.core.config import ConfigMap, Namespace, Secret
from schemas.core.endpoints import Endpoints
from schemas.core.event import Event
from schemas.core.node import Node
from schemas.core.persistence import PersistentVolume, PersistentVolumeClaim
from schemas.core.pod import Pod
from schemas.core.quota import LimitRange, ResourceQuota
from schemas.core.replication import PodTemplate, ReplicationController
from schemas.core.service import Service
from schemas.csi import CSIDriver, VolumeAttachment
from schemas.discovery import EndpointSlice
from schemas.faults import Fault
from schemas.kinds import BY_GROUP_VERSION_KIND
from schemas.meta import Object
from schemas.networking import Ingress, IngressClass, NetworkPolicy
from schemas.node import RuntimeClass
from schemas.policy import PodDisruptionBudget
from schemas.rbac import ClusterRole, ClusterRoleBinding, Role, RoleBinding
from schemas.scheduling import PriorityClass
from schemas.storage import StorageClass
from schemas.validation import (
    access,
    autoscaling,
    certificates,
    config,
    cronjobs,
    csi,
    disruption,
    endpoints,
    endpointsobject,
    jobs,
    lease,
    networking,
    networkpolicy,
    node,
    persistentvolume,
    pod,
    priority,
    quota,
    runtimeclass,
    service,
    sets,
    storage,
    workloads,
)
from schemas.validation.metadata import metadata
from schemas.validation.report import Faults
from schemas.validation.update import update


def validate(object_: Object) -> tuple[Fault, ...]:
    """What is wrong with the object, if anything."""
    kind = BY_GROUP_VERSION_KIND.get((object_.api_version, object_.kind))
    name_rule = _NAME_RULES.get(type(object_), names.dns1123_subdomain)
    namespaced = kind is None or kind.namespaced
    faults = [*metadata(object_.metadata, namespaced=namespaced, name_rule=name_rule)]
    if rules := _BY_TYPE.get(type(object_)):
        faults += rules(object_)
    return tuple(faults)


def validate_update(new: Object, old: Object) -> tuple[Fault, ...]:
    """What may not change from `old` to `new`; both are defaulted."""
    return tuple(update(new, old))


_NAME_RULES: dict[type[Object], Callable[[str], tuple[str, ...]]] = {
    **dict.fromkeys((Namespace, Service, StatefulSet), names.dns1123_label),
    **dict.fromkeys((ClusterRole, ClusterRoleBinding, Role, RoleBinding), names.path_segment),
}
"""Names that become labels or parts of host names, and such that may hold colons; all others are subdomains."""

_BY_TYPE: dict[type[Object], Callable[[Any], Faults]] = {
    CSIDriver: csi.csi_driver,
    CertificateSigningRequest: certificates.certificate_signing_request,
    ClusterRole: access.cluster_role,
    ClusterRoleBinding: access.cluster_role_binding,
    ConfigMap: config.config_map,
    ControllerRevision: sets.controller_revision,
    CronJob: cronjobs.cron_job,
    DaemonSet: sets.daemon_set,
    Deployment: workloads.deployment,
    EndpointSlice: endpoints.endpoint_slice,
    Endpoints: endpointsobject.endpoints,
    Event: config.event,
    HorizontalPodAutoscaler: autoscaling.horizontal_pod_autoscaler,
    Ingress: networking.ingress,
    IngressClass: networking.ingress_class,
    Job: jobs.job,
    Lease: lease.lease,
    LimitRange: quota.limit_range,
    Namespace: config.namespace,
    NetworkPolicy: networkpolicy.network_policy,
    Node: node.node,
    PersistentVolume: persistentvolume.persistent_volume,
    PersistentVolumeClaim: storage.persistent_volume_claim,
    Pod: pod.pod,
    PodDisruptionBudget: disruption.pod_disruption_budget,
    PodTemplate: workloads.pod_template,
    PriorityClass: priority.priority_class,
    ReplicaSet: workloads.replica_set,
    ReplicationController: workloads.replication_controller,
    ResourceQuota: quota.resource_quota,
    Role: access.role,
    RoleBinding: access.role_binding,
    RuntimeClass: runtimeclass.runtime_class,
    Secret: config.secret,
    Service: service.service,
    StatefulSet: sets.stateful_set,
    StorageClass: storage.storage_class,
    VolumeAttachment: csi.volume_attachment,
}
