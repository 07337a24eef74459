"""Puts archived images into containerd's content store, over the same socket that CRI is called on.

Everything written is held by a lease until the image's record refers to it, so that nothing is collected in
between; a load that is interrupted leaves a lease that runs out, and loading again goes on from there.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from google.protobuf.field_mask_pb2 import FieldMask
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from nodeagent.runtime.archive import Archive, ArchivedImage, Blob
from nodeagent.runtime.connection import NAMESPACE, Connection
from nodeagent.runtime.interface import RuntimeFailure
from nodeagent.runtime.proto import content_pb2 as content
from nodeagent.runtime.proto import images_pb2 as images
from nodeagent.runtime.proto import leases_pb2 as leases
from nodeagent.runtime.proto.content_grpc import ContentStub
from nodeagent.runtime.proto.images_grpc import ImagesStub
from nodeagent.runtime.proto.leases_grpc import LeasesStub
from nodeagent.runtime.proto.types_pb2 import Descriptor

HELD = timedelta(hours=6)
"""How long what an interrupted load has written stays."""
SECONDS = 60.0
BLOB_SECONDS = 3600.0


class ImageStore:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def load(self, path: Path) -> dict[str, str]:
        """Returns the references, and the id of the image of each. Raises `ValueError`."""
        archive = await asyncio.to_thread(Archive, path)
        with archive:
            found = await asyncio.to_thread(archive.images)
            async with self.lease() as headers:
                for image in found:
                    await self._write_image(archive, image, headers)
                    for reference in image.references:
                        await self._name(reference, image, headers)
        return {reference: image.config.digest for image in found for reference in image.references}

    @asynccontextmanager
    async def lease(self) -> AsyncIterator[Mapping[str, str]]:
        stub = LeasesStub(self._connection.channel)
        namespace = {"containerd-namespace": NAMESPACE}
        name = f"wherry-load-{secrets.token_hex(8)}"
        until = (datetime.now(UTC) + HELD).strftime("%Y-%m-%dT%H:%M:%SZ")
        request = leases.CreateRequest(id=name, labels={"containerd.io/gc.expire": until})
        await self._connection.call(stub.Create, request, SECONDS, namespace)
        try:
            yield {**namespace, "containerd-lease": name}
        finally:
            await self._connection.call(stub.Delete, leases.DeleteRequest(id=name), SECONDS, namespace)

    async def _write_image(self, archive: Archive, image: ArchivedImage, headers: Mapping[str, str]) -> None:
        for blob in sorted(image.blobs, key=archive.position):
            await self._write(archive, blob, {}, headers)
        manifest = Blob(image.manifest.digest, image.manifest.size, content=image.manifest_content)
        await self._write(archive, manifest, references(image), headers)

    async def _write(self, archive: Archive, blob: Blob, labels: Mapping[str, str], headers: Mapping[str, str]) -> None:
        stub = ContentStub(self._connection.channel)
        reference = f"{headers['containerd-lease']}-{blob.digest}"
        chunks = archive.chunks(blob)
        offset = 0
        try:
            async with self._connection.stream(stub.Write, BLOB_SECONDS, headers) as stream:
                while chunk := await asyncio.to_thread(next, chunks, b""):
                    request = content.WriteContentRequest(
                        action=content.WRITE,
                        ref=reference,
                        total=blob.size,
                        expected=blob.digest,
                        offset=offset,
                        data=chunk,
                    )
                    await stream.send_message(request)
                    await stream.recv_message()
                    offset += len(chunk)
                commit = content.WriteContentRequest(
                    action=content.COMMIT,
                    ref=reference,
                    total=blob.size,
                    expected=blob.digest,
                    offset=offset,
                    labels=labels,
                )
                await stream.send_message(commit, end=True)
                await stream.recv_message()
        except RuntimeFailure as error:
            _judge(error, blob)

    async def _name(self, reference: str, image: ArchivedImage, headers: Mapping[str, str]) -> None:
        stub = ImagesStub(self._connection.channel)
        target = Descriptor(
            media_type=image.manifest.media_type, digest=image.manifest.digest, size=image.manifest.size
        )
        record = images.Image(name=reference, target=target)
        try:
            await self._connection.call(stub.Create, images.WriteImageRequest(image=record), SECONDS, headers)
        except RuntimeFailure as error:
            if _status(error) is not Status.ALREADY_EXISTS:
                raise
            request = images.WriteImageRequest(image=record, update_mask=FieldMask(paths=["target"]))
            await self._connection.call(stub.Update, request, SECONDS, headers)


def references(image: ArchivedImage) -> dict[str, str]:
    """The labels by which containerd's garbage collection finds from a manifest what belongs to it."""
    digests = [blob.digest for blob in image.blobs]
    return {f"containerd.io/gc.ref.content.{index}": digest for index, digest in enumerate(digests)}


def _judge(error: RuntimeFailure, blob: Blob) -> None:
    status = _status(error)
    if status is Status.ALREADY_EXISTS:
        return  # and the lease holds it now
    if status in (Status.FAILED_PRECONDITION, Status.OUT_OF_RANGE):
        raise ValueError(f"{blob.member or blob.digest} in the archive does not match its digest: {error}") from error
    raise error


def _status(error: RuntimeFailure) -> Status | None:
    return error.__cause__.status if isinstance(error.__cause__, GRPCError) else None
