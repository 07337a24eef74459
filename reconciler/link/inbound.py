"""What a node says, as changes to the cluster: pure. What is said twice changes nothing the second time.

A node's status is the agent's report while its link is up, and `Unknown` while it is not; the status of a pod
is always the last report, for a pod runs on without a link.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec
from msgspec import structs

from reconciler.controllers import nodettl
from reconciler.controllers.imagewait import STATES
from reconciler.controllers.volumes import localpath
from reconciler.link.network import PUBLIC_KEY
from reconciler.store.changes import Change, Create, Delete, Emit, Update, UpdateStatus
from reconciler.store.view import View
from schemas.conditions import find, updated
from schemas.core.node import Node, NodeCondition, NodeSpec, NodeStatus
from schemas.core.persistence import PersistentVolume
from schemas.core.pod import Pod
from schemas.core.podstatus import PodStatus
from schemas.core.reference import ObjectReference
from schemas.fieldowners import Writer, entry_of, in_order
from schemas.fieldsets import FieldSet
from schemas.messages import EventBatch, NodeEvent, NodeReport, PodReport
from schemas.meta import ManagedFieldsEntry, ObjectMeta, ref_of
from schemas.wholefields import fields_of

AGENT = "kubelet"
"""As whose fields of the Node the labels are recorded that its agent gave it."""
MAX_EVENTS = 500
"""Of one batch; an honest agent sends 200 at most."""
REPORTED_BY_NODES = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")
TOLD_ONCE_WRONG = frozenset({"NetworkUnavailable"})
"""Conditions that a kubelet without a cloud does not have: they show from the first fault of their kind on."""
SET_BY_AGENT = (
    "PodReadyToStartContainers",
    "Initialized",
    "ContainersReady",
    "Ready",
    "PodResizePending",
    "PodResizeInProgress",
    "AllContainersRestarting",
)
ENDED = ("Succeeded", "Failed")


def node_changes(
    name: str, report: NodeReport | None, online: bool | None, view: View, now: datetime
) -> Sequence[Change]:
    """Brings the Node to what its agent last said, and to whether it is there (None: not known, so not judged).

    A Node that nobody has is made only for an agent that is there: one that was deleted while its machine was
    off does not come back.
    """
    node = view.get(Node, "", name)
    if node is None:
        return (Create(_new_node(name, report, now)),) if report and online else ()
    changes: list[Change] = []
    status = node.status
    if online and report:
        metadata = _with_key(_with_images(_relabelled(node.metadata, report.labels, now), report), report)
        if metadata != node.metadata:
            changes.append(Update(structs.replace(node, metadata=metadata)))
        status = structs.replace(report.status, conditions=_merged(node.status, report.status.conditions, now))
    elif online is False:
        status = structs.replace(node.status, conditions=_merged(node.status, _unknown(node.status), now))
    if status != node.status:
        changes.append(UpdateStatus(structs.replace(node, status=status), durable=False))
    return (*changes, *_discarded(name, report, view)) if report else changes


def _discarded(node: str, report: NodeReport, view: View) -> Iterator[Change]:
    """Volumes that are deleted, and of which their node holds nothing any more."""
    for uid in report.discarded:
        volume = view.by_uid(uid)
        if not isinstance(volume, PersistentVolume) or localpath.node_of(volume) != node:
            continue
        if localpath.is_to_be_discarded(volume):
            yield localpath.let_go(volume)


def pod_changes(uid: str, node: str, report: PodReport, view: View) -> Sequence[Change] | None:
    """Brings the Pod's status to what its node said. None: this node has no such pod, as far as the cluster knows."""
    pod = view.by_uid(uid)
    if not isinstance(pod, Pod) or pod.spec.node_name != node:
        return None
    if (pod.metadata.namespace, pod.metadata.name) != (report.namespace, report.name):
        return None
    if report.removed and pod.metadata.deletion_timestamp is not None:
        return (*_last_words(pod, report), Delete(ref_of(pod), uid=uid, grace_seconds=0))
    status = _pod_status(pod.status, report)
    if status == pod.status or (pod.status.phase in ENDED and status.phase not in ENDED):
        return ()
    return (UpdateStatus(structs.replace(pod, status=status), durable=False),)


def _last_words(pod: Pod, report: PodReport) -> Iterator[Change]:
    """How a pod ended that finalizers keep, for those who set them: a Job counts what has failed, not what is gone."""
    if pod.metadata.finalizers and pod.status.phase not in ENDED:
        status = _pod_status(pod.status, report)
        phase = status.phase if status.phase in ENDED else "Failed"
        yield UpdateStatus(structs.replace(pod, status=structs.replace(status, phase=phase)))


def event_changes(node: str, batch: EventBatch, view: View) -> Sequence[Change]:
    """The Events of a node and its pods, as the agent counted them."""
    return [
        Emit(
            regarding=_regarding(node, event, view),
            type=event.type,
            reason=event.reason,
            message=event.message,
            component="kubelet",
            count=event.count,
            first=event.first,
            last=event.last,
        )
        for event in batch.events[:MAX_EVENTS]
    ]


def _new_node(name: str, report: NodeReport, now: datetime) -> Node:
    bare = ObjectMeta(name=name, annotations=nodettl.ANNOTATIONS)
    metadata = _with_key(_with_images(_relabelled(bare, report.labels, now), report), report)
    status = structs.replace(report.status, conditions=_merged(NodeStatus(), report.status.conditions, now))
    return Node(metadata=metadata, spec=NodeSpec(taints=report.taints), status=status)


def _relabelled(metadata: ObjectMeta, given: dict[str, str], now: datetime) -> ObjectMeta:
    """With the labels that the agent gives, without those that it gave before, and with those of others."""
    before = next((entry for entry in metadata.managed_fields if _is_agents(entry)), None)
    owned = fields_of(Node, {"metadata": {"labels": given}}) if given else {}
    gone = set() if before is None else _labels(before.fields_v1) - given.keys()
    kept = {key: value for key, value in metadata.labels.items() if key not in gone}
    entries = metadata.managed_fields
    if (before.fields_v1 if before is not None else {}) != owned:
        others = [entry for entry in entries if entry is not before]
        mine = [entry_of(Writer(AGENT, "v1", now), owned)] if owned else []
        entries = in_order([*others, *mine])
    return structs.replace(metadata, labels=kept | given, managed_fields=entries)


def _is_agents(entry: ManagedFieldsEntry) -> bool:
    return (entry.manager, entry.operation, entry.subresource) == (AGENT, "Update", "")


def _labels(owned: FieldSet) -> set[str]:
    return {step[2:] for step in owned.get("f:metadata", {}).get("f:labels", {}) if step != "."}


def _with_images(metadata: ObjectMeta, report: NodeReport) -> ObjectMeta:
    """How images stand that are wanted there ahead of their pods, for the controllers that wait for them. Only what is
    worth telling: that some are wanted, or that the agent tells of none."""
    annotations = {key: value for key, value in metadata.annotations.items() if key != STATES}
    if report.images != {}:
        annotations[STATES] = msgspec.json.encode(report.images, order="sorted").decode()
    return metadata if annotations == metadata.annotations else structs.replace(metadata, annotations=annotations)


def _with_key(metadata: ObjectMeta, report: NodeReport) -> ObjectMeta:
    """By which the other nodes reach its pods, where it has a WireGuard device."""
    if metadata.annotations.get(PUBLIC_KEY, "") == report.public_key:
        return metadata
    others = {key: value for key, value in metadata.annotations.items() if key != PUBLIC_KEY}
    given = {PUBLIC_KEY: report.public_key} if report.public_key else {}
    return structs.replace(metadata, annotations=others | given)


def _unknown(status: NodeStatus) -> Sequence[NodeCondition]:
    present = {condition.type for condition in status.conditions}
    reason, message = "NodeStatusUnknown", "The node's agent has lost its link and stopped posting the node's status."
    if not present:
        reason, message = "NodeStatusNeverUpdated", "The node's agent has never posted the node's status."
    return [
        NodeCondition(type=type_, status="Unknown", reason=reason, message=message)
        for type_ in REPORTED_BY_NODES
        if type_ in present or type_ == "Ready"
    ]


def _merged(status: NodeStatus, conditions: Sequence[NodeCondition], now: datetime) -> tuple[NodeCondition, ...]:
    """The new conditions over the present ones. What says the same keeps its times, or nothing would ever rest."""
    merged = status.conditions
    for new in conditions:
        old = find(merged, new.type)
        if old is not None and _same(old, new):
            continue
        if old is None and new.type in TOLD_ONCE_WRONG and new.status != "True":
            continue
        was_heard = new.status != "Unknown" or (old is not None and old.status != "Unknown")
        heard = now if was_heard else old.last_heartbeat_time if old else None
        merged = updated(merged, structs.replace(new, last_heartbeat_time=heard, last_transition_time=now))
    return merged


def _same(old: NodeCondition, new: NodeCondition) -> bool:
    return (old.status, old.reason, old.message) == (new.status, new.reason, new.message)


def _pod_status(present: PodStatus, report: PodReport) -> PodStatus:
    """The report; what others set (a readiness gate, its quality of service) stays, and stands first."""
    reported = {condition.type for condition in report.status.conditions}
    conditions = tuple(
        condition
        for condition in present.conditions
        if condition.type in reported or condition.type not in SET_BY_AGENT
    )
    for condition in report.status.conditions:
        conditions = updated(conditions, condition)
    order = [condition.type for condition in report.status.conditions]
    conditions = tuple(sorted(conditions, key=lambda one: order.index(one.type) if one.type in reported else -1))
    return structs.replace(
        report.status,
        conditions=conditions,
        observed_generation=report.generation,
        qos_class=report.status.qos_class or present.qos_class,
        start_time=report.status.start_time or present.start_time,
    )


def _regarding(node: str, event: NodeEvent, view: View) -> ObjectReference:
    if event.uid:
        return ObjectReference("v1", event.field_path, "Pod", event.pod, event.namespace, uid=event.uid)
    stored = view.get(Node, "", node)
    return ObjectReference("v1", kind="Node", name=node, uid=stored.metadata.uid if stored else node)
