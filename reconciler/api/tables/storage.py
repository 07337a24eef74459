"""The columns of storage: PersistentVolume, PersistentVolumeClaim, StorageClass."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from reconciler.api.tables.column import AGE, NAME, Cell, Column, Layout, age, wide
from schemas.core.persistence import PersistentVolume, PersistentVolumeClaim
from schemas.meta import Object, Quantity
from schemas.quantity import canonical
from schemas.storage import StorageClass

UNSET = "<unset>"
_MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}
_DEFAULT_CLASS = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")


def _modes(modes: Iterable[str]) -> str:
    """In the order in which Kubernetes shows them, each once."""
    there = set(modes)
    return ",".join(short for mode, short in _MODES.items() if mode in there)


def _storage(amounts: Mapping[str, Quantity]) -> str:
    return canonical(amounts["storage"]) if "storage" in amounts else ""


def _phase(object_: Object, phase: str) -> str:
    return "Terminating" if object_.metadata.deletion_timestamp is not None else phase


def _volume(volume: PersistentVolume, now: datetime) -> tuple[Cell, ...]:
    spec, claim = volume.spec, volume.spec.claim_ref
    return (
        volume.metadata.name,
        _storage(spec.capacity),
        _modes(spec.access_modes),
        spec.persistent_volume_reclaim_policy,
        _phase(volume, volume.status.phase),
        f"{claim.namespace}/{claim.name}" if claim else "",
        spec.storage_class_name,
        spec.volume_attributes_class_name or UNSET,
        volume.status.reason,
        age(volume, now),
        spec.volume_mode or UNSET,
    )


def _claim(claim: PersistentVolumeClaim, now: datetime) -> tuple[Cell, ...]:
    spec, status = claim.spec, claim.status
    is_bound = bool(spec.volume_name)
    return (
        claim.metadata.name,
        _phase(claim, status.phase),
        spec.volume_name,
        _storage(status.capacity) if is_bound else "",
        _modes(status.access_modes) if is_bound else "",
        spec.storage_class_name or "",
        spec.volume_attributes_class_name or UNSET,
        age(claim, now),
        spec.volume_mode or UNSET,
    )


def _storage_class(class_: StorageClass, now: datetime) -> tuple[Cell, ...]:
    annotations = class_.metadata.annotations
    is_default = any(annotations.get(key) == "true" for key in _DEFAULT_CLASS)
    return (
        f"{class_.metadata.name} (default)" if is_default else class_.metadata.name,
        class_.provisioner,
        class_.reclaim_policy or "Delete",
        class_.volume_binding_mode or "Immediate",
        bool(class_.allow_volume_expansion),
        age(class_, now),
    )


_CLASS = Column("StorageClass", description="The class it belongs to")
_ATTRIBUTES = Column("VolumeAttributesClass", description="The class of its attributes")
_MODE = wide("VolumeMode", description="Whether it is a file system or a block device")

PERSISTENT_VOLUME = Layout(
    (
        NAME,
        Column("Capacity", description="How much it holds"),
        Column("Access Modes", description="How it may be mounted"),
        Column("Reclaim Policy", description="What becomes of it once it is released"),
        Column("Status", description="Whether it is bound to a claim"),
        Column("Claim", description="The claim it is bound to"),
        _CLASS,
        _ATTRIBUTES,
        Column("Reason", description="Why it is in this state"),
        AGE,
        _MODE,
    ),
    _volume,
)
PERSISTENT_VOLUME_CLAIM = Layout(
    (
        NAME,
        Column("Status", description="Whether it is bound to a volume"),
        Column("Volume", description="The volume it is bound to"),
        Column("Capacity", description="How much that holds"),
        Column("Access Modes", description="How it may be mounted"),
        _CLASS,
        _ATTRIBUTES,
        AGE,
        _MODE,
    ),
    _claim,
)
STORAGE_CLASS = Layout(
    (
        NAME,
        Column("Provisioner", description="What makes the volumes"),
        Column("ReclaimPolicy", description="What becomes of a volume once it is released"),
        Column("VolumeBindingMode", description="When a claim gets its volume"),
        Column("AllowVolumeExpansion", description="Whether a claim may grow"),
        AGE,
    ),
    _storage_class,
)
