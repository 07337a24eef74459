"""Objects as the bytes that the store holds: JSON as in the API, less the resourceVersion.

The version of an object is the revision of its entry; storing it too would let the two disagree.
"""

from functools import cache

import msgspec
from msgspec.structs import replace

from schemas.kinds import BY_NAME
from schemas.meta import Object

_encoder = msgspec.json.Encoder()


@cache
def _decoder(kind: str) -> msgspec.json.Decoder[Object]:
    return msgspec.json.Decoder(BY_NAME[kind].type)


def at_version(object_: Object, version: str) -> Object:
    """The object with this resourceVersion."""
    if object_.metadata.resource_version == version:
        return object_
    return replace(object_, metadata=replace(object_.metadata, resource_version=version))


def encode(object_: Object) -> bytes:
    """What the store holds of the object."""
    return _encoder.encode(at_version(object_, ""))


def decode(kind: str, value: bytes, revision: int) -> Object:
    """The object of an entry written at `revision`. Raises `msgspec.ValidationError` or `msgspec.DecodeError`."""
    return at_version(_decoder(kind).decode(value), str(revision))
