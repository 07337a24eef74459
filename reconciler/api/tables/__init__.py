"""Objects as rows, with the columns that Kubernetes 1.36 prints for each kind.

`kubectl get` asks the server for these and only aligns them.
"""

from reconciler.api.tables.column import Cell, Column, Layout
from reconciler.api.tables.config import CONFIG_MAP, NAMESPACE, PLAIN, SECRET, SERVICE_ACCOUNT
from reconciler.api.tables.event import EVENT
from reconciler.api.tables.node import NODE
from reconciler.api.tables.pod import POD
from reconciler.api.tables.service import SERVICE
from reconciler.api.tables.workload import DEPLOYMENT, REPLICA_SET
from schemas.kinds import KINDS

__all__ = ["LAYOUTS", "Cell", "Column", "Layout"]

_OWN: dict[str, Layout] = {
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

LAYOUTS: dict[str, Layout] = {kind.name: _OWN.get(kind.name, PLAIN) for kind in KINDS}
"""By the name of the kind."""
