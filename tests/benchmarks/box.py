"""`wherry up` on a temporary folder, as a person runs it, for the benchmarks that need containers."""

import compileall
import contextlib
import json
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.preflight import reasons
from tests.waiting import eventually

ROOT = Path(__file__).parents[2]
WHERRY = [sys.executable, "-m", "reconciler"]


class Box:
    """A running box, and its folders."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.data = directory / "data"
        self.manifests = directory / "manifests"
        self.facts: dict[str, Any] = {}

    def up(self, *arguments: str) -> None:
        command = [*WHERRY, "up", str(self.manifests), "--data", str(self.data), "--port", str(free_port()), "--detach"]
        done = subprocess.run([*command, "--output", "json", *arguments], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        self.facts = json.loads(done.stdout)

    def down(self) -> None:
        subprocess.run([*WHERRY, "down", "--data", str(self.data)], check=True, timeout=120, capture_output=True)

    def get(self, kind: str, *arguments: str) -> list[dict[str, Any]]:
        command = [*WHERRY, "get", kind, *arguments, "--data", str(self.data), "--output", "json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise ValueError(done.stderr)
        items: list[dict[str, Any]] = json.loads(done.stdout)["items"]
        return items

    def write(self, name: str, text: str) -> None:
        temporary = self.manifests / f".{name}.tmp"
        temporary.write_text(text)
        temporary.rename(self.manifests / name)

    def wait(self, condition: Callable[[], Any], limit: float, what: str) -> None:
        eventually(condition, limit, what)


def compiled() -> None:
    """Leaves the sources as `pip` and `make setup` do: compiled. Else each start would do it, where none may write."""
    for package in ("schemas", "reconciler", "nodeagent"):
        assert compileall.compile_dir(ROOT / package, quiet=1)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def box() -> Iterator[Box]:
    """A box with the lab's images and an empty folder of manifests; removed with all that it made."""
    if missing := reasons():
        raise SystemExit("; ".join(missing))
    compiled()
    with tempfile.TemporaryDirectory(prefix="wherry-bench-") as folder:
        found = Box(Path(folder))
        (found.data / "images").mkdir(parents=True)
        found.manifests.mkdir()
        build = ROOT / "examples" / "images" / "build.sh"
        subprocess.run([build, found.data / "images"], check=True, timeout=300, stdout=subprocess.DEVNULL)
        try:
            yield found
        finally:
            found.down()
