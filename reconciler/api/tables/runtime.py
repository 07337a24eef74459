"""The columns of what tells of runtimes and storage systems: RuntimeClass, CSIDriver, VolumeAttachment."""

from datetime import datetime

from reconciler.api.tables.column import AGE, NAME, Cell, Column, Layout, age
from schemas.csi import CSIDriver, VolumeAttachment
from schemas.node import RuntimeClass

_UNSET = "<unset>"


def _runtime_class(found: RuntimeClass, now: datetime) -> tuple[Cell, ...]:
    return found.metadata.name, found.handler, age(found, now)


def _csi_driver(found: CSIDriver, now: datetime) -> tuple[Cell, ...]:
    spec = found.spec
    return (
        found.metadata.name,
        spec.attach_required is not False,
        bool(spec.pod_info_on_mount),
        bool(spec.storage_capacity),
        ",".join(one.audience for one in spec.token_requests) or _UNSET,
        bool(spec.requires_republish),
        ",".join(spec.volume_lifecycle_modes),
        age(found, now),
    )


def _volume_attachment(found: VolumeAttachment, now: datetime) -> tuple[Cell, ...]:
    spec = found.spec
    volume = spec.source.persistent_volume_name or ""
    return found.metadata.name, spec.attacher, volume, spec.node_name, found.status.attached, age(found, now)


RUNTIME_CLASS = Layout((NAME, Column("Handler", description="The runtime's own name for it"), AGE), _runtime_class)
CSI_DRIVER = Layout(
    (
        NAME,
        Column("AttachRequired", type="boolean", description="Whether volumes are attached before they are mounted"),
        Column("PodInfoOnMount", type="boolean", description="Whether the driver is told of the pod"),
        Column("StorageCapacity", type="boolean", description="Whether the driver tells how much room there is"),
        Column("TokenRequests", description="For whom the driver gets tokens of the pod"),
        Column("RequiresRepublish", type="boolean", description="Whether mounts are renewed again and again"),
        Column("Modes", description="Persistent, Ephemeral"),
        AGE,
    ),
    _csi_driver,
)
VOLUME_ATTACHMENT = Layout(
    (
        NAME,
        Column("Attacher", format="name", description="The driver"),
        Column("PV", description="The volume"),
        Column("Node", description="Where it is to be"),
        Column("Attached", type="boolean", description="Whether it is there"),
        AGE,
    ),
    _volume_attachment,
)
