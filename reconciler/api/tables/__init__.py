"""Objects as rows, with the columns that Kubernetes 1.36 prints for each kind.

`kubectl get` asks the server for these and only aligns them.
"""

from reconciler.api.tables.access import BINDING, LEASE, LIMIT_RANGE, RESOURCE_QUOTA, ROLE
from reconciler.api.tables.batch import CRON_JOB, JOB
from reconciler.api.tables.certificates import CERTIFICATE_SIGNING_REQUEST
from reconciler.api.tables.column import Cell, Column, Layout
from reconciler.api.tables.config import CONFIG_MAP, NAMESPACE, SECRET, SERVICE_ACCOUNT
from reconciler.api.tables.derived import API_SERVICE, COMPONENT_STATUS
from reconciler.api.tables.event import EVENT
from reconciler.api.tables.network import ENDPOINT_SLICE, ENDPOINTS, INGRESS, INGRESS_CLASS, NETWORK_POLICY
from reconciler.api.tables.node import NODE
from reconciler.api.tables.pod import POD
from reconciler.api.tables.runtime import CSI_DRIVER, RUNTIME_CLASS, VOLUME_ATTACHMENT
from reconciler.api.tables.scaling import HORIZONTAL_POD_AUTOSCALER, POD_DISRUPTION_BUDGET, PRIORITY_CLASS
from reconciler.api.tables.service import SERVICE
from reconciler.api.tables.storage import PERSISTENT_VOLUME, PERSISTENT_VOLUME_CLAIM, STORAGE_CLASS
from reconciler.api.tables.usage import NODE_METRICS, POD_METRICS
from reconciler.api.tables.workload import (
    CONTROLLER_REVISION,
    DAEMON_SET,
    DEPLOYMENT,
    POD_TEMPLATE,
    REPLICA_SET,
    REPLICATION_CONTROLLER,
    STATEFUL_SET,
)

__all__ = ["LAYOUTS", "Cell", "Column", "Layout"]

LAYOUTS: dict[str, Layout] = {
    "APIService": API_SERVICE,
    "CSIDriver": CSI_DRIVER,
    "CertificateSigningRequest": CERTIFICATE_SIGNING_REQUEST,
    "ClusterRole": ROLE,
    "ClusterRoleBinding": BINDING,
    "ComponentStatus": COMPONENT_STATUS,
    "ConfigMap": CONFIG_MAP,
    "ControllerRevision": CONTROLLER_REVISION,
    "CronJob": CRON_JOB,
    "DaemonSet": DAEMON_SET,
    "Deployment": DEPLOYMENT,
    "EndpointSlice": ENDPOINT_SLICE,
    "Endpoints": ENDPOINTS,
    "Event": EVENT,
    "HorizontalPodAutoscaler": HORIZONTAL_POD_AUTOSCALER,
    "Ingress": INGRESS,
    "IngressClass": INGRESS_CLASS,
    "Job": JOB,
    "Lease": LEASE,
    "LimitRange": LIMIT_RANGE,
    "Namespace": NAMESPACE,
    "NetworkPolicy": NETWORK_POLICY,
    "Node": NODE,
    "NodeMetrics": NODE_METRICS,
    "PersistentVolume": PERSISTENT_VOLUME,
    "PersistentVolumeClaim": PERSISTENT_VOLUME_CLAIM,
    "Pod": POD,
    "PodDisruptionBudget": POD_DISRUPTION_BUDGET,
    "PodMetrics": POD_METRICS,
    "PodTemplate": POD_TEMPLATE,
    "PriorityClass": PRIORITY_CLASS,
    "ReplicaSet": REPLICA_SET,
    "ReplicationController": REPLICATION_CONTROLLER,
    "ResourceQuota": RESOURCE_QUOTA,
    "Role": ROLE,
    "RoleBinding": BINDING,
    "RuntimeClass": RUNTIME_CLASS,
    "Secret": SECRET,
    "Service": SERVICE,
    "ServiceAccount": SERVICE_ACCOUNT,
    "StatefulSet": STATEFUL_SET,
    "StorageClass": STORAGE_CLASS,
    "VolumeAttachment": VOLUME_ATTACHMENT,
}
"""By the name of the kind; a test holds it complete."""
