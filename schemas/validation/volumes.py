"""Rules of the volumes of a pod: one source each, and files that stay inside."""

from collections.abc import Callable, Iterable
from typing import Any

from schemas import names
from schemas.core.volume import (
    ConfigMapProjection,
    ConfigMapVolumeSource,
    DownwardAPIVolumeFile,
    DownwardAPIVolumeSource,
    EmptyDirVolumeSource,
    EphemeralVolumeSource,
    HostPathVolumeSource,
    KeyToPath,
    NFSVolumeSource,
    PersistentVolumeClaimVolumeSource,
    ProjectedVolumeSource,
    SecretProjection,
    SecretVolumeSource,
    Volume,
    VolumeProjection,
)
from schemas.faults import Path
from schemas.quantity import milli
from schemas.shape import shape_of
from schemas.validation.container import local_path, no_way_up
from schemas.validation.environment import FILE_FIELDS, field_ref, resource_field_ref
from schemas.validation.report import Faults, forbidden, invalid, one_of, required, unique, well_formed
from schemas.validation.storage import claim_spec

_SOURCES = tuple((field.attribute, name) for name, field in shape_of(Volume).fields.items() if name != "name")

_HOST_PATH_TYPES = (
    "",
    "BlockDevice",
    "CharDevice",
    "Directory",
    "DirectoryOrCreate",
    "File",
    "FileOrCreate",
    "Socket",
)


def volumes(path: Path, declared: Iterable[Volume]) -> Faults:
    listed = tuple(declared)
    for index, volume in enumerate(listed):
        at = (*path, index)
        if not volume.name:
            yield required((*at, "name"))
        else:
            yield from well_formed((*at, "name"), volume.name, names.dns1123_label)
        yield from _source(at, volume)
    yield from unique(path, (volume.name for volume in listed), "name")


def _source(path: Path, volume: Volume) -> Faults:
    found = False
    for attribute, name in _SOURCES:
        source = getattr(volume, attribute)
        if source is None:
            continue
        at = (*path, name)
        if found:
            yield forbidden(at, "may not specify more than 1 volume type")
        elif check := _BY_TYPE.get(type(source)):
            yield from check(at, source)
        found = True


def _config_map(path: Path, source: ConfigMapVolumeSource) -> Faults:
    if not source.name:
        yield required((*path, "name"))
    yield from _mode((*path, "defaultMode"), source.default_mode)
    yield from _items((*path, "items"), source.items)


def _secret(path: Path, source: SecretVolumeSource) -> Faults:
    if not source.secret_name:
        yield required((*path, "secretName"))
    yield from _mode((*path, "defaultMode"), source.default_mode)
    yield from _items((*path, "items"), source.items)


def _mode(path: Path, mode: int | None) -> Faults:
    if mode is not None and not 0 <= mode <= 0o777:
        yield invalid(path, mode, "must be a number between 0 and 0777 (octal), both inclusive")


def _items(path: Path, items: Iterable[KeyToPath]) -> Faults:
    for index, item in enumerate(items):
        at = (*path, index)
        if not item.key:
            yield required((*at, "key"))
        yield from _file_path((*at, "path"), item.path)
        yield from _mode((*at, "mode"), item.mode)


def _file_path(path: Path, text: str) -> Faults:
    if not text:
        yield required(path)
        return
    yield from local_path(path, text)
    if text.startswith("..") and not text.startswith("../") and text != "..":
        yield invalid(path, text, "must not start with '..'")


def host_path(path: Path, source: HostPathVolumeSource) -> Faults:
    if not source.path:
        yield required((*path, "path"))
    yield from no_way_up((*path, "path"), source.path)
    yield from one_of((*path, "type"), source.type, _HOST_PATH_TYPES)


def _empty_dir(path: Path, source: EmptyDirVolumeSource) -> Faults:
    if source.size_limit is not None and milli(source.size_limit) < 0:
        yield forbidden((*path, "sizeLimit"), "SizeLimit field must be a valid resource quantity")
    pages = source.medium.startswith("HugePages")
    if not pages:
        yield from one_of((*path, "medium"), source.medium, ("", "HugePages", "Memory"))


def _downward_api(path: Path, source: DownwardAPIVolumeSource) -> Faults:
    yield from _mode((*path, "defaultMode"), source.default_mode)
    for file in source.items:
        yield from _downward_file(path, file)


def _downward_file(path: Path, file: DownwardAPIVolumeFile) -> Faults:
    yield from _file_path((*path, "path"), file.path)
    if file.field_ref is not None:
        yield from field_ref((*path, "fieldRef"), file.field_ref, FILE_FIELDS)
        if file.resource_field_ref is not None:
            yield invalid(path, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously")
    elif file.resource_field_ref is not None:
        yield from resource_field_ref((*path, "resourceFieldRef"), file.resource_field_ref, in_volume=True)
    else:
        yield required(path, "one of fieldRef and resourceFieldRef is required")
    yield from _mode((*path, "mode"), file.mode)


def _projected(path: Path, source: ProjectedVolumeSource) -> Faults:
    yield from _mode((*path, "defaultMode"), source.default_mode)
    for index, projection in enumerate(source.sources):
        yield from _projection((*path, "sources", index), projection)


def _projection(path: Path, projection: VolumeProjection) -> Faults:
    fields = shape_of(VolumeProjection).fields
    named = [name for name, field in fields.items() if getattr(projection, field.attribute) is not None]
    for name in named[1:]:
        yield forbidden((*path, name), "may not specify more than 1 volume type")
    if projection.config_map is not None:
        yield from _projected_keys((*path, "configMap"), projection.config_map)
    if projection.secret is not None:
        yield from _projected_keys((*path, "secret"), projection.secret)
    if projection.downward_api is not None:
        for file in projection.downward_api.items:
            yield from _downward_file((*path, "downwardAPI"), file)
    token = projection.service_account_token
    if token is not None:
        seconds = 3600 if token.expiration_seconds is None else token.expiration_seconds
        at = (*path, "serviceAccountToken")
        if seconds < 600:
            yield invalid((*at, "expirationSeconds"), seconds, "may not specify a duration less than 10 minutes")
        if seconds > 2**32:
            yield invalid((*at, "expirationSeconds"), seconds, "may not specify a duration larger than 2^32 seconds")
        yield from _file_path((*at, "path"), token.path)


def _projected_keys(path: Path, source: ConfigMapProjection | SecretProjection) -> Faults:
    if not source.name:
        yield required((*path, "name"))
    yield from _items((*path, "items"), source.items)


def _claim(path: Path, source: PersistentVolumeClaimVolumeSource) -> Faults:
    if not source.claim_name:
        yield required((*path, "claimName"))


def _ephemeral(path: Path, source: EphemeralVolumeSource) -> Faults:
    if source.volume_claim_template is None:
        yield required((*path, "volumeClaimTemplate"))
    else:
        yield from claim_spec((*path, "volumeClaimTemplate", "spec"), source.volume_claim_template.spec)


def nfs(path: Path, source: NFSVolumeSource) -> Faults:
    if not source.server:
        yield required((*path, "server"))
    if not source.path:
        yield required((*path, "path"))
    if not source.path.startswith("/"):
        yield invalid((*path, "path"), source.path, "must be an absolute path")


_BY_TYPE: dict[type, Callable[[Path, Any], Faults]] = {
    ConfigMapVolumeSource: _config_map,
    DownwardAPIVolumeSource: _downward_api,
    EmptyDirVolumeSource: _empty_dir,
    EphemeralVolumeSource: _ephemeral,
    HostPathVolumeSource: host_path,
    NFSVolumeSource: nfs,
    PersistentVolumeClaimVolumeSource: _claim,
    ProjectedVolumeSource: _projected,
    SecretVolumeSource: _secret,
}
