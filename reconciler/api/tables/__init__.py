"""Objects as rows, with the columns that Kubernetes 1.36 prints for each kind.

`kubectl get` asks the server for these and only aligns them.
"""

from reconciler.api.tables.column import Cell, Column, Layout
from reconciler.api.tables.config import CONFIG_MAP, NAMESPACE, SECRET, SERVICE_ACCOUNT
from reconciler.api.tables.event import EVENT
from reconciler.api.tables.node import NODE
from reconciler.api.tables.pod import POD
from reconciler.api.tables.service import SERVICE
from reconciler.api.tables.workload import DEPLOYMENT, REPLICA_SET

__all__ = ["LAYOUTS", "Cell", "Column", "Layout"]

LAYOUTS: dict[str, Layout] = {
    "ConfigMap": CONFIG_MAP,
    "Deployment": DEPLOYMENT,
    "Event": EVENT,
    "Namespace": NAMESPACE,
    "Node": NODE,
    "Pod": POD,
    "ReplicaSet": REPLICA_SET,
    "Secret": SECRET,
    "Service": SERVICE,
    "ServiceAccount": SERVICE_ACCOUNT,
}
"""By the name of the kind; a test holds it complete."""
