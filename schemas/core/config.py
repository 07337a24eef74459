"""ConfigMap, Secret, ServiceAccount and Namespace."""

from datetime import datetime
from typing import Annotated

from msgspec import field

from schemas.core.reference import LocalObjectReference, ObjectReference
from schemas.meta import Object, Record, merged_by


class ConfigMap(Object, frozen=True, kw_only=True):
    api_version: str = field(default_factory=lambda: "v1")
    kind: str = field(default_factory=lambda: "ConfigMap")
    binary_data: dict[str, bytes] = field(default_factory=dict)
    data: dict[str, str] = field(default_factory=dict)
    immutable: bool | None = None


class Secret(Object, frozen=True, kw_only=True):
    api_version: str = field(default_factory=lambda: "v1")
    kind: str = field(default_factory=lambda: "Secret")
    data: dict[str, bytes] = field(default_factory=dict)
    immutable: bool | None = None
    string_data: dict[str, str] = field(default_factory=dict)
    type: str = ""


class ServiceAccount(Object, frozen=True, kw_only=True):
    api_version: str = field(default_factory=lambda: "v1")
    kind: str = field(default_factory=lambda: "ServiceAccount")
    automount_service_account_token: bool | None = None
    image_pull_secrets: tuple[LocalObjectReference, ...] = ()
    secrets: Annotated[tuple[ObjectReference, ...], merged_by("name")] = ()


class NamespaceSpec(Record, frozen=True):
    finalizers: tuple[str, ...] = ()


class NamespaceCondition(Record, frozen=True):
    status: str
    type: str
    last_transition_time: datetime | None = None
    message: str = ""
    reason: str = ""


class NamespaceStatus(Record, frozen=True):
    conditions: Annotated[tuple[NamespaceCondition, ...], merged_by("type")] = ()
    phase: str = ""


class Namespace(Object, frozen=True, kw_only=True):
    api_version: str = field(default_factory=lambda: "v1")
    kind: str = field(default_factory=lambda: "Namespace")
    spec: NamespaceSpec = field(default_factory=NamespaceSpec)
    status: NamespaceStatus = field(default_factory=NamespaceStatus)
