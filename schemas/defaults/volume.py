"""What the API server fills in where a volume leaves a field out. See `schemas.defaults`."""

from collections.abc import Callable
from typing import Any

from msgspec import structs

from schemas.core.cloudvolume import AzureDiskVolumeSource, ISCSIVolumeSource, RBDVolumeSource, ScaleIOVolumeSource
from schemas.core.persistence import PersistentVolumeClaim
from schemas.core.volume import (
    ConfigMapVolumeSource,
    DownwardAPIProjection,
    DownwardAPIVolumeFile,
    DownwardAPIVolumeSource,
    EmptyDirVolumeSource,
    EphemeralVolumeSource,
    ImageVolumeSource,
    PersistentVolumeClaimSpec,
    ProjectedVolumeSource,
    SecretVolumeSource,
    ServiceAccountTokenProjection,
    Volume,
    VolumeProjection,
)
from schemas.defaults.value import field_ref, pull_policy, resource_field_ref, resource_list
from schemas.quantity import canonical

_MODE = 0o644


def volume(declared: Volume) -> Volume:
    """A volume of no kind is an emptyDir."""
    filled: dict[str, Any] = {}
    none = True
    for name in _SOURCES:
        source = getattr(declared, name)
        if source is not None:
            none = False
            if (fill := _BY_TYPE.get(type(source))) is not None:
                filled[name] = fill(source)
    if none:
        filled["empty_dir"] = EmptyDirVolumeSource()
    return structs.replace(declared, **filled) if filled else declared


_SOURCES = tuple(name for name in Volume.__struct_fields__ if name != "name")


def _config_map(source: ConfigMapVolumeSource) -> ConfigMapVolumeSource:
    return structs.replace(source, default_mode=_mode(source.default_mode))


def _secret(source: SecretVolumeSource) -> SecretVolumeSource:
    return structs.replace(source, default_mode=_mode(source.default_mode))


def _mode(mode: int | None) -> int:
    return _MODE if mode is None else mode


def _downward_api(source: DownwardAPIVolumeSource) -> DownwardAPIVolumeSource:
    return structs.replace(source, default_mode=_mode(source.default_mode), items=_files(source.items))


def _files(files: tuple[DownwardAPIVolumeFile, ...]) -> tuple[DownwardAPIVolumeFile, ...]:
    return tuple(
        structs.replace(
            file, field_ref=field_ref(file.field_ref), resource_field_ref=resource_field_ref(file.resource_field_ref)
        )
        for file in files
    )


def _empty_dir(source: EmptyDirVolumeSource) -> EmptyDirVolumeSource:
    limit = source.size_limit
    return source if limit is None else structs.replace(source, size_limit=canonical(limit))


def _projected(source: ProjectedVolumeSource) -> ProjectedVolumeSource:
    return structs.replace(
        source,
        default_mode=_mode(source.default_mode),
        sources=tuple(_projection(projection) for projection in source.sources),
    )


def _projection(projection: VolumeProjection) -> VolumeProjection:
    downward, token = projection.downward_api, projection.service_account_token
    return structs.replace(
        projection,
        downward_api=None if downward is None else DownwardAPIProjection(_files(downward.items)),
        service_account_token=None if token is None else _token(token),
    )


def _token(token: ServiceAccountTokenProjection) -> ServiceAccountTokenProjection:
    return token if token.expiration_seconds else structs.replace(token, expiration_seconds=3600)


def _ephemeral(source: EphemeralVolumeSource) -> EphemeralVolumeSource:
    template = source.volume_claim_template
    return source if template is None else EphemeralVolumeSource(structs.replace(template, spec=_claim(template.spec)))


def persistent_volume_claim(declared: PersistentVolumeClaim) -> PersistentVolumeClaim:
    status = declared.status
    return structs.replace(
        declared,
        spec=_claim(declared.spec),
        status=structs.replace(status, phase=status.phase or "Pending", capacity=resource_list(status.capacity)),
    )


def _claim(spec: PersistentVolumeClaimSpec) -> PersistentVolumeClaimSpec:
    resources = spec.resources
    if resources is not None:
        resources = structs.replace(
            resources, limits=resource_list(resources.limits), requests=resource_list(resources.requests)
        )
    return structs.replace(spec, volume_mode=spec.volume_mode or "Filesystem", resources=resources)


def _image(source: ImageVolumeSource) -> ImageVolumeSource:
    return structs.replace(source, pull_policy=source.pull_policy or pull_policy(source.reference))


def _iscsi(source: ISCSIVolumeSource) -> ISCSIVolumeSource:
    return structs.replace(source, iscsi_interface=source.iscsi_interface or "default")


def _rbd(source: RBDVolumeSource) -> RBDVolumeSource:
    return structs.replace(
        source,
        pool=source.pool or "rbd",
        user=source.user or "admin",
        keyring=source.keyring or "/etc/ceph/keyring",
    )


def azure_disk(source: AzureDiskVolumeSource) -> AzureDiskVolumeSource:
    return structs.replace(
        source,
        caching_mode=source.caching_mode or "ReadWrite",
        fs_type=source.fs_type or "ext4",
        kind=source.kind or "Shared",
    )


def _scale_io(source: ScaleIOVolumeSource) -> ScaleIOVolumeSource:
    return structs.replace(
        source, fs_type=source.fs_type or "xfs", storage_mode=source.storage_mode or "ThinProvisioned"
    )


_BY_TYPE: dict[type, Callable[[Any], Any]] = {
    AzureDiskVolumeSource: azure_disk,
    ConfigMapVolumeSource: _config_map,
    DownwardAPIVolumeSource: _downward_api,
    EmptyDirVolumeSource: _empty_dir,
    EphemeralVolumeSource: _ephemeral,
    ISCSIVolumeSource: _iscsi,
    ImageVolumeSource: _image,
    ProjectedVolumeSource: _projected,
    RBDVolumeSource: _rbd,
    ScaleIOVolumeSource: _scale_io,
    SecretVolumeSource: _secret,
}
