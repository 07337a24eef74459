"""OpenAPI, versions 2 and 3, generated from the types when a client first asks.

What was asked for is kept packed: documents are asked for by the same few clients again and again, and are some
hundred KiB each. Nothing of it is there before. Pure.
"""

from collections.abc import Mapping
from functools import cache
from gzip import compress
from hashlib import sha512

import msgspec

from reconciler.api.discovery import VERSIONS, Document

PROTOBUF = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
OLDER_PROTOBUF = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
"""Media types by which kubectl asks for the types of version 2."""


class Packed(msgspec.Struct, frozen=True):
    """A document, packed with gzip; `hash` tells one version of it from another."""

    body: bytes
    hash: str


def paths() -> Mapping[str, tuple[str, str]]:
    """Documents of version 3 by path: `apis/apps/v1` is of group `apps`, version `v1`."""
    found = {}
    for group, versions in VERSIONS.items():
        for version in versions:
            found[f"apis/{group}/{version}" if group else f"api/{version}"] = (group, version)
    return found


def index() -> Document:
    """`/openapi/v3`: one document for each group and version. Its addresses change with what is there."""
    return {"paths": {path: {"serverRelativeURL": _address(path)} for path in paths()}}


def _address(path: str) -> str:
    found = document(path)
    assert found is not None
    return f"/openapi/v3/{path}?hash={found.hash}"


@cache
def document(path: str) -> Packed | None:
    """`/openapi/v3/api/v1`, `/openapi/v3/apis/GROUP/VERSION`."""
    from reconciler.api.openapi.groups import of_group

    asked = paths().get(path)
    return _pack(of_group(*asked)) if asked is not None else None


@cache
def swagger() -> Packed:
    """`/openapi/v2`: everything in one."""
    from reconciler.api.openapi.version2 import whole

    return _pack(whole())


@cache
def swagger_types() -> Packed:
    """The types of `/openapi/v2` in protobuf."""
    from reconciler.api.openapi.gnostic import encode
    from reconciler.api.openapi.version2 import whole

    return _packed(encode(whole()))


def _pack(content: Document) -> Packed:
    return _packed(msgspec.json.encode(content))


def _packed(body: bytes) -> Packed:
    return Packed(compress(body, 6, mtime=0), sha512(body).hexdigest()[:64].upper())
