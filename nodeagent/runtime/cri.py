"""containerd as the runtime of pods, over CRI. Thin: what is asked is decided in `cri_convert`.

Only sandboxes and containers that bear this node's label exist here: others on the same containerd (another
agent's, a person's) are never listed, and so never touched.
"""

import asyncio
import math
import os
import socket
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from google.protobuf.message import Message
from grpclib.client import UnaryUnaryMethod
from msgspec import structs

from nodeagent.images.references import server_of
from nodeagent.runtime import cri_convert as convert
from nodeagent.runtime import podcgroups
from nodeagent.runtime.cgroups import remove_cgroup
from nodeagent.runtime.connection import Connection
from nodeagent.runtime.cri_books import QUICK, Books
from nodeagent.runtime.cri_events import Endings, pauses, subscribe
from nodeagent.runtime.downloads import downloads, kept_for_next_time
from nodeagent.runtime.interface import (
    Container,
    ContainerConfig,
    ContainerUsage,
    Credentials,
    Download,
    ExecResult,
    Features,
    Image,
    ImageDisk,
    Missing,
    PullFailed,
    Resources,
    RuntimeEvent,
    RuntimeFailure,
    Sandbox,
    SandboxConfig,
    Session,
    Streams,
    Unavailable,
)
from nodeagent.runtime.proto import cri_pb2 as cri
from nodeagent.runtime.proto.cri_grpc import ImageServiceStub, RuntimeServiceStub
from nodeagent.runtime.stopping import end_by
from nodeagent.runtime.streaming import Starts, open_session

SLOW = 120.0
"""Seconds for one that starts or ends processes or sets up a network, on a slow SD card."""
PULL = 3600.0
"""Seconds for a whole image over a bad link; containerd keeps the finished layers."""
OUTPUT = 16 * 1024
"""Bytes of an exec's output that are kept."""
_Request = TypeVar("_Request", bound=Message)

if TYPE_CHECKING:
    from nodeagent.runtime.imagemounts import ImageMounts


class CriRuntime:
    """`node` is the value of the label, `cgroup_root` the cgroup under which pods get theirs."""

    def __init__(self, address: Path, node: str, cgroup_root: str = "wherry") -> None:
        self._connection = Connection(address)
        self._node = node
        self._cgroup_root = cgroup_root
        self._systemd: bool | None = None
        self._starts = Starts()
        self._books = Books(self._connection, node, lambda: self._runtime)
        self._stubs: tuple[RuntimeServiceStub, ImageServiceStub] | None = None

    @property
    def _runtime(self) -> RuntimeServiceStub:
        return self._both()[0]

    @property
    def _images(self) -> ImageServiceStub:
        return self._both()[1]

    def _both(self) -> tuple[RuntimeServiceStub, ImageServiceStub]:
        if self._stubs is None:  # at the first call: a channel belongs to a running loop
            channel = self._connection.channel
            self._stubs = RuntimeServiceStub(channel), ImageServiceStub(channel)
        return self._stubs

    def close(self) -> None:
        self._stubs = None
        self._connection.close()

    async def version(self) -> str:
        reply = await self._connection.call(self._runtime.Version, cri.VersionRequest(), QUICK)
        return f"{reply.runtime_name}://{reply.runtime_version}"

    async def features(self) -> Features:
        return convert.features_from_cri(await self._connection.call(self._runtime.Status, cri.StatusRequest(), QUICK))

    async def list_sandboxes(self, sandbox_id: str = "") -> Sequence[Sandbox]:
        return await self._books.sandboxes(sandbox_id)

    async def list_containers(self, sandbox_id: str = "") -> Sequence[Container]:
        return await self._books.containers(sandbox_id)

    async def run_sandbox(self, config: SandboxConfig) -> Sandbox:
        sent = await self._sandbox_config(config)
        request = cri.RunPodSandboxRequest(config=sent, runtime_handler=config.runtime_handler)
        path = convert.cgroup_path(sent.linux.cgroup_parent)
        if not self._systemd:
            podcgroups.keep(path, config.cgroup)
        reply = await self._connection.call(self._runtime.RunPodSandbox, request, SLOW)
        if self._systemd:  # which makes a slice at its first use, and none before
            podcgroups.keep(path, config.cgroup)
        return await self._books.sandbox(reply.pod_sandbox_id)

    async def _sandbox_config(self, config: SandboxConfig) -> cri.PodSandboxConfig:
        if self._systemd is None:
            self._systemd = await self._has_systemd_cgroups()
        parent = convert.cgroup_parent(self._cgroup_root, config.uid, self._systemd, config.cgroup.parent)
        return convert.sandbox_to_cri(config, self._node, parent)

    async def _has_systemd_cgroups(self) -> bool:
        return convert.uses_systemd_cgroups(await self._cri_configuration())

    async def _cri_configuration(self) -> str:
        reply = await self._connection.call(self._runtime.Status, cri.StatusRequest(verbose=True), QUICK)
        return reply.info.get("config", "{}")

    async def stop_sandbox(self, sandbox_id: str) -> None:
        await self._unless_missing(self._runtime.StopPodSandbox, cri.SandboxRequest(pod_sandbox_id=sandbox_id), SLOW)

    async def remove_sandbox(self, sandbox_id: str) -> None:
        try:
            sandbox = await self._books.sandbox(sandbox_id)
        except Missing:
            return
        await self.stop_sandbox(sandbox_id)
        await self._unless_missing(self._runtime.RemovePodSandbox, cri.SandboxRequest(pod_sandbox_id=sandbox_id), SLOW)
        if not self._systemd:
            # runc removes the cgroups that it made, and the pod's is not one of them.
            for quality in podcgroups.CLASSES:
                remove_cgroup(convert.cgroup_parent(self._cgroup_root, sandbox.uid, False, quality))
            podcgroups.share_out(f"/{self._cgroup_root}")

    async def create_container(self, sandbox_id: str, config: ContainerConfig, sandbox: SandboxConfig) -> str:
        request = cri.CreateContainerRequest(
            pod_sandbox_id=sandbox_id,
            config=convert.container_to_cri(config, sandbox, self._node),
            sandbox_config=await self._sandbox_config(sandbox),
        )
        made = (await self._connection.call(self._runtime.CreateContainer, request, SLOW)).container_id
        self._books.made(made, sandbox_id)
        return made

    async def start_container(self, container_id: str) -> None:
        request = cri.ContainerRequest(container_id=container_id)
        await self._connection.call(self._runtime.StartContainer, request, SLOW)

    async def stop_container(self, container_id: str, grace_seconds: float, signal: str = "") -> None:
        if signal:
            await self._end_by(container_id, signal, grace_seconds)
            grace_seconds = 0
        request = cri.StopContainerRequest(container_id=container_id, timeout=math.ceil(grace_seconds))
        await self._unless_missing(self._runtime.StopContainer, request, grace_seconds + SLOW)

    async def resize(self, containers: Mapping[str, Resources], sandbox: SandboxConfig) -> None:
        """The pod's own limits are lifted meanwhile: neither may the sum of the containers' pass them on the way, nor
        can the kernel take them below what a container still has."""
        path = convert.cgroup_path((await self._sandbox_config(sandbox)).linux.cgroup_parent)
        podcgroups.keep(path, structs.replace(sandbox.cgroup, cpu_quota=0, memory_limit=0))
        try:
            for container_id, resources in containers.items():
                request = convert.resize_to_cri(container_id, resources)
                await self._connection.call(self._runtime.UpdateContainerResources, request, SLOW)
        finally:
            podcgroups.keep(path, sandbox.cgroup)

    async def _end_by(self, container_id: str, signal: str, grace_seconds: float) -> None:
        request = cri.ContainerStatusRequest(container_id=container_id, verbose=True)
        try:
            reply = await self._connection.call(self._runtime.ContainerStatus, request, QUICK)
        except Missing:
            return
        pid = convert.sandbox_pid(reply.info.get("info", "{}"))
        if pid and reply.status.state == cri.CONTAINER_RUNNING:
            await end_by(pid, signal, grace_seconds)

    async def remove_container(self, container_id: str) -> None:
        await self._unless_missing(self._runtime.RemoveContainer, cri.ContainerRequest(container_id=container_id), SLOW)

    async def exec_sync(self, container_id: str, command: Sequence[str], timeout_seconds: float) -> ExecResult:
        # CRI counts whole seconds; leaving earlier resets the call, at which containerd kills the command.
        request = cri.ExecSyncRequest(container_id=container_id, cmd=command, timeout=math.ceil(timeout_seconds) + 1)
        ended = await self._starts.slot()  # the same few as sessions; waiting for a turn is not the command's time
        try:
            async with asyncio.timeout(timeout_seconds):
                reply = await self._connection.call(self._runtime.ExecSync, request, timeout_seconds + SLOW)
        finally:
            ended()
        return ExecResult(reply.exit_code, (reply.stdout[:OUTPUT] + reply.stderr[:OUTPUT])[:OUTPUT])

    async def exec_session(self, container_id: str, command: Sequence[str], streams: Streams) -> Session:
        request = cri.ExecRequest(
            container_id=container_id,
            cmd=command,
            tty=streams.tty,
            stdin=streams.stdin,
            stdout=streams.stdout,
            stderr=streams.stderr and not streams.tty,
        )
        ended = await self._starts.slot()
        try:
            reply = await self._connection.call(self._runtime.Exec, request, QUICK)
            return await open_session(reply.url, streams, ended)
        except BaseException:
            ended()
            raise

    async def attach_session(self, container_id: str, streams: Streams) -> Session:
        request = cri.AttachRequest(
            container_id=container_id,
            tty=streams.tty,
            stdin=streams.stdin,
            stdout=streams.stdout,
            stderr=streams.stderr and not streams.tty,
        )
        reply = await self._connection.call(self._runtime.Attach, request, QUICK)
        return await open_session(reply.url, streams)

    async def connect(self, sandbox_id: str, port: int) -> socket.socket:
        from nodeagent.runtime.namespaces import connect_inside  # rarely needed, and brings ctypes

        request = cri.SandboxRequest(pod_sandbox_id=sandbox_id, verbose=True)
        reply = await self._connection.call(self._runtime.PodSandboxStatus, request, QUICK)
        pid = convert.sandbox_pid(reply.info.get("info", "{}"))
        if not pid:
            raise RuntimeFailure(f"sandbox {sandbox_id} is not running")
        return await connect_inside(Path(f"/proc/{pid}/ns/net"), port)

    async def reopen_log(self, container_id: str) -> None:
        request = cri.ContainerRequest(container_id=container_id)
        await self._connection.call(self._runtime.ReopenContainerLog, request, QUICK)

    async def image_id(self, reference: str) -> Image | None:
        request = cri.ImageStatusRequest(image=cri.ImageSpec(image=reference))
        reply = await self._connection.call(self._images.ImageStatus, request, QUICK)
        return convert.image_from_cri(reply.image) if reply.HasField("image") else None

    async def pull_image(self, reference: str, credentials: Credentials | None = None) -> str:
        request = cri.PullImageRequest(image=cri.ImageSpec(image=reference))
        if credentials is not None:
            # Named, or containerd would show them to every mirror that asks for a password.
            server = f"https://{server_of(reference)}"
            auth = cri.AuthConfig(username=credentials.username, password=credentials.password, server_address=server)
            request.auth.CopyFrom(auth)
        try:
            async with kept_for_next_time(self._connection, reference) as headers:
                return (await self._connection.call(self._images.PullImage, request, PULL, headers)).image_ref
        except Unavailable as error:
            await self.version()  # raises where it is containerd that does not answer, not the registry
            raise PullFailed(str(error)) from error
        except RuntimeFailure as error:
            raise PullFailed(str(error)) from error

    async def downloads(self) -> Sequence[Download]:
        return await downloads(self._connection)

    async def images_in_use(self) -> frozenset[str]:
        reply = await self._connection.call(self._runtime.ListContainers, cri.ListContainersRequest(), QUICK)
        pause = await self.image_id(convert.sandbox_image(await self._cri_configuration()) or "none")
        return frozenset(container.image_ref for container in reply.containers) | ({pause.id} if pause else set())

    async def image_disk(self) -> ImageDisk:
        reply = await self._connection.call(self._images.ImageFsInfo, cri.ImageFsInfoRequest(), QUICK)
        if not reply.image_filesystems:
            raise RuntimeFailure("containerd does not tell where images lie")
        told = reply.image_filesystems[0]
        disk = os.statvfs(told.fs_id.mountpoint)
        size = disk.f_frsize
        return ImageDisk(disk.f_blocks * size, disk.f_bavail * size, told.used_bytes.value)

    async def mount_image(self, image_id: str, key: str, target: Path) -> None:
        await (await self._image_mounts()).mount(image_id, key, target)

    async def release_image(self, key: str) -> None:
        await (await self._image_mounts()).release(key)

    async def _image_mounts(self) -> "ImageMounts":
        from nodeagent.runtime.imagemounts import ImageMounts  # rarely needed, and brings containerd's snapshots

        reply = await self._connection.call(self._runtime.Status, cri.StatusRequest(verbose=True), QUICK)
        return ImageMounts(self._connection, convert.snapshotter(reply.info.get("config", "{}")))

    async def list_images(self) -> Sequence[Image]:
        reply = await self._connection.call(self._images.ListImages, cri.ListImagesRequest(), QUICK)
        return [convert.image_from_cri(image) for image in reply.images]

    async def remove_image(self, image_id: str) -> None:
        request = cri.RemoveImageRequest(image=cri.ImageSpec(image=image_id))
        await self._unless_missing(self._images.RemoveImage, request, SLOW)

    async def load_archive(self, path: Path) -> Sequence[str]:
        from nodeagent.runtime.image_store import ImageStore  # rarely needed, and brings tarfile and gzip

        loaded = await ImageStore(self._connection).load(path)
        for reference, image_id in loaded.items():
            await self._await_image(reference, image_id)
        return list(loaded)

    async def _await_image(self, reference: str, image_id: str) -> None:
        """CRI learns of an image by containerd's events; a pod must not be told that it is missing in between."""
        async with asyncio.timeout(SLOW):
            for pause in pauses():
                image = await self.image_id(reference)
                if image is not None and image.id == image_id:
                    return
                await asyncio.sleep(pause)

    async def usage(self) -> Sequence[ContainerUsage]:
        ours = cri.ContainerStatsFilter(label_selector={convert.NODE_LABEL: self._node})
        request = cri.ListContainerStatsRequest(filter=ours)
        reply = await self._connection.call(self._runtime.ListContainerStats, request, SLOW)
        return convert.usages_from_cri(reply.stats)

    async def events(self) -> AsyncGenerator[RuntimeEvent, None]:
        endings = Endings(lambda ending: self._books.settle(ending, endings))
        reader = asyncio.create_task(subscribe(self._connection, endings), name="runtime-events")
        try:
            while (event := await endings.next(reader)) is not None:
                yield event
        finally:
            endings.close()
            reader.cancel()
            await asyncio.wait([reader])

    async def _unless_missing(
        self, method: UnaryUnaryMethod[_Request, cri.Nothing], request: _Request, seconds: float
    ) -> None:
        try:
            await self._connection.call(method, request, seconds)
        except Missing:
            return  # what was to go is gone
