"""Rules of CSIDrivers and VolumeAttachments."""

from schemas import names
from schemas.csi import CSIDriver, VolumeAttachment
from schemas.faults import Path
from schemas.validation.report import (
    IMMUTABLE,
    Faults,
    duplicate,
    forbidden,
    invalid,
    one_of,
    required,
    too_long,
    unsupported,
    well_formed,
)

_SPEC: Path = ("spec",)
_LONGEST_NAME = 63
_MODES = ("Ephemeral", "Persistent")
_GROUP_POLICIES = ("File", "None", "ReadWriteOnceWithFSType")


def csi_driver(declared: CSIDriver) -> Faults:
    if len(declared.metadata.name) > _LONGEST_NAME:
        yield too_long(("metadata", "name"), _LONGEST_NAME)
    spec = declared.spec
    for index, mode in enumerate(spec.volume_lifecycle_modes):
        if mode not in _MODES:
            yield unsupported((*_SPEC, "volumeLifecycleModes"), mode, _MODES)
        elif mode in spec.volume_lifecycle_modes[:index]:
            yield duplicate((*_SPEC, "volumeLifecycleModes", index), mode)
    yield from one_of((*_SPEC, "fsGroupPolicy"), spec.fs_group_policy, _GROUP_POLICIES)
    audiences = [one.audience for one in spec.token_requests]
    for index, audience in enumerate(audiences):
        if audience in audiences[:index]:
            yield duplicate((*_SPEC, "tokenRequests", index, "audience"), audience)


def csi_driver_update(new: CSIDriver, old: CSIDriver) -> Faults:
    if new.spec.attach_required != old.spec.attach_required:
        yield invalid((*_SPEC, "attachedRequired"), new.spec.attach_required, IMMUTABLE)
    if new.spec.volume_lifecycle_modes != old.spec.volume_lifecycle_modes:
        yield invalid((*_SPEC, "volumeLifecycleModes"), new.spec.volume_lifecycle_modes, IMMUTABLE)


def volume_attachment(declared: VolumeAttachment) -> Faults:
    spec = declared.spec
    if not spec.attacher:
        yield required((*_SPEC, "attacher"))
    else:
        yield from well_formed((*_SPEC, "attacher"), spec.attacher, names.dns1123_subdomain)
    if not spec.node_name:
        yield required((*_SPEC, "nodeName"))
    source, at = spec.source, (*_SPEC, "source")
    if source.persistent_volume_name is None and source.inline_volume_spec is None:
        yield required(at, "must specify exactly one of inlineVolumeSpec and persistentVolumeName")
    elif source.persistent_volume_name is not None and source.inline_volume_spec is not None:
        yield forbidden(at, "must specify exactly one of inlineVolumeSpec and persistentVolumeName")
    elif source.persistent_volume_name == "":
        yield required((*at, "persistentVolumeName"))


def volume_attachment_update(new: VolumeAttachment, old: VolumeAttachment) -> Faults:
    if new.spec != old.spec:
        yield invalid(_SPEC, new.spec, IMMUTABLE)
