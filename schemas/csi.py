"""CSIDriver and VolumeAttachment: what tells of storage systems, and where their volumes are."""

from datetime import datetime
from typing import Annotated

from msgspec import field

from schemas.core.persistence import PersistentVolumeSpec
from schemas.meta import MERGED_SET, Object, Record


class TokenRequest(Record, frozen=True):
    audience: str
    expiration_seconds: int | None = None


class CSIDriverSpec(Record, frozen=True):
    attach_required: bool | None = None
    fs_group_policy: str = ""
    node_allocatable_update_period_seconds: int | None = None
    pod_info_on_mount: bool | None = None
    prevent_pod_scheduling_if_missing: bool | None = None
    requires_republish: bool | None = None
    se_linux_mount: bool | None = None
    service_account_token_in_secrets: bool | None = None
    storage_capacity: bool | None = None
    token_requests: tuple[TokenRequest, ...] = ()
    volume_lifecycle_modes: Annotated[tuple[str, ...], MERGED_SET] = ()


class CSIDriver(Object, frozen=True, kw_only=True):
    api_version: str = field(default_factory=lambda: "storage.k8s.io/v1")
    kind: str = field(default_factory=lambda: "CSIDriver")
    spec: CSIDriverSpec


class VolumeAttachmentSource(Record, frozen=True):
    inline_volume_spec: PersistentVolumeSpec | None = None
    persistent_volume_name: str | None = None


class VolumeAttachmentSpec(Record, frozen=True):
    attacher: str
    node_name: str
    source: VolumeAttachmentSource


class VolumeError(Record, frozen=True):
    error_code: int | None = None
    message: str = ""
    time: datetime | None = None


class VolumeAttachmentStatus(Record, frozen=True):
    attach_error: VolumeError | None = None
    attached: bool = field(default_factory=bool)
    attachment_metadata: dict[str, str] = field(default_factory=dict)
    detach_error: VolumeError | None = None


class VolumeAttachment(Object, frozen=True, kw_only=True):
    api_version: str = field(default_factory=lambda: "storage.k8s.io/v1")
    kind: str = field(default_factory=lambda: "VolumeAttachment")
    spec: VolumeAttachmentSpec
    status: VolumeAttachmentStatus = field(default_factory=VolumeAttachmentStatus)
