"""The built-in provisioner `wherry.dev/local-path`: a directory on the node that the scheduler has chosen.

The volume names the node and the directory; the node's agent makes it when the first pod mounts it. When the claim of
a volume that is to be deleted has gone, the volume is marked and kept by a finalizer: its node is told with its
assignments to remove the directory, for as long as it takes, and the finalizer goes when the node has said that it did
(`reconciler.link.inbound`). So a node that was away does it when it is back, and nothing of a volume is ever forgotten.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Literal

from msgspec import structs

from reconciler.admission.storage import BUILT_IN as MARK
from reconciler.admission.storage import DEFAULT_CLASS
from reconciler.controllers.interface import NOTHING, Controller, Plan
from reconciler.controllers.volumes.binding import said_once
from reconciler.controllers.volumes.facts import (
    PROVISIONED_BY,
    PROVISIONER,
    SELECTED_NODE,
    belongs,
    capacity,
    class_name,
    class_of,
    granted,
    requested,
)
from reconciler.provenance import provenance
from reconciler.store.changes import Change, Create, Delete, Emit, Update, UpdateStatus
from reconciler.store.view import Event, View
from schemas.core.affinity import NodeSelector, NodeSelectorRequirement, NodeSelectorTerm
from schemas.core.node import Node
from schemas.core.persistence import (
    LocalVolumeSource,
    PersistentVolume,
    PersistentVolumeClaim,
    PersistentVolumeSpec,
    VolumeNodeAffinity,
)
from schemas.core.reference import ObjectReference
from schemas.meta import ObjectMeta, Ref, ref_of
from schemas.storage import StorageClass

NAME = "wherry.dev/local-path"
"""Of the provisioner, and of the finalizer that keeps a volume until its directory is gone."""
NODE = "wherry.dev/node"
"""Annotation of a volume: the node that its directory is on."""
DIRECTORY = "/var/lib/wherry/volumes"
"""Where directories lie on the nodes, unless the parameter `path` of the class says otherwise."""
_HOSTNAME = "kubernetes.io/hostname"
_LONGEST_NAME = 255
"""Bytes of a name in a file system."""

BUILT_IN = StorageClass(
    metadata=ObjectMeta(name="local-path", annotations={DEFAULT_CLASS: "true", MARK: "true"}),
    provisioner=NAME,
    reclaim_policy="Delete",
    volume_binding_mode="WaitForFirstConsumer",
    allow_volume_expansion=True,
)
"""The class of a cluster that has none."""


def concerns(event: Event, view: View) -> Iterable[Ref]:
    """Claims that ask for a volume of ours or for a larger one, our volumes; both for a node that is deleted."""
    match event.object:
        case PersistentVolumeClaim() as claim if event.new is not None:
            return (ref_of(claim),) if claim.metadata.annotations.get(PROVISIONER) == NAME else ()
        case PersistentVolume() as volume if event.new is not None:
            return (ref_of(volume),) if is_ours(volume) else ()
        case Node() as node if event.new is None:
            return _on(node.metadata.name, view)
    return ()


def _on(node: str, view: View) -> Iterator[Ref]:
    for volume in view.list(PersistentVolume):
        if node_of(volume) == node:
            yield ref_of(volume)
    for claim in view.list(PersistentVolumeClaim):
        if claim.metadata.annotations.get(SELECTED_NODE) == node and not claim.spec.volume_name:
            yield ref_of(claim)


def reconcile(ref: Ref, view: View, now: datetime) -> Plan:
    found = view.find(ref)
    if isinstance(found, PersistentVolume) and is_ours(found):
        return Plan(tuple(_ended(found, view)))
    if not isinstance(found, PersistentVolumeClaim) or found.metadata.annotations.get(PROVISIONER) != NAME:
        return NOTHING
    return Plan(tuple(_grown(found, view) if found.spec.volume_name else _provided(found, view)))


def is_ours(volume: PersistentVolume) -> bool:
    return volume.metadata.annotations.get(PROVISIONED_BY) == NAME


def node_of(volume: PersistentVolume) -> str:
    """The node that its directory is on."""
    return volume.metadata.annotations.get(NODE, "")


# Made.


def _provided(claim: PersistentVolumeClaim, view: View) -> Iterator[Change]:
    class_ = class_of(claim, view)
    name = f"pvc-{claim.metadata.uid}"
    if class_ is None or claim.metadata.deletion_timestamp is not None or view.get(PersistentVolume, "", name):
        return
    selected = claim.metadata.annotations.get(SELECTED_NODE, "")
    if why := _refusal(claim, class_, selected):
        text = f'failed to provision volume with StorageClass "{class_.metadata.name}": {why}'
        yield from said_once(_event(claim, "Warning", "ProvisioningFailed", text), view)
        return
    node = view.get(Node, "", selected)
    if node is None:  # it has gone since: the scheduler is to choose again
        annotations = {key: value for key, value in claim.metadata.annotations.items() if key != SELECTED_NODE}
        yield Update(structs.replace(claim, metadata=structs.replace(claim.metadata, annotations=annotations)))
        return
    yield Create(_volume(name, claim, class_, node))
    yield _event(claim, "Normal", "ProvisioningSucceeded", f"Successfully provisioned volume {name}")


def _refusal(claim: PersistentVolumeClaim, class_: StorageClass, node: str) -> str:
    """Why no directory can be what the claim asks for."""
    spec = claim.spec
    directory = class_.parameters.get("path", DIRECTORY)
    if not directory.startswith("/") or ".." in directory.split("/"):
        return f"the parameter path is {directory!r}; give an absolute path on the nodes, without '..'"
    if unknown := sorted(set(class_.parameters) - {"path"}):
        return f"the parameter {unknown[0]} is not known; there is only path"
    if not set(spec.access_modes) <= {"ReadWriteOnce", "ReadWriteOncePod"}:
        return "a directory of one node has the access modes ReadWriteOnce and ReadWriteOncePod only"
    if spec.volume_mode == "Block":
        return "a directory is no block device; ask for volumeMode: Filesystem"
    if spec.selector is not None:
        return "claims with a selector get volumes that are there already; leave out spec.selector"
    if class_.mount_options:
        return "a directory takes no mount options; leave out mountOptions of the class"
    if spec.data_source is not None or spec.data_source_ref is not None:
        return "a directory is made empty; leave out spec.dataSource and spec.dataSourceRef"
    if not node:
        return "no node is chosen; set volumeBindingMode: WaitForFirstConsumer in the class"
    return ""


def _volume(name: str, claim: PersistentVolumeClaim, class_: StorageClass, node: Node) -> PersistentVolume:
    metadata = claim.metadata
    hostname = node.metadata.labels.get(_HOSTNAME, node.metadata.name)
    file_name = f"{name}_{metadata.namespace}_{metadata.name}"[:_LONGEST_NAME]
    resources = claim.spec.resources
    return PersistentVolume(
        metadata=ObjectMeta(
            name=name,
            annotations={PROVISIONED_BY: NAME, NODE: node.metadata.name} | provenance(claim),
            finalizers=(NAME,),
        ),
        spec=PersistentVolumeSpec(
            access_modes=claim.spec.access_modes,
            capacity={"storage": resources.requests["storage"]} if resources is not None else {},
            claim_ref=ObjectReference(
                api_version="v1",
                kind="PersistentVolumeClaim",
                namespace=metadata.namespace,
                name=metadata.name,
                uid=metadata.uid,
            ),
            local=LocalVolumeSource(path=f"{class_.parameters.get('path', DIRECTORY).rstrip('/')}/{file_name}"),
            node_affinity=VolumeNodeAffinity(
                NodeSelector((NodeSelectorTerm((NodeSelectorRequirement(_HOSTNAME, "In", (hostname,)),)),))
            ),
            persistent_volume_reclaim_policy=class_.reclaim_policy,
            storage_class_name=class_name(claim),
            volume_mode="Filesystem",
        ),
    )


# Grown.


def _grown(claim: PersistentVolumeClaim, view: View) -> Iterator[Change]:
    """A directory has the size of its disk: to grow is to be told so."""
    volume = view.get(PersistentVolume, "", claim.spec.volume_name)
    class_, resources = class_of(claim, view), claim.spec.resources
    if volume is None or not is_ours(volume) or not belongs(volume, claim) or claim.status.phase != "Bound":
        return
    if resources is None or class_ is None or not class_.allow_volume_expansion:
        return
    wanted, size = requested(claim), {"storage": resources.requests["storage"]}
    if capacity(volume) < wanted:
        yield Update(structs.replace(volume, spec=structs.replace(volume.spec, capacity=size)))
    if granted(claim) < wanted:
        yield UpdateStatus(structs.replace(claim, status=structs.replace(claim.status, capacity=size)))
        yield _event(claim, "Normal", "VolumeResizeSuccessful", "Resize volume succeeded")


# Ended.


def _ended(volume: PersistentVolume, view: View) -> Iterator[Change]:
    metadata, spec = volume.metadata, volume.spec
    if metadata.deletion_timestamp is None:
        if volume.status.phase == "Released" and spec.persistent_volume_reclaim_policy == "Delete":
            yield Delete(ref_of(volume), uid=metadata.uid)
        return
    if NAME not in metadata.finalizers or (is_to_be_discarded(volume) and _node_is_known(volume, view)):
        return
    if volume.status.phase != "Bound":  # what is to be kept stays where it is; of a node that is gone, all is gone
        yield let_go(volume)


def is_to_be_discarded(volume: PersistentVolume) -> bool:
    """Whether the volume's node shall remove the directory."""
    return (
        volume.metadata.deletion_timestamp is not None
        and NAME in volume.metadata.finalizers
        and volume.spec.persistent_volume_reclaim_policy == "Delete"
        and volume.status.phase != "Bound"
    )


def _node_is_known(volume: PersistentVolume, view: View) -> bool:
    return view.get(Node, "", node_of(volume)) is not None


def let_go(volume: PersistentVolume) -> Change:
    """Nothing of the volume has to be waited for any more."""
    finalizers = tuple(one for one in volume.metadata.finalizers if one != NAME)
    return Update(structs.replace(volume, metadata=structs.replace(volume.metadata, finalizers=finalizers)))


def _event(claim: PersistentVolumeClaim, type_: Literal["Normal", "Warning"], reason: str, message: str) -> Emit:
    return Emit(claim, type_, reason, message, NAME)


CONTROLLER = Controller("local-path", concerns, reconcile)
