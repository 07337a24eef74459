"""What every API object has: identity, ownership, and how its lists are merged.

Field names and meanings follow the Kubernetes API (https://kubernetes.io/docs/reference/kubernetes-api/).
A field that is absent, null or at the zero value of its type reads the same; where Kubernetes tells
absence from zero (`replicas: 0`), the type says `| None`.
"""

from datetime import datetime
from typing import Annotated, Any, NamedTuple, TypeVar

import msgspec
from msgspec import field
from msgspec.structs import replace

Quantity = str | int | float
"""An amount as written, such as `500m` or `1Gi`; `schemas.quantity` gives it a value."""


class Ref(NamedTuple):
    """Names one object of the cluster. `namespace` is empty for cluster-scoped kinds."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        where = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind} {where}{self.name}"


def merged_by(*keys: str, patch: str | None = "") -> msgspec.Meta:
    """Marks a list whose elements are merged by key, not replaced as a whole.

    `keys` identify an element in server-side apply (`x-kubernetes-list-map-keys`), `patch` in a strategic
    merge patch (by default the first key; None: such a patch replaces the whole list).
    """
    return msgspec.Meta(extra={"merge": "map", "keys": keys, "patch": keys[0] if patch == "" else patch})


ATOMIC = msgspec.Meta(extra={"atomic": True})
"""Marks a record that has one owner as a whole where others of its name have an owner for each field."""
MERGED_SET = msgspec.Meta(extra={"merge": "set"})
"""Marks a list of scalars that is merged as a set."""


class Record(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel", gc=False):
    """Base of every API type: immutable, camelCase on the wire, defaults left out.

    Unknown fields are passed over here; `schemas.decode` finds and names them. The garbage collector passes over
    them too: what is made once and never changed can hold no cycle, and a walk over a whole cluster would hold
    the event loop for longer than anyone should wait.
    """


class OwnerReference(Record, frozen=True):
    api_version: str
    kind: str
    name: str
    uid: str
    block_owner_deletion: bool | None = None
    controller: bool | None = None


class ManagedFieldsEntry(Record, frozen=True):
    api_version: str = ""
    fields_type: str = ""
    fields_v1: dict[str, Any] = field(default_factory=dict)
    manager: str = ""
    operation: str = ""
    subresource: str = ""
    time: datetime | None = None


class ObjectMeta(Record, frozen=True):
    annotations: dict[str, str] = field(default_factory=dict)
    creation_timestamp: datetime | None = None
    deletion_grace_period_seconds: int | None = None
    deletion_timestamp: datetime | None = None
    finalizers: Annotated[tuple[str, ...], MERGED_SET] = ()
    generate_name: str = ""
    generation: int = 0
    labels: dict[str, str] = field(default_factory=dict)
    managed_fields: tuple[ManagedFieldsEntry, ...] = ()
    name: str = ""
    namespace: str = ""
    owner_references: Annotated[tuple[OwnerReference, ...], merged_by("uid")] = ()
    resource_version: str = ""
    self_link: str = ""
    uid: str = ""


class Object(Record, frozen=True, kw_only=True):
    """An API object: what has a kind, a name and a place in the store."""

    api_version: str
    kind: str
    metadata: ObjectMeta = field(default_factory=ObjectMeta)


class LabelSelectorRequirement(Record, frozen=True):
    key: str
    operator: str
    values: tuple[str, ...] = ()


class LabelSelector(Record, frozen=True):
    match_expressions: tuple[LabelSelectorRequirement, ...] = ()
    match_labels: dict[str, str] = field(default_factory=dict)


class Condition(Record, frozen=True):
    last_transition_time: datetime
    message: str
    reason: str
    status: str
    type: str
    observed_generation: int = 0


AnyObject = TypeVar("AnyObject", bound=Object)


def ref_of(object_: Object) -> Ref:
    """The name under which the object is stored."""
    return Ref(object_.kind, object_.metadata.namespace, object_.metadata.name)


def with_status(object_: AnyObject, source: Object | None) -> AnyObject:
    """The object with the status of `source`, or with none yet; as it is where its kind has no status."""
    if "status" not in object_.__struct_fields__:
        return object_
    own: Any = object_
    other: Any = source
    return replace(object_, status=type(own.status)() if other is None else other.status)


def controller_of(object_: Object) -> OwnerReference | None:
    """The owner that manages this object, of which there is at most one."""
    return next((owner for owner in object_.metadata.owner_references if owner.controller), None)
