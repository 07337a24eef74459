"""Gathers what the agent tells of itself: from its rooms, and the few figures that only the system knows."""

import os
import socket
import struct
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from nodeagent.config import Config
from nodeagent.local import carrier
from nodeagent.local.views import LinkView, NodeView, accepted_view, condition_views, phases, pod_view
from nodeagent.tallies import TALLIES

if TYPE_CHECKING:
    from nodeagent.agent import Agent

_CREDENTIALS = struct.Struct("3i")
"""Process, user and group of who holds the other end of a socket."""


class Facts:
    """`runtime`: containerd's socket."""

    def __init__(self, config: Config, version: str, *, agent: "Agent", runtime: Path) -> None:
        self._config, self._version, self._agent, self._runtime = config, version, agent, runtime
        self._since = datetime.now(UTC)
        self._containerd = _written_by(runtime)

    def answer(self, question: bytes) -> bytes:
        """To one of `carrier.QUESTIONS`."""
        if question == carrier.PODS:
            return msgspec.json.encode([pod_view(state) for state in self._agent.workers.states.values()])
        return self.metrics() if question == carrier.METRICS else msgspec.json.encode(self.node())

    def metrics(self) -> bytes:
        from nodeagent.local.metrics import Seen, rendered  # where nobody asks, it is not needed

        agent = self._agent
        seen = Seen(agent.link.backlog, agent.stats.last, agent.stats.owners())
        return rendered(self.node(), list(agent.workers.states.values()), TALLIES, seen)

    def node(self) -> NodeView:
        link, status = self._agent.link, self._agent.told
        return NodeView(
            node=self._config.node,
            cluster=self._config.cluster,
            version=self._version,
            pid=os.getpid(),
            since=self._since,
            runtime=status.node_info.container_runtime_version if status.node_info else "",
            link=LinkView(url=self._config.broker.shown(), connected=link.connected, since=link.changed_at),
            accepted=accepted_view(link.accepted),
            pods=phases(self._agent.workers.states.values()),
            conditions=condition_views(status.conditions),
            resident=_resident(),
            written=self._written(),
        )

    def _written(self) -> dict[str, int]:
        """`agent`: all that it wrote itself, with the checkpoint; `containerd`: images, layers and what pods say."""
        found = {name: TALLIES.written[name] for name in ("checkpoint", "logs")}
        own = _io("self")
        if own is not None:
            found["agent"] = own[1]
        then, now = self._containerd, _written_by(self._runtime)
        if now is not None:
            found["containerd"] = now[1] - (then[1] if then is not None and then[0] == now[0] else 0)
        return dict(sorted(found.items()))


def _written_by(path: Path) -> tuple[int, int] | None:
    """The process that serves the socket, and the bytes that it wrote to disks since its start."""
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(1)
            client.connect(os.fspath(path))
            raw = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    except OSError:
        return None  # it does not run
    return _io(str(_CREDENTIALS.unpack(raw)[0]))


def _io(process: str) -> tuple[int, int] | None:
    try:
        rows = dict(line.split(": ") for line in Path("/proc", process, "io").read_text().splitlines())
        pid = os.getpid() if process == "self" else int(process)
        return pid, int(rows["write_bytes"]) - int(rows["cancelled_write_bytes"])
    except (OSError, KeyError, ValueError):
        return None  # the kernel does not count, or we may not look


def _resident() -> int:
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return 0
