"""2,000 Deployments in 500 files: from nothing to all of them in the store, and a restart over the unchanged folder.

The time is that of the whole reconciler: from the start of its process to the end of its first pass over the folder.
"""

import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from reconciler import box as boxes
from reconciler.api import client
from tests.benchmarks.box import ROOT, compiled, free_port
from tests.benchmarks.output import median, say
from tests.waiting import eventually

FILES, EACH = 500, 4
RESTARTS = 5


def manifest(file: int) -> str:
    template = (ROOT / "examples" / "hello" / "web.yaml").read_text()
    return "---\n".join(
        template.replace("name: web", f"name: web-{file}-{number}").replace("replicas: 2", "replicas: 0")
        for number in range(EACH)
    )


def started(data: Path) -> float:
    """Seconds from the start of a reconciler to the end of its first pass; it is ended again when it has settled."""
    began = time.time()
    process = subprocess.Popen(
        [sys.executable, "-m", "reconciler.start", "--config", str(data / "reconciler.yaml")],
        stderr=subprocess.DEVNULL,
    )
    kubeconfig = data / "reconciler" / "kubeconfig"

    def status() -> dict[str, Any]:
        found: dict[str, Any] = client.call(kubeconfig, "GET", "/wherry/v1/status")["manifests"]
        return found

    def passed() -> dict[str, Any]:
        found = status()
        return found if found["objects"] == FILES * EACH else {}

    try:
        first = eventually(passed, 60, "all objects are in the store")
        eventually(lambda: _replica_sets(kubeconfig) == FILES * EACH, 120, "the controllers have done their part")
        return datetime.fromisoformat(str(first["last_pass"])).timestamp() - began
    finally:
        process.terminate()
        process.wait(30)


def parsed(manifests: Path) -> float:
    """Seconds that PyYAML's C loader takes for the same files, and nothing else."""
    began = time.monotonic()
    for path in manifests.iterdir():
        list(yaml.load_all(path.read_text(), Loader=yaml.CSafeLoader))
    return time.monotonic() - began


def _replica_sets(kubeconfig: Path) -> int:
    return len(client.call(kubeconfig, "GET", "/apis/apps/v1/replicasets")["items"])


def main() -> None:
    compiled()
    with tempfile.TemporaryDirectory(prefix="wherry-bench-") as folder:
        manifests = Path(folder) / "manifests"
        manifests.mkdir()
        for number in range(FILES):
            (manifests / f"{number}.yaml").write_text(manifest(number))
        box = boxes.prepare(Path(folder) / "data", manifests, free_port(), 0)
        peer = parsed(manifests)
        say("cold_start_seconds", started(box.directory), "s", peer="pyyaml_c_loader_alone", peer_value=peer)
        restarts = median([started(box.directory) for _ in range(RESTARTS)])
        say("restart_seconds", restarts, "s", peer="pyyaml_c_loader_alone", peer_value=peer)


if __name__ == "__main__":
    main()
