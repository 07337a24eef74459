"""Volumes that need a storage system or a cloud of their own."""

from msgspec import field

from schemas.core.reference import LocalObjectReference
from schemas.meta import Record


class AWSElasticBlockStoreVolumeSource(Record, frozen=True):
    volume_id: str = field(name="volumeID")
    fs_type: str = ""
    partition: int | None = None
    read_only: bool = False


class AzureDiskVolumeSource(Record, frozen=True):
    disk_name: str
    disk_uri: str = field(name="diskURI")
    caching_mode: str = ""
    fs_type: str = ""
    kind: str = ""
    read_only: bool = False


class AzureFileVolumeSource(Record, frozen=True):
    secret_name: str
    share_name: str
    read_only: bool = False


class CephFSVolumeSource(Record, frozen=True):
    monitors: tuple[str, ...]
    path: str = ""
    read_only: bool = False
    secret_file: str = ""
    secret_ref: LocalObjectReference | None = None
    user: str = ""


class CinderVolumeSource(Record, frozen=True):
    volume_id: str = field(name="volumeID")
    fs_type: str = ""
    read_only: bool = False
    secret_ref: LocalObjectReference | None = None


class FCVolumeSource(Record, frozen=True):
    fs_type: str = ""
    lun: int | None = None
    read_only: bool = False
    target_ww_ns: tuple[str, ...] = field(default=(), name="targetWWNs")
    wwids: tuple[str, ...] = ()


class FlexVolumeSource(Record, frozen=True):
    driver: str
    fs_type: str = ""
    options: dict[str, str] = field(default_factory=dict)
    read_only: bool = False
    secret_ref: LocalObjectReference | None = None


class FlockerVolumeSource(Record, frozen=True):
    dataset_name: str = ""
    dataset_uuid: str = field(default="", name="datasetUUID")


class GCEPersistentDiskVolumeSource(Record, frozen=True):
    pd_name: str
    fs_type: str = ""
    partition: int | None = None
    read_only: bool = False


class GitRepoVolumeSource(Record, frozen=True):
    repository: str
    directory: str = ""
    revision: str = ""


class GlusterfsVolumeSource(Record, frozen=True):
    endpoints: str
    path: str
    read_only: bool = False


class ISCSIVolumeSource(Record, frozen=True):
    iqn: str
    lun: int
    target_portal: str
    chap_auth_discovery: bool | None = None
    chap_auth_session: bool | None = None
    fs_type: str = ""
    initiator_name: str = ""
    iscsi_interface: str = ""
    portals: tuple[str, ...] = ()
    read_only: bool = False
    secret_ref: LocalObjectReference | None = None


class PhotonPersistentDiskVolumeSource(Record, frozen=True):
    pd_id: str = field(name="pdID")
    fs_type: str = ""


class PortworxVolumeSource(Record, frozen=True):
    volume_id: str = field(name="volumeID")
    fs_type: str = ""
    read_only: bool = False


class QuobyteVolumeSource(Record, frozen=True):
    registry: str
    volume: str
    group: str = ""
    read_only: bool = False
    tenant: str = ""
    user: str = ""


class RBDVolumeSource(Record, frozen=True):
    image: str
    monitors: tuple[str, ...]
    fs_type: str = ""
    keyring: str = ""
    pool: str = ""
    read_only: bool = False
    secret_ref: LocalObjectReference | None = None
    user: str = ""


class ScaleIOVolumeSource(Record, frozen=True):
    gateway: str
    secret_ref: LocalObjectReference
    system: str
    fs_type: str = ""
    protection_domain: str = ""
    read_only: bool = False
    ssl_enabled: bool | None = None
    storage_mode: str = ""
    storage_pool: str = ""
    volume_name: str = ""


class StorageOSVolumeSource(Record, frozen=True):
    fs_type: str = ""
    read_only: bool = False
    secret_ref: LocalObjectReference | None = None
    volume_name: str = ""
    volume_namespace: str = ""


class VsphereVirtualDiskVolumeSource(Record, frozen=True):
    volume_path: str
    fs_type: str = ""
    storage_policy_id: str = field(default="", name="storagePolicyID")
    storage_policy_name: str = ""
