"""Unpacks the layers of an image that was loaded from an archive: CRI does so only for a container that it makes.

Each layer becomes a snapshot, named by what lies in it and below it, as containerd names its own; so what is there
already is used, and an unpacking that was interrupted goes on.
"""

import hashlib
import secrets
from collections.abc import Mapping

import msgspec
from msgspec import field

from nodeagent.runtime.connection import Connection
from nodeagent.runtime.interface import Missing, RuntimeFailure
from nodeagent.runtime.proto import content_pb2 as content
from nodeagent.runtime.proto import diff_pb2 as diff
from nodeagent.runtime.proto import images_pb2 as images
from nodeagent.runtime.proto import snapshots_pb2 as snapshots
from nodeagent.runtime.proto.content_grpc import ContentStub
from nodeagent.runtime.proto.diff_grpc import DiffStub
from nodeagent.runtime.proto.images_grpc import ImagesStub
from nodeagent.runtime.proto.snapshots_grpc import SnapshotsStub
from nodeagent.runtime.proto.types_pb2 import Descriptor

SECONDS = 60.0
LAYER_SECONDS = 1800.0
"""For one layer on a slow card."""
MOST = 8 * 1024 * 1024
"""Bytes of a manifest or of an image's configuration."""


class _Blob(msgspec.Struct):
    digest: str
    size: int
    media_type: str = field(name="mediaType", default="application/vnd.docker.image.rootfs.diff.tar.gzip")


class _Manifest(msgspec.Struct):
    config: _Blob
    layers: list[_Blob]


class _RootFs(msgspec.Struct):
    diff_ids: list[str]


class _Configuration(msgspec.Struct):
    rootfs: _RootFs


def chain(diff_ids: list[str]) -> list[str]:
    """The name of the snapshot of each layer (https://github.com/opencontainers/image-spec, "Layer ChainID")."""
    names: list[str] = []
    for diff_id in diff_ids:
        below = f"{names[-1]} {diff_id}".encode() if names else b""
        names.append(f"sha256:{hashlib.sha256(below).hexdigest()}" if below else diff_id)
    return names


async def unpack(connection: Connection, snapshotter: str, image_id: str, headers: Mapping[str, str]) -> None:
    """`headers` name a lease, which holds what is made until something refers to it. Raises `RuntimeFailure`."""
    request = images.GetImageRequest(name=image_id)
    record = await connection.call(ImagesStub(connection.channel).Get, request, SECONDS, headers)
    try:
        manifest = msgspec.json.decode(await _read(connection, record.image.target.digest, headers), type=_Manifest)
        text = await _read(connection, manifest.config.digest, headers)
        diff_ids = msgspec.json.decode(text, type=_Configuration).rootfs.diff_ids
    except msgspec.DecodeError as error:
        raise RuntimeFailure(f"its manifest cannot be read: {error}") from None
    if len(manifest.layers) != len(diff_ids):
        raise RuntimeFailure(
            f"its manifest has {len(manifest.layers)} layers, its configuration {len(diff_ids)}: expected as many"
        )
    parent = ""
    for layer, name in zip(manifest.layers, chain(diff_ids), strict=True):
        if not await _is_there(connection, snapshotter, name, headers):
            await _apply(connection, snapshotter, layer, (name, parent), headers)
        parent = name


async def _read(connection: Connection, digest: str, headers: Mapping[str, str]) -> bytes:
    stub = ContentStub(connection.channel)
    found = bytearray()
    async with connection.stream(stub.Read, SECONDS, headers) as stream:
        await stream.send_message(content.ReadContentRequest(digest=digest), end=True)
        async for piece in stream:
            found += piece.data
            if len(found) > MOST:
                raise RuntimeFailure(f"{digest} is larger than {MOST} bytes")
    return bytes(found)


async def _is_there(connection: Connection, snapshotter: str, name: str, headers: Mapping[str, str]) -> bool:
    request = snapshots.SnapshotRequest(snapshotter=snapshotter, key=name)
    try:
        await connection.call(SnapshotsStub(connection.channel).Stat, request, SECONDS, headers)
    except Missing:
        return False
    return True


async def _apply(
    connection: Connection, snapshotter: str, layer: _Blob, place: tuple[str, str], headers: Mapping[str, str]
) -> None:
    """`place`: the snapshot's name, and that of the one below it. What is cut short goes with its lease."""
    (name, parent), stub = place, SnapshotsStub(connection.channel)
    key = f"wherry-unpack-{secrets.token_hex(8)}"
    new = snapshots.NewSnapshotRequest(snapshotter=snapshotter, key=key, parent=parent)
    mounts = (await connection.call(stub.Prepare, new, SECONDS, headers)).mounts
    blob = Descriptor(media_type=layer.media_type, digest=layer.digest, size=layer.size)
    request = diff.ApplyRequest(diff=blob, mounts=mounts)
    await connection.call(DiffStub(connection.channel).Apply, request, LAYER_SECONDS, headers)
    done = snapshots.CommitSnapshotRequest(snapshotter=snapshotter, name=name, key=key)
    await connection.call(stub.Commit, done, SECONDS, headers)
