"""Volumes of a pod that Wherry can hold on a node."""

from msgspec import field

from schemas.core.cloudvolume import (
    AWSElasticBlockStoreVolumeSource,
    AzureDiskVolumeSource,
    AzureFileVolumeSource,
    CephFSVolumeSource,
    CinderVolumeSource,
    FCVolumeSource,
    FlexVolumeSource,
    FlockerVolumeSource,
    GCEPersistentDiskVolumeSource,
    GitRepoVolumeSource,
    GlusterfsVolumeSource,
    ISCSIVolumeSource,
    PhotonPersistentDiskVolumeSource,
    PortworxVolumeSource,
    QuobyteVolumeSource,
    RBDVolumeSource,
    ScaleIOVolumeSource,
    StorageOSVolumeSource,
    VsphereVirtualDiskVolumeSource,
)
from schemas.core.container import ObjectFieldSelector, ResourceFieldSelector
from schemas.core.reference import LocalObjectReference, TypedLocalObjectReference, TypedObjectReference
from schemas.meta import LabelSelector, ObjectMeta, Quantity, Record


class KeyToPath(Record, frozen=True):
    key: str
    path: str
    mode: int | None = None


class ConfigMapVolumeSource(Record, frozen=True):
    default_mode: int | None = None
    items: tuple[KeyToPath, ...] = ()
    name: str = ""
    optional: bool | None = None


class CSIVolumeSource(Record, frozen=True):
    driver: str
    fs_type: str = ""
    node_publish_secret_ref: LocalObjectReference | None = None
    read_only: bool = False
    volume_attributes: dict[str, str] = field(default_factory=dict)


class DownwardAPIVolumeFile(Record, frozen=True):
    path: str
    field_ref: ObjectFieldSelector | None = None
    mode: int | None = None
    resource_field_ref: ResourceFieldSelector | None = None


class DownwardAPIVolumeSource(Record, frozen=True):
    default_mode: int | None = None
    items: tuple[DownwardAPIVolumeFile, ...] = ()


class EmptyDirVolumeSource(Record, frozen=True):
    medium: str = ""
    size_limit: Quantity | None = None


class VolumeResourceRequirements(Record, frozen=True):
    limits: dict[str, Quantity] = field(default_factory=dict)
    requests: dict[str, Quantity] = field(default_factory=dict)


class PersistentVolumeClaimSpec(Record, frozen=True):
    access_modes: tuple[str, ...] = ()
    data_source: TypedLocalObjectReference | None = None
    data_source_ref: TypedObjectReference | None = None
    resources: VolumeResourceRequirements | None = None
    selector: LabelSelector | None = None
    storage_class_name: str | None = None
    volume_attributes_class_name: str = ""
    volume_mode: str = ""
    volume_name: str = ""


class PersistentVolumeClaimTemplate(Record, frozen=True):
    spec: PersistentVolumeClaimSpec
    metadata: ObjectMeta = field(default_factory=ObjectMeta)


class EphemeralVolumeSource(Record, frozen=True):
    volume_claim_template: PersistentVolumeClaimTemplate | None = None


class HostPathVolumeSource(Record, frozen=True):
    path: str
    type: str = field(default_factory=str)  # written also where it is empty, as in Kubernetes


class ImageVolumeSource(Record, frozen=True):
    pull_policy: str = ""
    reference: str = ""


class NFSVolumeSource(Record, frozen=True):
    path: str
    server: str
    read_only: bool = False


class PersistentVolumeClaimVolumeSource(Record, frozen=True):
    claim_name: str
    read_only: bool = False


class ClusterTrustBundleProjection(Record, frozen=True):
    path: str
    label_selector: LabelSelector | None = None
    name: str = ""
    optional: bool | None = None
    signer_name: str = ""


class ConfigMapProjection(Record, frozen=True):
    items: tuple[KeyToPath, ...] = ()
    name: str = ""
    optional: bool | None = None


class DownwardAPIProjection(Record, frozen=True):
    items: tuple[DownwardAPIVolumeFile, ...] = ()


class PodCertificateProjection(Record, frozen=True):
    key_type: str
    signer_name: str
    certificate_chain_path: str = ""
    credential_bundle_path: str = ""
    key_path: str = ""
    max_expiration_seconds: int | None = None
    user_annotations: dict[str, str] = field(default_factory=dict)


class SecretProjection(Record, frozen=True):
    items: tuple[KeyToPath, ...] = ()
    name: str = ""
    optional: bool | None = None


class ServiceAccountTokenProjection(Record, frozen=True):
    path: str
    audience: str = ""
    expiration_seconds: int | None = None


class VolumeProjection(Record, frozen=True):
    cluster_trust_bundle: ClusterTrustBundleProjection | None = None
    config_map: ConfigMapProjection | None = None
    downward_api: DownwardAPIProjection | None = field(default=None, name="downwardAPI")
    pod_certificate: PodCertificateProjection | None = None
    secret: SecretProjection | None = None
    service_account_token: ServiceAccountTokenProjection | None = None


class ProjectedVolumeSource(Record, frozen=True):
    default_mode: int | None = None
    sources: tuple[VolumeProjection, ...] = ()


class SecretVolumeSource(Record, frozen=True):
    default_mode: int | None = None
    items: tuple[KeyToPath, ...] = ()
    optional: bool | None = None
    secret_name: str = ""


class Volume(Record, frozen=True):
    name: str
    aws_elastic_block_store: AWSElasticBlockStoreVolumeSource | None = None
    azure_disk: AzureDiskVolumeSource | None = None
    azure_file: AzureFileVolumeSource | None = None
    cephfs: CephFSVolumeSource | None = None
    cinder: CinderVolumeSource | None = None
    config_map: ConfigMapVolumeSource | None = None
    csi: CSIVolumeSource | None = None
    downward_api: DownwardAPIVolumeSource | None = field(default=None, name="downwardAPI")
    empty_dir: EmptyDirVolumeSource | None = None
    ephemeral: EphemeralVolumeSource | None = None
    fc: FCVolumeSource | None = None
    flex_volume: FlexVolumeSource | None = None
    flocker: FlockerVolumeSource | None = None
    gce_persistent_disk: GCEPersistentDiskVolumeSource | None = None
    git_repo: GitRepoVolumeSource | None = None
    glusterfs: GlusterfsVolumeSource | None = None
    host_path: HostPathVolumeSource | None = None
    image: ImageVolumeSource | None = None
    iscsi: ISCSIVolumeSource | None = None
    nfs: NFSVolumeSource | None = None
    persistent_volume_claim: PersistentVolumeClaimVolumeSource | None = None
    photon_persistent_disk: PhotonPersistentDiskVolumeSource | None = None
    portworx_volume: PortworxVolumeSource | None = None
    projected: ProjectedVolumeSource | None = None
    quobyte: QuobyteVolumeSource | None = None
    rbd: RBDVolumeSource | None = None
    scale_io: ScaleIOVolumeSource | None = field(default=None, name="scaleIO")
    secret: SecretVolumeSource | None = None
    storageos: StorageOSVolumeSource | None = None
    vsphere_volume: VsphereVirtualDiskVolumeSource | None = None
