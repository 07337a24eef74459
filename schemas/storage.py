"""StorageClass: how volumes are made."""

from msgspec import field

from schemas.meta import Object, Record


class TopologySelectorLabelRequirement(Record, frozen=True):
    key: str
    values: tuple[str, ...]


class TopologySelectorTerm(Record, frozen=True):
    match_label_expressions: tuple[TopologySelectorLabelRequirement, ...] = ()


class StorageClass(Object, frozen=True, kw_only=True):
    api_version: str = field(default_factory=lambda: "storage.k8s.io/v1")
    kind: str = field(default_factory=lambda: "StorageClass")
    provisioner: str
    allow_volume_expansion: bool | None = None
    allowed_topologies: tuple[TopologySelectorTerm, ...] = ()
    mount_options: tuple[str, ...] = ()
    parameters: dict[str, str] = field(default_factory=dict)
    reclaim_policy: str = ""
    volume_binding_mode: str = ""
