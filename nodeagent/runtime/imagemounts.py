"""Mounts an image as a volume (KEP-4639): a read-only view of its unpacked layers.

Done by the agent over containerd's snapshots, since CRI can only from containerd 2.1 on. A view is held until it is
released by its key; making it again finds the one that is there.
"""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec import field

from nodeagent.runtime.connection import NAMESPACE, Connection
from nodeagent.runtime.interface import Missing, RuntimeFailure
from nodeagent.runtime.proto import cri_pb2 as cri
from nodeagent.runtime.proto import snapshots_pb2 as snapshots
from nodeagent.runtime.proto.cri_grpc import ImageServiceStub
from nodeagent.runtime.proto.snapshots_grpc import SnapshotsStub
from nodeagent.volumes import mounts

SECONDS = 60.0
_HEADERS = {"containerd-namespace": NAMESPACE}
_COLLECTED = "containerd.io/gc.root"
"""The label that keeps containerd from collecting what nothing else refers to."""
LONGEST_OPTIONS = 4000
"""Bytes, a little less than the page that the kernel takes."""


class _ImageInfo(msgspec.Struct):
    chain_id: str = field(name="chainID", default="")


class ImageMounts:
    """`snapshotter`: the one that CRI unpacks images with."""

    def __init__(self, connection: Connection, snapshotter: str) -> None:
        self._connection, self._snapshotter = connection, snapshotter

    async def mount(self, image_id: str, key: str, target: Path) -> None:
        """Raises `RuntimeFailure`, or `OSError` where the kernel refuses."""
        if target in mounts.mounted_below(target.parent):
            return
        found = await self._view(image_id, key)
        target.mkdir(parents=True, exist_ok=True)
        _mount(found, target)

    async def release(self, key: str) -> None:
        """After it was unmounted. Harmless where there is none."""
        request = snapshots.SnapshotRequest(snapshotter=self._snapshotter, key=key)
        try:
            await self._connection.call(SnapshotsStub(self._connection.channel).Remove, request, SECONDS, _HEADERS)
        except Missing:
            return

    async def _chain(self, image_id: str) -> str:
        request = cri.ImageStatusRequest(image=cri.ImageSpec(image=image_id), verbose=True)
        reply = await self._connection.call(ImageServiceStub(self._connection.channel).ImageStatus, request, SECONDS)
        return msgspec.json.decode(reply.info.get("info", "{}"), type=_ImageInfo).chain_id

    async def _view(self, image_id: str, key: str) -> snapshots.Mount:
        stub = SnapshotsStub(self._connection.channel)
        old = snapshots.SnapshotRequest(snapshotter=self._snapshotter, key=key)
        try:
            reply = await self._connection.call(stub.Mounts, old, SECONDS, _HEADERS)
        except Missing:
            now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            new = snapshots.NewSnapshotRequest(
                snapshotter=self._snapshotter, key=key, parent=await self._chain(image_id), labels={_COLLECTED: now}
            )
            try:
                reply = await self._connection.call(stub.View, new, SECONDS, _HEADERS)
            except Missing:
                reply = await self._unpacked_view(image_id, new)
        if len(reply.mounts) != 1:
            raise RuntimeFailure(f"the snapshotter {self._snapshotter} gives {len(reply.mounts)} mounts, expected one")
        return reply.mounts[0]

    async def _unpacked_view(self, image_id: str, new: snapshots.NewSnapshotRequest) -> snapshots.MountsResponse:
        from nodeagent.runtime.image_store import ImageStore  # only for what was loaded from an archive
        from nodeagent.runtime.unpacking import unpack

        async with ImageStore(self._connection).lease() as headers:
            await unpack(self._connection, self._snapshotter, image_id, headers)
            return await self._connection.call(SnapshotsStub(self._connection.channel).View, new, SECONDS, headers)


def _mount(found: snapshots.Mount, target: Path) -> None:
    if found.type == "bind":
        mounts.mount_read_only(Path(found.source), target)
        return
    options = ",".join(option for option in found.options if option not in ("ro", "rw"))
    if len(options) > LONGEST_OPTIONS:
        raise RuntimeFailure("the image has too many layers to be mounted")
    mounts.mount(found.source or found.type, target, found.type, flags=mounts.MS_RDONLY, options=options)
