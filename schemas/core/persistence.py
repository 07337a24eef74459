"""Storage that outlives pods: PersistentVolume, PersistentVolumeClaim."""

from datetime import datetime
from typing import Annotated

from msgspec import field

from schemas.core.affinity import NodeSelector
from schemas.core.cloudvolume import (
    AWSElasticBlockStoreVolumeSource,
    AzureDiskVolumeSource,
    FCVolumeSource,
    FlockerVolumeSource,
    GCEPersistentDiskVolumeSource,
    PhotonPersistentDiskVolumeSource,
    PortworxVolumeSource,
    QuobyteVolumeSource,
    VsphereVirtualDiskVolumeSource,
)
from schemas.core.reference import ObjectReference
from schemas.core.volume import HostPathVolumeSource, NFSVolumeSource, PersistentVolumeClaimSpec
from schemas.meta import Object, Quantity, Record, merged_by


class AzureFilePersistentVolumeSource(Record, frozen=True):
    secret_name: str
    share_name: str
    read_only: bool = False
    secret_namespace: str = ""


class SecretReference(Record, frozen=True):
    name: str = ""
    namespace: str = ""


class CephFSPersistentVolumeSource(Record, frozen=True):
    monitors: tuple[str, ...]
    path: str = ""
    read_only: bool = False
    secret_file: str = ""
    secret_ref: SecretReference | None = None
    user: str = ""


class CinderPersistentVolumeSource(Record, frozen=True):
    volume_id: str = field(name="volumeID")
    fs_type: str = ""
    read_only: bool = False
    secret_ref: SecretReference | None = None


class CSIPersistentVolumeSource(Record, frozen=True):
    driver: str
    volume_handle: str
    controller_expand_secret_ref: SecretReference | None = None
    controller_publish_secret_ref: SecretReference | None = None
    fs_type: str | None = None
    node_expand_secret_ref: SecretReference | None = None
    node_publish_secret_ref: SecretReference | None = None
    node_stage_secret_ref: SecretReference | None = None
    read_only: bool = False
    volume_attributes: dict[str, str] = field(default_factory=dict)


class FlexPersistentVolumeSource(Record, frozen=True):
    driver: str
    fs_type: str = ""
    options: dict[str, str] = field(default_factory=dict)
    read_only: bool = False
    secret_ref: SecretReference | None = None


class GlusterfsPersistentVolumeSource(Record, frozen=True):
    endpoints: str
    path: str
    endpoints_namespace: str = ""
    read_only: bool = False


class ISCSIPersistentVolumeSource(Record, frozen=True):
    iqn: str
    lun: int
    target_portal: str
    chap_auth_discovery: bool = False
    chap_auth_session: bool = False
    fs_type: str = ""
    initiator_name: str = ""
    iscsi_interface: str = ""
    portals: tuple[str, ...] = ()
    read_only: bool = False
    secret_ref: SecretReference | None = None


class LocalVolumeSource(Record, frozen=True):
    path: str
    fs_type: str = ""


class VolumeNodeAffinity(Record, frozen=True):
    required: NodeSelector | None = None


class RBDPersistentVolumeSource(Record, frozen=True):
    image: str
    monitors: tuple[str, ...]
    fs_type: str = ""
    keyring: str = ""
    pool: str = ""
    read_only: bool = False
    secret_ref: SecretReference | None = None
    user: str = ""


class ScaleIOPersistentVolumeSource(Record, frozen=True):
    gateway: str
    secret_ref: SecretReference
    system: str
    fs_type: str = ""
    protection_domain: str = ""
    read_only: bool = False
    ssl_enabled: bool = False
    storage_mode: str = ""
    storage_pool: str = ""
    volume_name: str = ""


class StorageOSPersistentVolumeSource(Record, frozen=True):
    fs_type: str = ""
    read_only: bool = False
    secret_ref: ObjectReference | None = None
    volume_name: str = ""
    volume_namespace: str = ""


class PersistentVolumeSpec(Record, frozen=True):
    access_modes: tuple[str, ...] = ()
    aws_elastic_block_store: AWSElasticBlockStoreVolumeSource | None = None
    azure_disk: AzureDiskVolumeSource | None = None
    azure_file: AzureFilePersistentVolumeSource | None = None
    capacity: dict[str, Quantity] = field(default_factory=dict)
    cephfs: CephFSPersistentVolumeSource | None = None
    cinder: CinderPersistentVolumeSource | None = None
    claim_ref: ObjectReference | None = None
    csi: CSIPersistentVolumeSource | None = None
    fc: FCVolumeSource | None = None
    flex_volume: FlexPersistentVolumeSource | None = None
    flocker: FlockerVolumeSource | None = None
    gce_persistent_disk: GCEPersistentDiskVolumeSource | None = None
    glusterfs: GlusterfsPersistentVolumeSource | None = None
    host_path: HostPathVolumeSource | None = None
    iscsi: ISCSIPersistentVolumeSource | None = None
    local: LocalVolumeSource | None = None
    mount_options: tuple[str, ...] = ()
    nfs: NFSVolumeSource | None = None
    node_affinity: VolumeNodeAffinity | None = None
    persistent_volume_reclaim_policy: str = ""
    photon_persistent_disk: PhotonPersistentDiskVolumeSource | None = None
    portworx_volume: PortworxVolumeSource | None = None
    quobyte: QuobyteVolumeSource | None = None
    rbd: RBDPersistentVolumeSource | None = None
    scale_io: ScaleIOPersistentVolumeSource | None = field(default=None, name="scaleIO")
    storage_class_name: str = ""
    storageos: StorageOSPersistentVolumeSource | None = None
    volume_attributes_class_name: str = ""
    volume_mode: str = ""
    vsphere_volume: VsphereVirtualDiskVolumeSource | None = None


class PersistentVolumeStatus(Record, frozen=True):
    last_phase_transition_time: datetime | None = None
    message: str = ""
    phase: str = ""
    reason: str = ""


class PersistentVolume(Object, frozen=True, kw_only=True):
    api_version: str = field(default_factory=lambda: "v1")
    kind: str = field(default_factory=lambda: "PersistentVolume")
    spec: PersistentVolumeSpec = field(default_factory=PersistentVolumeSpec)
    status: PersistentVolumeStatus = field(default_factory=PersistentVolumeStatus)


class PersistentVolumeClaimCondition(Record, frozen=True):
    status: str
    type: str
    last_probe_time: datetime | None = None
    last_transition_time: datetime | None = None
    message: str = ""
    reason: str = ""


class ModifyVolumeStatus(Record, frozen=True):
    status: str
    target_volume_attributes_class_name: str = ""


class PersistentVolumeClaimStatus(Record, frozen=True):
    access_modes: tuple[str, ...] = ()
    allocated_resource_statuses: dict[str, str] = field(default_factory=dict)
    allocated_resources: dict[str, Quantity] = field(default_factory=dict)
    capacity: dict[str, Quantity] = field(default_factory=dict)
    conditions: Annotated[tuple[PersistentVolumeClaimCondition, ...], merged_by("type")] = ()
    current_volume_attributes_class_name: str = ""
    modify_volume_status: ModifyVolumeStatus | None = None
    phase: str = ""


class PersistentVolumeClaim(Object, frozen=True, kw_only=True):
    api_version: str = field(default_factory=lambda: "v1")
    kind: str = field(default_factory=lambda: "PersistentVolumeClaim")
    spec: PersistentVolumeClaimSpec = field(default_factory=PersistentVolumeClaimSpec)
    status: PersistentVolumeClaimStatus = field(default_factory=PersistentVolumeClaimStatus)
