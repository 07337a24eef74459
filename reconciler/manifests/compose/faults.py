"""What is wrong in a Compose project, gathered while it is read: every fault, not only the first.

Invariant: a service, volume, secret or config that has an error is known as broken, so that nothing half made of it
is handed on.
"""

from typing import Literal

import msgspec

from reconciler.manifests.compose.nodes import Node
from reconciler.manifests.documents import SourceFault
from schemas.faults import Path

_SECTIONS = frozenset(("services", "volumes", "secrets", "configs"))


class Stop(Exception):
    """The whole project cannot be read; the fault has been reported."""


class Subject(msgspec.Struct, frozen=True):
    """One service, volume, secret or config of the project."""

    section: str
    name: str


class Report:
    """The faults of one project, in the order in which they are found."""

    def __init__(self) -> None:
        self.faults: list[SourceFault] = []
        self.broken: set[Subject] = set()
        self._said: set[tuple[str, int, str, str]] = set()

    def error(self, node: Node, path: Path, message: str) -> None:
        """Something does not work, and what it belongs to is not handed on."""
        self._say(node, path, message, "error")
        if len(path) > 1 and path[0] in _SECTIONS:
            self.broken.add(Subject(str(path[0]), str(path[1])))

    def warning(self, node: Node, path: Path, message: str) -> None:
        """Something has no effect, or another than in Compose; the rest works."""
        self._say(node, path, message, "warning")

    def stop(self, file: str, line: int, message: str) -> Stop:
        """The exception to raise where nothing further can be read."""
        self.faults.append(SourceFault(file, line, "", "", message))
        return Stop()

    @property
    def has_errors(self) -> bool:
        return any(fault.severity == "error" for fault in self.faults)

    def _say(self, node: Node, path: Path, message: str, severity: Literal["error", "warning"]) -> None:
        object_ = f"service/{path[1]}" if len(path) > 1 and path[0] == "services" else ""
        said = (node.file, node.line, place(path), message)
        if said not in self._said:
            self._said.add(said)
            self.faults.append(SourceFault(node.file, node.line, object_, place(path), message, severity))


def place(path: Path) -> str:
    """`services.web.ports[0]`; keys that a user chose stay in the dotted form, as Compose itself writes them."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text
