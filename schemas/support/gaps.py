"""Each official field of the served kinds that is not implemented: what happens to it, and why.

`warn`: the object is taken on, and the field has no effect. `refuse`: the object is not taken on, because without
the field it would do harm, or not work. A gap covers all that is below its field.
"""

from collections.abc import Callable
from typing import Literal

import msgspec

from schemas.shape import Json


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """A field, by type and name on the wire, that is not implemented.

    `only` narrows it to some values: it is given the value, of a list of records each element, of a map each key.
    `only_text` says the same in the documentation. `Type.field.part` looks at the field and speaks of a part of it.
    """

    field: str
    does: Literal["warn", "refuse"]
    reason: str
    only: Callable[[Json], bool] | None = None
    only_text: str = ""


def _warn(field: str, reason: str, only: Callable[[Json], bool] | None = None, only_text: str = "") -> Gap:
    return Gap(field=field, does="warn", reason=reason, only=only, only_text=only_text)


def _refuse(field: str, reason: str, only: Callable[[Json], bool] | None = None, only_text: str = "") -> Gap:
    return Gap(field=field, does="refuse", reason=reason, only=only, only_text=only_text)


def _is(*words: Json) -> Callable[[Json], bool]:
    return lambda value: value in words


_STORAGE = "volumes of this kind are not attached yet; the pod would run without its data"
_REMOVED = "Kubernetes itself no longer has this kind of volume, or leaves it to a CSI driver"

POD = (
    _refuse(
        "PodSpec.ephemeralContainers", "they are added to a pod that runs, by `kubectl debug`, and never come with it"
    ),
    _refuse("PodSpec.os", "nodes run Linux", lambda os: os.name != "linux", "for any other than `linux`"),
    _refuse("PodSpec.resourceClaims", "devices are not allocated yet; the pod would run without them"),
    _refuse("PodSpec.schedulingGroup", "pods are placed one by one yet; the pod could start without its group"),
)

SECURITY = tuple(
    _warn(f"{type_}.windowsOptions", "nodes run Linux") for type_ in ("PodSecurityContext", "SecurityContext")
)

CONTAINER = (
    _refuse("LifecycleHandler.tcpSocket", "a hook of this kind is carried out nowhere, in Kubernetes neither"),
    _refuse("ResourceRequirements.claims", "devices are not allocated yet; the container would run without them"),
)

VOLUMES = (
    _refuse("Volume.csi", _STORAGE),
    _refuse("Volume.fc", _STORAGE),
    _refuse("Volume.flexVolume", _STORAGE),
    _refuse("Volume.iscsi", _STORAGE),
    *(
        _refuse(f"Volume.{source}", _REMOVED)
        for source in (
            "awsElasticBlockStore",
            "azureDisk",
            "azureFile",
            "cephfs",
            "cinder",
            "flocker",
            "gcePersistentDisk",
            "gitRepo",
            "glusterfs",
            "photonPersistentDisk",
            "portworxVolume",
            "quobyte",
            "rbd",
            "scaleIO",
            "storageos",
            "vsphereVolume",
        )
    ),
    _refuse("VolumeProjection.clusterTrustBundle", "trust bundles are not served; the file would be missing"),
    _refuse("VolumeProjection.podCertificate", "certificates of pods are not signed; the file would be missing"),
)

_NOT_MOUNTED = "such a volume is bound, but no agent mounts it; a pod that uses it waits"
_NOT_FILLED = "no volume is made from another; the claim waits until somebody makes one for it"

KIND_GAPS = (
    *(
        _warn(f"MetricSpec.{source}", "nothing serves metrics of this type; the autoscaler tells that it has none")
        for source in ("external", "object", "pods")
    ),
    *(
        _warn(f"PersistentVolumeSpec.{source}", _NOT_MOUNTED)
        for source in (
            "awsElasticBlockStore",
            "azureDisk",
            "azureFile",
            "cephfs",
            "cinder",
            "csi",
            "fc",
            "flexVolume",
            "flocker",
            "gcePersistentDisk",
            "glusterfs",
            "iscsi",
            "photonPersistentDisk",
            "portworxVolume",
            "quobyte",
            "rbd",
            "scaleIO",
            "storageos",
            "vsphereVolume",
        )
    ),
    _warn(
        "LocalVolumeSource.fsType",
        "devices are not formatted or mounted by agents; `path` has to be a directory",
    ),
    _warn("PersistentVolumeClaimSpec.dataSource", _NOT_FILLED),
    _warn("PersistentVolumeClaimSpec.dataSourceRef", _NOT_FILLED),
    *(_warn(f"{kind}.spec", "stored and shown; no driver is asked") for kind in ("CSIDriver", "VolumeAttachment")),
    _warn("IngressBackend.resource", "only Services are served; name one in `service`"),
    _warn("IngressClassSpec.parameters", "the proxy is set up in the agent's configuration"),
)

OTHERS = (
    _warn(
        "RollingUpdateStatefulSetStrategy.maxUnavailable",
        "Kubernetes has it switched off unless a feature gate is set; pods are updated one by one",
    ),
    _warn("NodeSpec.configSource", "Kubernetes itself has ignored it since 1.22"),
    _warn("NodeSpec.externalID", "Kubernetes itself ignores it"),
    _warn(
        "ServiceAccount.secrets",
        "any pod may mount any Secret of its namespace, as in Kubernetes without an annotation",
    ),
)

GAPS: tuple[Gap, ...] = (*POD, *SECURITY, *CONTAINER, *VOLUMES, *OTHERS, *KIND_GAPS)
