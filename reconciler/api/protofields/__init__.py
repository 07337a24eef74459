"""Field numbers of Kubernetes' protobuf messages: what stands under which number, and how it is written in JSON.

`messages.json` holds them, one line for each message, taken by `python -m reconciler.api.protofields` from the
`generated.proto` files of the public API. A message is named as an object names its type, `apps/v1.Deployment`.
A field reads `NUMBER:NAME:TYPE`, with `[]` behind a type that repeats, `{}` behind the values of a map with
text for keys, and `-` behind a scalar that JSON leaves out at its zero value. A field without a name lends its own
fields to the message that it stands in. `enums.json` holds the texts that a field may hold, where Go's types say so.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import msgspec

SCALARS = ("string", "bytes", "int", "int32", "bool")
SPECIAL = ("time", "microtime", "quantity", "intorstring", "json", "strings")
"""Messages that are no objects in JSON: times, amounts, `IntOrString`, raw JSON, and lists that may be absent."""


class Field(msgspec.Struct, frozen=True):
    """`type` is one of `SCALARS` or `SPECIAL`, or names a message."""

    name: str
    type: str
    repeated: bool = False
    map: bool = False
    drops_zero: bool = False


@cache
def fields(message: str) -> Mapping[int, Field]:
    """The fields of the message by number. Raises `KeyError` for one that is not known."""
    found: dict[int, Field] = {}
    for text in _messages()[message].split():
        number, name, type_ = text.split(":")
        repeated, map_, drops_zero = type_.endswith("[]"), type_.endswith("{}"), type_.endswith("-")
        type_ = type_.rstrip("[]{}-")
        if type_ not in SCALARS + SPECIAL and "." not in type_:
            type_ = message.rpartition(".")[0] + "." + type_
        found[int(number)] = Field(name, type_, repeated, map_, drops_zero)
    return found


@cache
def enums() -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """The texts that a field of a message may hold: message → field → texts."""
    content = Path(__file__).with_name("enums.json").read_bytes()
    return msgspec.json.decode(content, type=dict[str, dict[str, tuple[str, ...]]])


def known() -> frozenset[str]:
    """The names of all messages."""
    return frozenset(_messages())


@cache
def _messages() -> Mapping[str, str]:
    return msgspec.json.decode(Path(__file__).with_name("messages.json").read_bytes(), type=dict[str, str])
