"""What an API type looks like on the wire: its fields, and how each merges.

Read once from the types and kept. Decoding, merging, patches, JSON Schemas and the table of support
all walk the same shapes, so that none of them can disagree with the types.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from msgspec import structs

from schemas.meta import Record

Form = Literal[
    "record", "list", "map", "text", "integer", "boolean", "bytes", "time", "quantity", "int_or_string", "number", "any"
]

Json = Any
"""A value as a JSON or YAML parser gives it: dicts, lists, strings, numbers, booleans, None."""

_SCALARS: dict[Any, Form] = {
    str: "text",
    int: "integer",
    bool: "boolean",
    bytes: "bytes",
    datetime: "time",
    float: "number",
    Any: "any",
}

INT64 = frozenset(
    (
        "activeDeadlineSeconds",
        "capacity",
        "deletionGracePeriodSeconds",
        "expirationSeconds",
        "fsGroup",
        "nodeAllocatableUpdatePeriodSeconds",
        "generation",
        "gid",
        "observedGeneration",
        "revision",
        "runAsGroup",
        "runAsUser",
        "seconds",
        "sizeBytes",
        "startingDeadlineSeconds",
        "supplementalGroups",
        "terminationGracePeriodSeconds",
        "tolerationSeconds",
        "uid",
    )
)
"""Integer fields of 64 bits; all others have 32."""
_SMALL = frozenset((("CertificateSigningRequestSpec", "expirationSeconds"),))
"""Where a field of such a name has 32."""

ATOMIC_TYPES = frozenset(
    (
        "ConfigMapKeySelector",
        "EndpointPort",
        "EndpointAddress",
        "FileKeySelector",
        "LabelSelector",
        "LocalObjectReference",
        "NodeSelector",
        "NodeSelectorTerm",
        "ObjectFieldSelector",
        "ObjectReference",
        "OwnerReference",
        "ResourceFieldSelector",
        "RoleRef",
        "ScopeSelector",
        "SecretKeySelector",
        "SecretReference",
        "ServiceBackendPort",
        "Subject",
        "TopologySelectorTerm",
        "TypedLocalObjectReference",
    )
)
"""Records that have one owner as a whole (`x-kubernetes-map-type: atomic`)."""

_ATOMIC_MAPS = frozenset(
    (
        ("ControllerRevision", "data"),
        ("PodSpec", "nodeSelector"),
        ("ReplicationControllerSpec", "selector"),
        ("Scheduling", "nodeSelector"),
        ("ServiceSpec", "selector"),
    )
)
"""Maps that have one owner as a whole."""

_GRANULAR = frozenset((("PersistentVolumeSpec", "claimRef"),))
"""Records that have an owner for each field although their type is atomic elsewhere (`structType=granular`)."""

_RETAIN_KEYS = frozenset(
    (
        ("DeploymentSpec", "strategy"),
        ("PodSpec", "volumes"),
        ("PodSpec", "resourceClaims"),
        ("PodStatus", "resourceClaimStatuses"),
    )
)
"""Where a strategic merge patch names the fields to keep, as in a union (`x-kubernetes-patch-strategy: retainKeys`)."""


class Shape(msgspec.Struct, frozen=True):
    """A type as it is written in JSON."""

    form: Form
    record: type[Record] | None = None
    item: "Shape | None" = None
    """Of a list or map."""
    keys: tuple[str, ...] = ()
    """Wire names of the fields that identify an element of a list in server-side apply; empty: replaced as a whole."""
    patch_key: str | None = None
    """Wire name of the field that identifies an element in a strategic merge patch."""
    is_set: bool = False
    """A list of scalars that merges as a set."""
    atomic: bool = False
    """A record or map that is owned as a whole."""
    retain_keys: bool = False
    small: bool = False
    """An integer of 32 bits, where others of its name have 64."""

    def bits(self, name: str) -> Literal[32, 64]:
        """Of an integer in a field of that name."""
        return 64 if name in INT64 and not self.small else 32

    @property
    def fields(self) -> Mapping[str, "Field"]:
        """Of a record, by wire name; empty for all other forms."""
        return _fields(self.record) if self.record is not None else {}


class Field(msgspec.Struct, frozen=True):
    """One field of a record."""

    name: str
    """On the wire."""
    attribute: str
    required: bool
    nullable: bool
    """Absence is told from the zero value."""
    shape: Shape


@lru_cache(maxsize=512)
def shape_of(type_: type[Record]) -> Shape:
    return Shape("record", record=type_, atomic=type_.__name__ in ATOMIC_TYPES)


@lru_cache(maxsize=512)
def _fields(type_: type[Record]) -> Mapping[str, Field]:
    return {info.encode_name: _field(type_, info) for info in structs.fields(type_)}


def _field(owner: type[Record], info: structs.FieldInfo) -> Field:
    shape, nullable = _shape(info.type)
    place = (owner.__name__, info.encode_name)
    if place in _ATOMIC_MAPS:
        shape = structs.replace(shape, atomic=True)
    if place in _GRANULAR:
        shape = structs.replace(shape, atomic=False)
    if place in _SMALL:
        shape = structs.replace(shape, small=True)
    if place in _RETAIN_KEYS:
        shape = structs.replace(shape, retain_keys=True)
    return Field(info.encode_name, info.name, info.required, nullable, shape)


def _shape(type_: object) -> tuple[Shape, bool]:
    """The shape, and whether None stands for absence."""
    origin = get_origin(type_)
    if origin is Annotated:
        inner, *metas = get_args(type_)
        shape, nullable = _shape(inner)
        extra = next((meta.extra or {} for meta in metas if isinstance(meta, msgspec.Meta)), {})
        return _merging(shape, extra), nullable
    if origin in (Union, UnionType):
        members = [member for member in get_args(type_) if member is not NoneType]
        nullable = len(members) < len(get_args(type_))
        if len(members) == 1:
            return _shape(members[0])[0], nullable
        return Shape("quantity" if float in members else "int_or_string"), nullable
    if origin is tuple:
        return Shape("list", item=_shape(get_args(type_)[0])[0]), False
    if origin is dict:
        return Shape("map", item=_shape(get_args(type_)[1])[0]), False
    if isinstance(type_, type) and issubclass(type_, Record):
        return shape_of(type_), False
    return Shape(_SCALARS[type_]), False


def _merging(shape: Shape, extra: Mapping[str, Any]) -> Shape:
    if extra.get("atomic"):
        return structs.replace(shape, atomic=True)
    match extra.get("merge"):
        case "map":
            return structs.replace(shape, keys=extra["keys"], patch_key=extra["patch"])
        case "set":
            return structs.replace(shape, is_set=True)
    return shape


def fields_below(shape: Shape, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Field]]:
    """Every field under the shape with its path; `[]` stands for any element of a list, `*` for any key of a map."""
    if shape.form == "record":
        for name, field in shape.fields.items():
            yield (*path, name), field
            yield from fields_below(field.shape, (*path, name))
    elif shape.item is not None:
        yield from fields_below(shape.item, (*path, "[]" if shape.form == "list" else "*"))
