"""Makes what `plan` says on this node, and takes it away again. Every call may be repeated after any interruption.

What comes from ConfigMaps, Secrets and the downward API lies in the run directory, on memory: it never touches flash,
and after a reboot it is written again. Only emptyDirs on disk lie in the data directory.
"""

import errno
import os
import shutil
import stat
from pathlib import Path

from nodeagent.pods.node import Directories
from nodeagent.volumes import mounts, ownership
from nodeagent.volumes.plan import Block, Content, EmptyDir, HostPath, ImageVolume, Local, Planned, Share, VolumeFault
from nodeagent.volumes.shares import mount_share
from nodeagent.volumes.subpath import open_within
from nodeagent.volumes.writer import write

EMPTY_DIR_MODE = 0o777
LOGS_BYTES = 64 * 1024 * 1024
"""Of all pods whose logs are kept in memory."""
OURS = "pvc-"
"""What the names of directories begin with that are made here for volumes; nothing else is ever removed."""
_KINDS = {"Directory": stat.S_ISDIR, "File": stat.S_ISREG, "Socket": stat.S_ISSOCK}
_KINDS |= {"CharDevice": stat.S_ISCHR, "BlockDevice": stat.S_ISBLK}
_WORDS = {"CharDevice": "character device", "BlockDevice": "block device"}


class Volumes:
    """The volumes of this node's pods. In a simulation (`may_mount=False`) all are plain directories."""

    def __init__(self, directories: Directories, may_mount: bool = True) -> None:
        self._directories = directories
        self._may_mount = may_mount

    def start(self) -> None:
        """The run directory is on memory from here on. Raises `OSError` where it cannot be."""
        run = self._directories.run
        run.mkdir(parents=True, exist_ok=True)
        if self._may_mount and not mounts.is_in_memory(run):
            mounts.mount("tmpfs", run, "tmpfs", options="mode=0711")

    def keep_logs_in_memory(self) -> None:
        """So that no pod that says much takes the machine's memory: they have so much together. Raises `OSError`."""
        logs = self._directories.memory_logs
        logs.mkdir(parents=True, exist_ok=True)
        if self._may_mount and not os.path.ismount(logs):
            mounts.mount("tmpfs", logs, "tmpfs", options=f"mode=0711,size={LOGS_BYTES}")

    def attach(self, uid: str, planned: Planned, group: int | None = None, *, if_needed: bool = False) -> None:
        """What may take long, for a thread: mounts a share, sets the group of all that lies in a local volume.

        `if_needed`: a volume whose top has the group is left as it is. Raises `VolumeFault`.
        """
        try:
            if isinstance(planned, Share) and self._may_mount:
                mount_share(planned, self.path(uid, planned))
            elif isinstance(planned, Share):
                self.path(uid, planned).mkdir(parents=True, exist_ok=True)
            elif isinstance(planned, Local):
                self._local(uid, planned)
                if group is not None and not planned.read_only:
                    ownership.hand_to(self.path(uid, planned), group, if_needed=if_needed)
        except OSError as error:
            raise VolumeFault(planned.name, f"{error.filename}: {error.strerror}") from None

    def discard(self, directory: str) -> None:
        """Removes a directory that was made for a volume; again, where that was interrupted. Raises `OSError`."""
        path = self._local_path(directory)
        if not path.name.startswith(OURS):
            raise OSError(errno.EPERM, "is no directory that was made here", str(path))
        if path.is_symlink():
            path.unlink()
            return
        for point in mounts.mounted_below(path):
            raise OSError(errno.EBUSY, "still mounted", str(point))  # removing files below it would remove others
        if path.exists():
            shutil.rmtree(path)

    def prepare(self, uid: str, planned: Planned, group: int | None = None) -> bool:
        """Returns whether anything changed. Raises `VolumeFault`."""
        try:
            match planned:
                case Content():
                    return write(self._run_path(uid, planned.name), planned.files, group)
                case EmptyDir():
                    return self._empty_dir(uid, planned, group)
                case HostPath():
                    return _check_host_path(planned)
                case Local() | Block() | Share() | ImageVolume():
                    return False  # attached before
        except OSError as error:
            raise VolumeFault(planned.name, f"{error.filename}: {error.strerror}") from None

    def path(self, uid: str, planned: Planned) -> Path:
        """Where the volume lies on the node."""
        if isinstance(planned, HostPath):
            return Path(planned.path)
        if isinstance(planned, Block):
            return Path(planned.path)
        if isinstance(planned, Local):
            return self._local_path(planned.path)
        if isinstance(planned, Content | Share | ImageVolume) or planned.in_memory:
            return self._run_path(uid, planned.name)
        return self._directories.pod_data(uid) / "volumes" / planned.name

    def sub_path(self, uid: str, planned: Planned, sub_path: str, container: str, index: int) -> Path:
        """Where one `subPath` of the volume lies, for the mount of this index of this container."""
        root = self.path(uid, planned)
        descriptor = open_within(planned.name, root, sub_path)
        try:
            if isinstance(planned, Content) or not self._may_mount:  # containers cannot write here: names are safe
                return Path(os.readlink(f"/proc/self/fd/{descriptor}"))
            return self._bind(uid, planned.name, container, index, descriptor)
        except OSError as error:
            raise VolumeFault(planned.name, f"subPath {sub_path!r}: {error.strerror}") from None
        finally:
            os.close(descriptor)

    def read_only(self, uid: str, planned: Planned, path: Path, container: str, index: int, *, required: bool) -> Path:
        """Where what lies at `path` is read-only with all that is mounted below it, for one mount of a container."""
        if not self._may_mount:
            return path
        target = self._binding(uid, planned.name, container, f"{index}-read-only", is_directory=path.is_dir())
        try:
            mounts.mount_read_only(path, target)
        except OSError as error:
            if required:
                raise VolumeFault(planned.name, f"recursiveReadOnly: {error.strerror}") from None
            return path
        return target

    def remove(self, uid: str) -> None:
        """Everything of this pod, unmounted first. Raises `OSError` where something holds on."""
        self.unmount(uid)
        for directory in (self._directories.pod_run(uid), self._directories.pod_data(uid)):
            if directory.exists():
                shutil.rmtree(directory)

    def remove_volumes(self, uid: str) -> None:
        """The volumes alone, of a pod that has run out."""
        self.unmount(uid)
        for directory in (self._directories.pod_run(uid), self._directories.pod_data(uid)):
            for inner in (directory / "volumes", directory / "subpaths"):
                if inner.exists():
                    shutil.rmtree(inner)

    def mark_image(self, uid: str, volume: str) -> None:
        """Before an image is mounted: what holds its files has to be let go of, whatever happens until then."""
        marks = self._directories.pod_data(uid) / "images"
        marks.mkdir(parents=True, exist_ok=True)
        (marks / volume).touch()

    def marked_images(self, uid: str) -> list[str]:
        """The volumes of the pod that are, or were to be, images."""
        marks = self._directories.pod_data(uid) / "images"
        return sorted(os.listdir(marks)) if marks.is_dir() else []

    def known(self) -> set[str]:
        """The uids of which anything is on this node."""
        roots = (self._directories.pods, self._directories.pods_run)
        return {entry.name for root in roots if root.is_dir() for entry in os.scandir(root)}

    def unmount(self, uid: str) -> None:
        run = self._directories.pod_run(uid)
        if not run.exists():
            return
        for point in mounts.mounted_below(run):
            mounts.unmount(point)
        for point in mounts.mounted_below(run):
            raise OSError(errno.EBUSY, "still mounted", str(point))  # removing files below it would remove the host's

    def _local_path(self, directory: str) -> Path:
        return Path(directory) if self._may_mount else self._directories.data / "volumes" / Path(directory).name

    def _local(self, uid: str, planned: Local) -> None:
        path = self.path(uid, planned)
        if planned.is_ours and not path.exists():
            path.mkdir(parents=True, exist_ok=True)
            path.chmod(EMPTY_DIR_MODE)
        if not path.exists():
            raise VolumeFault(planned.name, f'path "{planned.path}" does not exist')
        if not path.is_dir():
            raise VolumeFault(planned.name, f'path "{planned.path}" is not a directory; mount the device there first')

    def _run_path(self, uid: str, name: str) -> Path:
        return self._directories.pod_run(uid) / "volumes" / name

    def _empty_dir(self, uid: str, planned: EmptyDir, group: int | None) -> bool:
        path = self.path(uid, planned)
        is_new = not path.exists()
        if is_new:
            path.mkdir(parents=True)
        if planned.in_memory and self._may_mount and not os.path.ismount(path):
            size = f",size={planned.size}" if planned.size else ""
            kind = "hugetlbfs" if planned.page_size else "tmpfs"
            pages = f",pagesize={planned.page_size // 1024}K" if planned.page_size else ""
            mounts.mount(kind, path, kind, options=f"mode=0777{size}{pages}")
            is_new = True
        mode = EMPTY_DIR_MODE if group is None else EMPTY_DIR_MODE | stat.S_ISGID
        status = path.stat()
        if group is not None and status.st_gid != group:
            os.chown(path, -1, group)
        if status.st_mode & 0o7777 != mode:
            path.chmod(mode)
        return is_new

    def _bind(self, uid: str, volume: str, container: str, index: int, descriptor: int) -> Path:
        is_directory = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        target = self._binding(uid, volume, container, str(index), is_directory=is_directory)
        mounts.mount(f"/proc/self/fd/{descriptor}", target, flags=mounts.MS_BIND)
        return target

    def _binding(self, uid: str, volume: str, container: str, name: str, *, is_directory: bool) -> Path:
        """Where something is mounted for one mount of a container: there, and nothing mounted on it."""
        target = self._directories.pod_run(uid) / "subpaths" / volume / container / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(target):
            for point in mounts.mounted_below(target):
                mounts.unmount(point)
            target.rmdir() if target.is_dir() else target.unlink()
        if is_directory:
            target.mkdir()
        else:
            target.touch()
        return target


def _check_host_path(planned: HostPath) -> bool:
    """As the kubelet checks `type`; the `OrCreate` kinds are made, with their parents only for directories."""
    path = Path(planned.path)
    kind = planned.type
    made = False
    if kind in ("DirectoryOrCreate", "FileOrCreate") and not path.exists():
        if kind == "DirectoryOrCreate":
            path.mkdir(mode=0o755, parents=True)
        else:
            path.touch(mode=0o644)
        made = True
    kind = kind.removesuffix("OrCreate")
    if not kind:
        return made
    if kind not in _KINDS:
        raise VolumeFault(planned.name, f"hostPath type check failed: {kind} is not a type of hostPath")
    if not path.exists() or not _KINDS[kind](path.stat().st_mode):
        word = _WORDS.get(kind, kind.lower())
        raise VolumeFault(planned.name, f"hostPath type check failed: {planned.path} is not a {word}")
    return made
