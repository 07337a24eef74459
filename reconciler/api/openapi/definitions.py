"""The types behind the API as OpenAPI schemas: structure, what is required, how lists merge.

Stored kinds are read from `schemas`, so that nothing is told of a field that is not there; options, reviews and
other messages that are never stored are read from the table of field numbers. Pure.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Literal

from reconciler.api import protofields
from reconciler.api.openapi import descriptions
from reconciler.api.openapi.names import definition, message_of
from schemas import views
from schemas.kinds import KINDS, Kind
from schemas.shape import Field, Shape, shape_of

Document = dict[str, Any]

Version = Literal[2, 3]

_REQUIRED: Mapping[str, tuple[str, ...]] = {
    "authentication.k8s.io/v1.TokenReview": ("spec",),
    "authentication.k8s.io/v1.TokenReviewSpec": ("token",),
    "authorization.k8s.io/v1.LocalSubjectAccessReview": ("spec",),
    "authorization.k8s.io/v1.NonResourceRule": ("verbs",),
    "authorization.k8s.io/v1.ResourceRule": ("verbs",),
    "authorization.k8s.io/v1.SelfSubjectAccessReview": ("spec",),
    "authorization.k8s.io/v1.SelfSubjectRulesReview": ("spec",),
    "authorization.k8s.io/v1.SubjectAccessReview": ("spec",),
    "meta.FieldSelectorRequirement": ("key", "operator"),
    "meta.ShardInfo": ("selector",),
    "v1.Binding": ("target",),
}
"""Of messages that are never stored."""
_WITHOUT_SPEC = frozenset(
    (
        "apps/v1.DaemonSet",
        "apps/v1.Deployment",
        "apps/v1.ReplicaSet",
        "apps/v1.StatefulSet",
        "batch/v1.Job",
        "v1.Pod",
    )
)
"""Kinds that Kubernetes reads without a spec, only to find it invalid."""
_SETS_THAT_MERGE = ("finalizers", "podCIDRs")
"""Other sets are replaced by a strategic merge patch."""

_TEXT = protofields.Field("", "string")
_PLACES = {2: "#/definitions/", 3: "#/components/schemas/"}
_SPECIAL: Mapping[str, Document] = {
    "time": {"type": "string", "format": "date-time"},
    "microtime": {"type": "string", "format": "date-time"},
    "fields": {"type": "object"},
    "raw": {"type": "object"},
}
_EITHER: Mapping[str, tuple[Document, Document]] = {
    "quantity": ({"type": "string"}, {"oneOf": [{"type": "string"}, {"type": "number"}]}),
    "intorstring": (
        {"type": "string", "format": "int-or-string"},
        {"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]},
    ),
}
"""In version 2, and in version 3, which knows alternatives."""
_FORMS: Mapping[str, Document] = {
    "text": {"type": "string"},
    "boolean": {"type": "boolean"},
    "bytes": {"type": "string", "format": "byte"},
    "number": {"type": "number", "format": "double"},
    "string": {"type": "string"},
    "bool": {"type": "boolean"},
    "int": {"type": "integer", "format": "int64"},
    "int32": {"type": "integer", "format": "int32"},
    "strings": {"type": "array", "items": {"type": "string"}},
}


class Definitions:
    """Schemas by name, each made when something first refers to it."""

    def __init__(self, version: Version) -> None:
        self._version: Version = version
        self.found: dict[str, Document] = {}

    def kind(self, kind: Kind) -> Document:
        """A reference to the kind; its list comes with it."""
        reference = self._record(shape_of(kind.type))
        named = definition(message_of(kind.type))
        self.found[named]["x-kubernetes-group-version-kind"] = [_group_version_kind(kind, kind.name)]
        return reference

    def list_of(self, kind: Kind) -> Document:
        """A reference to the list of a kind."""
        named = definition(message_of(kind.type)) + "List"
        if named not in self.found:
            items = {"type": "array", "items": self._property(self.kind(kind)), "description": descriptions.ITEMS}
            properties = self._type_meta() | {"items": items, "metadata": self._property(self.message("meta.ListMeta"))}
            self.found[named] = {
                "type": "object",
                "description": f"A list of objects of the kind {kind.name}.",
                "required": ["items"],
                "properties": dict(sorted(properties.items())),
                "x-kubernetes-group-version-kind": [_group_version_kind(kind, f"{kind.name}List")],
            }
        return self._reference(named)

    def message(self, message: str, *, groups: Iterable[tuple[str, str]] = ()) -> Document:
        """A reference to what is never stored; `groups` are the groups and versions that it is a kind of."""
        named = definition(message)
        if named in self.found:
            return self._reference(named)
        if (stored := _stored().get(message)) is not None:
            return self._record(stored)
        properties: dict[str, Document] = {}
        schema: Document = {"type": "object", "properties": properties}
        self.found[named] = schema
        kind = message.rpartition(".")[2]
        gvks = [{"group": group, "kind": kind, "version": version} for group, version in groups]
        if gvks or message in ("meta.Status", "meta.DeleteOptions"):
            properties |= self._type_meta()
        for name, field in _named(message).items():
            properties[name] = self._described(name, self._of_message(field))
        schema["description"] = descriptions.kind(kind)
        if message in _REQUIRED:
            schema["required"] = list(_REQUIRED[message])
        if gvks:
            schema["x-kubernetes-group-version-kind"] = gvks
        return self._reference(named)

    def free(self, name: str) -> Document:
        """A reference to an object of any shape, such as a patch."""
        named = definition(f"meta.{name}")
        self.found.setdefault(named, {"type": "object", "description": descriptions.kind(name)})
        return self._reference(named)

    def _of_message(self, field: protofields.Field) -> Document:
        if field.type in _FORMS:
            one: Document = dict(_FORMS[field.type])
        elif field.type in protofields.SPECIAL:
            one = self._special("fields" if field.type == "json" else field.type)
        else:
            one = self.message(field.type)
        if field.repeated:
            return {"type": "array", "items": self._property(one), "x-kubernetes-list-type": "atomic"}
        if field.map:
            return {"type": "object", "additionalProperties": self._property(one)}
        return self._property(one)

    def _record(self, shape: Shape) -> Document:
        assert shape.record is not None
        message = message_of(shape.record)
        named = definition(message)
        if named not in self.found:
            schema: Document = {"type": "object"}
            self.found[named] = schema
            schema["description"] = descriptions.kind(shape.record.__name__)
            texts = _texts(message)
            properties = {
                name: self._field(message, field, texts.get(name, ())) for name, field in sorted(shape.fields.items())
            }
            required = sorted(_required(message, shape))
            if required:
                schema["required"] = required
            schema["properties"] = properties
            if shape.atomic:
                schema["x-kubernetes-map-type"] = "atomic"
        return self._reference(named)

    def _field(self, message: str, field: Field, texts: tuple[str, ...]) -> Document:
        shape = field.shape
        special = _named(message).get(field.name, _TEXT).type
        if special == "microtime" or field.name == "fieldsV1":
            schema = self._special("microtime" if special == "microtime" else "fields")
        else:
            schema = self._value(shape, field.name)
        if shape.form == "list":
            schema |= _merging(shape, field.name)
        elif shape.atomic and shape.form == "map" and "$ref" not in schema:  # of a raw extension nothing is said
            schema["x-kubernetes-map-type"] = "atomic"
        if (message, field.name) == ("policy/v1.PodDisruptionBudgetSpec", "selector"):
            schema["x-kubernetes-patch-strategy"] = "replace"
        if (message, field.name) == ("v1.PersistentVolumeSpec", "claimRef"):
            schema["x-kubernetes-map-type"] = "granular"
        if shape.retain_keys:
            merged = "x-kubernetes-patch-strategy"
            schema[merged] = "merge,retainKeys" if shape.patch_key else "retainKeys"
        if texts:
            (schema["items"] if shape.form == "list" else schema)["enum"] = list(texts)
        return self._described(field.name, self._property(schema) if "$ref" in schema else schema)

    def _value(self, shape: Shape, name: str) -> Document:
        match shape.form:
            case "record":
                return self._record(shape)
            case "integer":
                return {"type": "integer", "format": f"int{shape.bits(name)}"}
            case "time":
                return self._special("time")
            case "quantity":
                return self._special("quantity")
            case "int_or_string":
                return self._special("intorstring")
            case "list":
                assert shape.item is not None
                return {"type": "array", "items": self._property(self._value(shape.item, name))}
            case "map":
                assert shape.item is not None
                if shape.item.form == "any":  # an object of nobody's type
                    return self._special("raw")
                return {"type": "object", "additionalProperties": self._property(self._value(shape.item, name))}
            case "any":
                return self._special("raw")
            case form:
                return dict(_FORMS[form])

    def _special(self, name: str) -> Document:
        named = definition(name)
        if named not in self.found:
            schema = _SPECIAL[name] if name in _SPECIAL else _EITHER[name][self._version - 2]
            self.found[named] = {"description": descriptions.kind(named.rpartition(".")[2]), **schema}
        return self._reference(named)

    def _reference(self, named: str) -> Document:
        return {"$ref": _PLACES[self._version] + named}

    def _property(self, schema: Document) -> Document:
        """A reference that other things may stand beside."""
        reference = schema.get("$ref")
        if reference is None or self._version == 2:
            return schema
        return {"allOf": [{"$ref": reference}]} | {key: value for key, value in schema.items() if key != "$ref"}

    def _type_meta(self) -> dict[str, Document]:
        return {name: self._described(name, {"type": "string"}) for name in ("apiVersion", "kind")}

    def _described(self, name: str, schema: Document) -> Document:
        text = descriptions.field(name)
        return {"description": text, **schema} if text else schema


@cache
def _stored() -> Mapping[str, Shape]:
    """The records that stored kinds are made of, by message."""
    found: dict[str, Shape] = {}
    queue = [shape_of(kind.type) for kind in (*KINDS, *views.KINDS)]
    while queue:
        shape = queue.pop()
        if shape.record is not None and message_of(shape.record) not in found:
            found[message_of(shape.record)] = shape
            queue += [field.shape for field in shape.fields.values()]
        elif shape.item is not None:
            queue.append(shape.item)
    return found


def _required(message: str, shape: Shape) -> Iterable[str]:
    names = {name for name, field in shape.fields.items() if field.required}
    if message in _WITHOUT_SPEC:
        names -= {"spec"}
    return names | ({"metadata"} if message == "v1.Event" else set())


def _named(message: str) -> Mapping[str, protofields.Field]:
    """The fields of the message by name, with those of the messages that lend theirs."""
    found: dict[str, protofields.Field] = {}
    for field in protofields.fields(message).values():
        found |= {field.name: field} if field.name else _named(field.type)
    return found


def _texts(message: str) -> Mapping[str, tuple[str, ...]]:
    """What fields of text may hold, with those of the messages that lend their fields."""
    found = dict(protofields.enums().get(message, {}))
    for field in protofields.fields(message).values():
        if not field.name:
            found |= _texts(field.type)
    return found


def _merging(shape: Shape, name: str) -> Document:
    kind = "map" if shape.keys else "set" if shape.is_set else "atomic"
    found: Document = {"x-kubernetes-list-type": kind}
    if shape.keys:
        found["x-kubernetes-list-map-keys"] = list(shape.keys)
    if shape.patch_key:
        found["x-kubernetes-patch-merge-key"] = shape.patch_key
    if shape.patch_key or (shape.is_set and name in _SETS_THAT_MERGE):
        found["x-kubernetes-patch-strategy"] = "merge"
    return found


def _group_version_kind(kind: Kind, name: str) -> Document:
    return {"group": kind.group, "kind": name, "version": kind.version}
