from base64 import b64decode
from collections.abc import Mapping
from functools import cache
from typing import Any

import msgspec
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.api import protobuf, protobufout
from reconciler.api.protofields import SCALARS, Field, fields, known
from reconciler.api.status import StatusError
from schemas.events import KIND as EVENTS
from schemas.kinds import KINDS, Kind
from schemas.shape import Shape, shape_of

ROOTS = ("apps/v1.Deployment", "v1.Service", "v1.Pod", "v1.Secret", "policy/v1.PodDisruptionBudget", "v1.Event")


def flat(message: str) -> dict[str, Field]:
    """The fields as JSON names them."""
    found: dict[str, Field] = {}
    for field in fields(message).values():
        found |= {field.name: field} if field.name else flat(field.type)
    return found


TYPES = {
    "text": {"string"},
    "integer": {"int", "int32"},
    "boolean": {"bool"},
    "bytes": {"bytes"},
    "quantity": {"quantity"},
    "int_or_string": {"intorstring"},
    "any": {"json"},
    "map": {"json"},
    "time": {"time", "microtime"},
}


def differences(shape: Shape, message: str, seen: set[str]) -> list[str]:
    if message in seen:
        return []
    seen.add(message)
    numbered = flat(message)
    names = set(shape.fields) - ({"apiVersion", "kind"} - set(numbered))
    found = [f"{message}.{name}: in one of both only" for name in names ^ set(numbered)]
    for name in names & set(numbered):
        field, inner = numbered[name], shape.fields[name].shape
        many = {"list": field.repeated or field.type == "strings", "map": field.map or field.type == "json"}
        if not many.get(inner.form, not (field.repeated or field.map)):
            found.append(f"{message}.{name}: {inner.form}")
        if inner.item is not None and field.type != "json":
            inner = inner.item
        if inner.form == "record":
            found += differences(inner, field.type, seen)
        elif field.type != "strings" and field.type not in TYPES[inner.form]:
            found.append(f"{message}.{name}: {inner.form} is {field.type}")
    return found


@pytest.mark.parametrize("kind", [*KINDS, EVENTS], ids=lambda kind: f"{kind.name} {kind.api_version}")
def test_the_numbered_fields_are_those_of_the_kinds(kind: Kind) -> None:
    assert differences(shape_of(kind.type), f"{kind.api_version}.{kind.name}", set()) == []


# An encoder, built by Google's package from the same table.

LABEL = descriptor_pb2.FieldDescriptorProto
PLAIN = {
    "string": LABEL.TYPE_STRING,
    "bytes": LABEL.TYPE_BYTES,
    "int": LABEL.TYPE_INT64,
    "int32": LABEL.TYPE_INT32,
    "bool": LABEL.TYPE_BOOL,
}
EXTRA: dict[str, Mapping[int, Field]] = {
    "time": {1: Field("seconds", "int"), 2: Field("nanos", "int")},
    "quantity": {1: Field("string", "string")},
    "intorstring": {1: Field("type", "int"), 2: Field("intVal", "int"), 3: Field("strVal", "string")},
    "json": {1: Field("raw", "bytes")},
    "strings": {1: Field("items", "string", repeated=True)},
}
EXTRA["microtime"] = EXTRA["time"]


def safe(name: str) -> str:
    return "M" + "".join(letter if letter.isalnum() else "_" for letter in name)


@cache
def pool() -> descriptor_pool.DescriptorPool:
    file = descriptor_pb2.FileDescriptorProto(name="all.proto", package="k", syntax="proto2")
    table = {name: fields(name) for name in known()} | EXTRA
    for name, members in table.items():
        message = file.message_type.add(name=safe(name))
        for number, field in members.items():
            described = message.field.add(name=f"f{number}", number=number, label=LABEL.LABEL_OPTIONAL)
            if field.repeated or field.map:
                described.label = LABEL.LABEL_REPEATED
            if field.map:
                entry = message.nested_type.add(name=f"F{number}Entry")
                entry.options.map_entry = True
                entry.field.add(name="key", number=1, label=LABEL.LABEL_OPTIONAL, type=LABEL.TYPE_STRING)
                typed(entry.field.add(name="value", number=2, label=LABEL.LABEL_OPTIONAL), field.type)
                described.type, described.type_name = LABEL.TYPE_MESSAGE, f".k.{safe(name)}.F{number}Entry"
            else:
                typed(described, field.type)
    found = descriptor_pool.DescriptorPool()
    found.Add(file)
    return found


def typed(described: Any, type_: str) -> None:  # noqa: ANN401
    if type_ in SCALARS:
        described.type = PLAIN[type_]
    else:
        described.type, described.type_name = LABEL.TYPE_MESSAGE, f".k.{safe(type_)}"


@cache
def class_of(message: str) -> type[Message]:
    return message_factory.GetMessageClass(pool().FindMessageTypeByName(f"k.{safe(message)}"))


def encoded(type_: str, value: Any) -> Any:  # noqa: ANN401
    """The value of a document as the package holds it."""
    match type_:
        case "string" | "int" | "int32" | "bool":
            return value
        case "bytes":
            return b64decode(value)
        case "quantity":
            return class_of(type_)(f1=value)
        case "intorstring":
            return class_of(type_)(f1=1, f3=value) if isinstance(value, str) else class_of(type_)(f1=0, f2=value)
        case "json":
            return class_of(type_)(f1=msgspec.json.encode(value))
        case "strings":
            return class_of(type_)(f1=value)
        case "time" | "microtime":
            micro = int(value[20:26]) if type_ == "microtime" else 0
            return class_of(type_)(f1=1_699_999_980 + int(value[17:19]), f2=micro * 1000)
    return message_of(type_, value)


def message_of(type_: str, document: Mapping[str, Any]) -> Message:
    message = class_of(type_)()
    for number, field in fields(type_).items():
        own = getattr(message, f"f{number}")
        if not field.name:
            own.CopyFrom(message_of(field.type, document))
        elif (value := document.get(field.name)) is None:
            continue
        elif field.map and field.type in SCALARS:
            own.update({key: encoded(field.type, one) for key, one in value.items()})
        elif field.map:
            for key, one in value.items():
                own[key].CopyFrom(encoded(field.type, one))
        elif field.repeated:
            own.extend(encoded(field.type, one) for one in value)
        elif field.type in SCALARS:
            setattr(message, f"f{number}", encoded(field.type, value))
        else:
            own.SetInParent()
            own.CopyFrom(encoded(field.type, value))
    return message


VALUES: Mapping[str, st.SearchStrategy[Any]] = {
    "string": st.text(max_size=5),
    "bytes": st.sampled_from(["", "AA==", "aGk="]),
    "int": st.integers(-(2**63), 2**63 - 1),
    "int32": st.integers(-(2**31), 2**31 - 1),
    "bool": st.booleans(),
    "quantity": st.sampled_from(["1", "500m", "1Gi"]),
    "intorstring": st.one_of(st.integers(-5, 2**31 - 1), st.text(max_size=4)),
    "json": st.dictionaries(st.text(max_size=3), st.integers(), min_size=1, max_size=2),
    "strings": st.lists(st.text(max_size=3), max_size=2),
    "time": st.integers(20, 59).map(lambda second: f"2023-11-14T22:13:{second}Z"),
    "microtime": st.integers(20, 59).map(lambda second: f"2023-11-14T22:13:{second}.000250Z"),
}


@st.composite
def documents(draw: st.DrawFn, message: str, depth: int = 0) -> dict[str, Any]:
    """A few of a message's fields, as JSON writes them."""
    available = {name: field for name, field in flat(message).items() if depth < 5 or field.type in VALUES}
    found = {}
    for name in draw(st.lists(st.sampled_from(sorted(available)), max_size=5, unique=True)) if available else ():
        field = available[name]
        value: st.SearchStrategy[Any] = VALUES[field.type] if field.type in VALUES else documents(field.type, depth + 1)
        if field.repeated:
            elements: st.SearchStrategy[Any] = st.lists(value, min_size=1, max_size=2)
            found[name] = draw(elements)
        elif field.map:
            entries: st.SearchStrategy[Any] = st.dictionaries(st.text(max_size=3), value, min_size=1, max_size=2)
            found[name] = draw(entries)
        else:
            drawn = draw(value)
            if not (field.drops_zero and drawn in ("", 0)):
                found[name] = drawn
    return found


def enveloped(version: str, kind: str, raw: bytes) -> bytes:
    named = message_of("runtime.Unknown", {"typeMeta": {"apiVersion": version, "kind": kind}})
    named.f2 = raw  # type: ignore[attr-defined]
    return protobuf.MAGIC + named.SerializeToString()


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(ROOTS).flatmap(lambda root: st.tuples(st.just(root), documents(root))))
def test_what_was_encoded_is_read_again(case: tuple[str, dict[str, Any]]) -> None:
    root, document = case
    version, _, kind = root.rpartition(".")
    body = enveloped(version, kind, message_of(root, document).SerializeToString())
    # Where a Go struct lends its fields, an empty one in it is written out as such.
    assert protobuf.document(body) == {"apiVersion": version, "kind": kind} | document


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(ROOTS).flatmap(lambda root: st.tuples(st.just(root), documents(root))))
def test_what_is_answered_reads_the_same(case: tuple[str, dict[str, Any]]) -> None:
    root, document = case
    version, _, kind = root.rpartition(".")
    whole = {"apiVersion": version, "kind": kind} | document
    body = protobufout.packed(whole)
    assert body is not None
    assert protobuf.document(body) == whole
    class_of(root).FromString(protobuf._message("runtime.Unknown", body[4:], raw=True)["raw"])


def test_a_list_is_answered_as_the_messages_of_its_items() -> None:
    items = [{"metadata": {"name": "a"}, "data": {"k": "v"}}, {"metadata": {"name": "b"}}]
    body = protobufout.packed(
        {"apiVersion": "v1", "kind": "ConfigMapList", "metadata": {"resourceVersion": "7"}, "items": items}
    )
    assert body is not None
    raw = protobuf._message("runtime.Unknown", body[4:], raw=True)["raw"]
    (_, metadata), *found = protobuf._parts(raw)
    assert protobuf._message("meta.ListMeta", protobuf._bytes(metadata)) == {"resourceVersion": "7"}
    assert [protobuf._message("v1.ConfigMap", protobuf._bytes(item)) for _, item in found] == items


def test_what_has_no_message_is_left_as_it_is() -> None:
    assert protobufout.packed({"apiVersion": "meta.k8s.io/v1", "kind": "Table"}) is None


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60), st.sampled_from(ROOTS))
def test_any_bytes_are_read_or_refused(noise: bytes, root: str) -> None:
    version, _, kind = root.rpartition(".")
    for body in (noise, protobuf.MAGIC + noise, enveloped(version, kind, noise)):
        assert read_or_refused(body) in (200, 400)


def read_or_refused(body: bytes) -> int:
    try:
        protobuf.document(body)
    except StatusError as error:
        return error.code
    return 200


def test_options_are_known_in_every_group() -> None:
    raw = message_of("meta.DeleteOptions", {"gracePeriodSeconds": -1, "dryRun": ["All"]}).SerializeToString()
    found = protobuf.document(enveloped("apps/v1", "DeleteOptions", raw))
    assert found == {"apiVersion": "apps/v1", "kind": "DeleteOptions", "gracePeriodSeconds": -1, "dryRun": ["All"]}


def test_a_kind_that_is_not_known_is_named() -> None:
    with pytest.raises(StatusError, match='no kind "Odd" is known in version "v9"'):
        protobuf.document(enveloped("v9", "Odd", b""))
