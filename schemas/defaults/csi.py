"""What the API server fills in where a CSIDriver leaves a field out. See `schemas.defaults`."""

from msgspec import structs

from schemas.csi import CSIDriver


def csi_driver(declared: CSIDriver) -> CSIDriver:
    spec = declared.spec

    def filled(value: bool | None, default: bool) -> bool:
        return default if value is None else value

    return structs.replace(
        declared,
        spec=structs.replace(
            spec,
            attach_required=filled(spec.attach_required, True),
            pod_info_on_mount=filled(spec.pod_info_on_mount, False),
            storage_capacity=filled(spec.storage_capacity, False),
            requires_republish=filled(spec.requires_republish, False),
            se_linux_mount=filled(spec.se_linux_mount, False),
            fs_group_policy=spec.fs_group_policy or "ReadWriteOnceWithFSType",
            volume_lifecycle_modes=spec.volume_lifecycle_modes or ("Persistent",),
        ),
    )
