"""A containerd of our own: started, adopted, kept alive and, when asked, removed with all that it made.

It outlives the agent, as its containers outlive it: restarting any of the three restarts neither of the others.
It is known by its configuration file, which no other containerd has.
"""

import asyncio
import hashlib
import logging
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from nodeagent.files import write_if_changed
from nodeagent.runtime import processes
from nodeagent.runtime.connection import Connection
from nodeagent.runtime.containerd_config import PAUSE_IMAGE, Layout, config_toml
from nodeagent.runtime.interface import RuntimeFailure, Unavailable
from nodeagent.runtime.proto import cri_pb2 as cri
from nodeagent.runtime.proto.cri_grpc import RuntimeServiceStub

log = logging.getLogger(__name__)

PACKAGES = "containerd runc containernetworking-plugins nftables"
LOG_LIMIT = 4 * 1024 * 1024
LOG_CHECK = 3600.0
READY_SECONDS = 60.0
BACK_OFF = (0.1, 30.0)
"""Seconds before it is started again: at first, and at most."""
STABLE = 60.0
"""Seconds after which an end counts as the first."""

_PLACES = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
_CNI_PLACES = (Path("/usr/lib/cni"), Path("/opt/cni/bin"))
_CNI_PLUGINS = ("bridge", "host-local", "loopback", "portmap")
_CAP_SYS_RESOURCE = 24


class OwnContainerd:
    """`directory` is the agent's; everything lies in `directory/containerd`.

    `enter` is put before containerd's command line, such as `("nsenter", "--net=/var/run/netns/edge-1")`.
    """

    def __init__(self, directory: Path, *, pause_image: str = PAUSE_IMAGE, enter: Sequence[str] = ()) -> None:
        self.layout = Layout(directory.resolve() / "containerd")
        self.enter = tuple(enter)
        self._pause_image = pause_image
        self._starting = asyncio.Lock()
        longest = f"{self.address}.ttrpc"
        if len(longest.encode()) > 107:
            raise ValueError(f"{directory} is too long a path for a socket in it ({longest}); use a shorter one")

    @property
    def address(self) -> Path:
        return self.layout.socket

    @property
    def identity(self) -> str:
        """Eight letters that tell this containerd from any other on the machine."""
        return hashlib.sha256(str(self.layout.root).encode()).hexdigest()[:8]

    @property
    def cgroup_root(self) -> str:
        """For `CriRuntime`: a cgroup that holds this containerd's pods and no others."""
        return f"wherry-{self.identity}"

    @property
    def bridge(self) -> str:
        """A name for the bridge of its pods."""
        return f"wherry-{self.identity}"

    def pid(self) -> int | None:
        config = str(self.layout.config)

        def is_ours(arguments: Sequence[str]) -> bool:
            return Path(arguments[0]).name == "containerd" and list(arguments[1:3]) == ["--config", config]

        return next(iter(processes.find(is_ours)), None)

    async def start(self) -> None:
        """Has it running and its CRI plugin answering: adopts the one that runs, else starts it.

        Raises `Unavailable` with what to install or where to look.
        """
        async with self._starting:
            pid = self.pid()
            if pid is None:
                pid = self._spawn()
            else:
                log.info("adopted containerd pid=%d directory=%s", pid, self.layout.root)
            await self._ready(pid)

    def _spawn(self) -> int:
        program, cni = find_programs()
        for directory in (self.layout.content, self.layout.state, self.layout.cni_conf, self.layout.registries):
            directory.mkdir(parents=True, exist_ok=True, mode=0o711)
        text = config_toml(
            self.layout, cni_bin=cni, pause_image=self._pause_image, restrict_oom_score=not has_sys_resource()
        )
        write_if_changed(self.layout.config, text)
        self._bound_log()
        command = [*self.enter, str(program), "--config", str(self.layout.config)]
        first = shutil.which(command[0], path=search_path())
        if first is None:
            raise Unavailable(f"{command[0]} is not installed")
        environment = {**os.environ, "PATH": search_path()}
        pid = processes.spawn(Path(first), command[1:], self.layout.log, environment)
        log.info("started containerd pid=%d directory=%s", pid, self.layout.root)
        return pid

    async def _ready(self, pid: int) -> None:
        """Waits for the CRI plugin; it answers some hundred milliseconds after the start."""
        ended = asyncio.create_task(processes.ended(pid))
        connection = Connection(self.address)
        answer = ""
        try:
            async with asyncio.timeout(READY_SECONDS):
                while not ended.done():
                    try:
                        stub = RuntimeServiceStub(connection.channel)
                        await connection.call(stub.Version, cri.VersionRequest(), 5)
                        return
                    except RuntimeFailure as error:
                        answer = str(error)
                        await asyncio.wait([ended], timeout=0.02)
        except TimeoutError:
            problem = f"containerd is not ready after {READY_SECONDS:.0f} s ({answer}); see {self.layout.log}"
            raise Unavailable(problem) from None
        finally:
            ended.cancel()
            connection.close()
        raise Unavailable(f"containerd ended at its start; it says: {self._last_words()}")

    def _last_words(self) -> str:
        with self.layout.log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 2000))
            lines = file.read().decode(errors="replace").splitlines()
        return lines[-1] if lines else f"nothing, in {self.layout.log}"

    async def supervise(self) -> None:
        """Starts it, and again whenever it ends, until cancelled. It is not stopped then."""
        loop = asyncio.get_running_loop()
        delay, most = BACK_OFF
        while True:
            began = loop.time()
            try:
                await self.start()
                await self._until_ended()
                log.warning("containerd ended directory=%s", self.layout.root)
            except Unavailable as error:
                log.error("containerd is not ready, retry in %.1f s: %s", delay, error)
            if loop.time() - began > STABLE:
                delay = BACK_OFF[0]
            await asyncio.sleep(delay)
            delay = min(delay * 2, most)

    async def _until_ended(self) -> None:
        pid = self.pid()
        ended = asyncio.create_task(processes.ended(pid) if pid is not None else asyncio.sleep(0))
        try:
            while not ended.done():
                await asyncio.wait([ended], timeout=LOG_CHECK)
                self._bound_log()
        finally:
            ended.cancel()

    def _bound_log(self) -> None:
        """containerd appends, so that a file cut to nothing just begins again."""
        try:
            if self.layout.log.stat().st_size > LOG_LIMIT:
                os.truncate(self.layout.log, 0)
        except FileNotFoundError:
            return  # nothing was ever said

    async def stop(self) -> None:
        """Ends containerd. The containers run on, and the next start finds them."""
        pid = self.pid()
        if pid is not None:
            await processes.terminate(pid, grace_seconds=10)
            log.info("stopped containerd pid=%d directory=%s", pid, self.layout.root)

    async def cleanup(self) -> None:
        """Ends every container and removes everything that this containerd made. Repeating it is harmless."""
        from nodeagent.runtime.containerd_cleanup import clean  # once in the life of a node

        await clean(self)


def find_programs() -> tuple[Path, Path]:
    """containerd, and the folder of the CNI plugins. Raises `Unavailable` that names what is missing."""
    names = ("containerd", "containerd-shim-runc-v2", "runc")
    found = {name: shutil.which(name, path=search_path()) for name in names}
    cni = next((place for place in _CNI_PLACES if all((place / plugin).exists() for plugin in _CNI_PLUGINS)), None)
    missing = [name for name, path in found.items() if path is None] + (["CNI plugins"] if cni is None else [])
    if missing or cni is None:
        raise Unavailable(f"not installed: {', '.join(missing)}; on Debian: apt-get install {PACKAGES}")
    return Path(str(found["containerd"])), cni


def search_path() -> str:
    """A user's PATH may leave out where Debian puts runc, nft and iptables."""
    return os.pathsep.join(dict.fromkeys([*os.environ.get("PATH", "").split(os.pathsep), *_PLACES]))


def has_sys_resource() -> bool:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> _CAP_SYS_RESOURCE & 1)
    return False
