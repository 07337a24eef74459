"""The `binding` subresource: a pod is given its node. For schedulers of one's own.

Pure but for `bind`, which carries it out.
"""

from datetime import UTC, datetime

from msgspec import structs

from reconciler.api.bodies import Document
from reconciler.api.reads import get
from reconciler.api.status import StatusError, bad_request
from reconciler.api.target import Target
from reconciler.api.writes import carry_out
from reconciler.scheduler.binding import topology
from reconciler.store.changes import Update, UpdateStatus
from reconciler.store.cluster import Cluster
from reconciler.store.view import View
from schemas.core.pod import Pod
from schemas.core.podstatus import PodCondition

_DONE: Document = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


async def bind(cluster: Cluster, target: Target, binding: Document, *, dry: bool) -> Document:
    """Binds the pod. Raises what stands against it."""
    name = (binding.get("metadata") or {}).get("name") or target.name
    if target.name and name != target.name:
        raise bad_request("name in URL does not match name in Binding object")
    node = (binding.get("target") or {}).get("name")
    kind = (binding.get("target") or {}).get("kind") or "Node"
    if kind not in ("Node", "Minion"):
        raise StatusError(500, "", f'target.kind: Unsupported value: "{kind}": supported values: "Node"')
    if not isinstance(node, str) or not node:
        raise StatusError(500, "", "target.name: Required value")
    pod = get(cluster.cache, structs.replace(target, name=name, subresource=""))
    assert isinstance(pod, Pod)
    _refuse(pod)
    if not dry:
        bound = _bound(pod, node, binding, cluster.cache, datetime.now(UTC).replace(microsecond=0))
        await carry_out(cluster, Update(bound), UpdateStatus(structs.replace(bound, metadata=pod.metadata)))
    return _DONE


def _refuse(pod: Pod) -> None:
    name, why = pod.metadata.name, ""
    if pod.metadata.deletion_timestamp is not None:
        why = f"pod {name} is being deleted, cannot be assigned to a host"
    elif pod.spec.node_name:
        why = f'pod {name} is already assigned to node "{pod.spec.node_name}"'
    elif pod.spec.scheduling_gates:
        why = f"pod {name} has non-empty .spec.schedulingGates"
    if why:
        message = f'Operation cannot be fulfilled on pods/binding "{name}": {why}'
        raise StatusError(409, "Conflict", message, details={"name": name, "kind": "pods/binding"})


def _bound(pod: Pod, node: str, binding: Document, view: View, now: datetime) -> Pod:
    """The pod on its node, with the annotations of the binding and the topology labels of the node."""
    metadata = pod.metadata
    given = (binding.get("metadata") or {}).get("annotations") or {}
    annotations = {key: value for key, value in given.items() if isinstance(value, str)}
    scheduled = PodCondition(type="PodScheduled", status="True", last_transition_time=now)
    conditions = tuple(one for one in pod.status.conditions if one.type != "PodScheduled")
    return structs.replace(
        pod,
        metadata=structs.replace(
            metadata, annotations=metadata.annotations | annotations, labels=topology(view, node) | metadata.labels
        ),
        spec=structs.replace(pod.spec, node_name=node),
        status=structs.replace(pod.status, conditions=(*conditions, scheduled)),
    )
