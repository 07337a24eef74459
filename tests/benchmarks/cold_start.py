"""2,000 Deployments in 500 files: from nothing to all of them in the store, and a restart over the unchanged folder.

The time is that of the whole process, from its start to what `wherry status` says.
"""

import tempfile
import time
from datetime import datetime
from pathlib import Path

from tests.benchmarks.box import ROOT, Box
from tests.benchmarks.output import say

FILES, EACH = 500, 4


def manifest(file: int) -> str:
    template = (ROOT / "examples" / "hello" / "web.yaml").read_text()
    return "---\n".join(
        template.replace("name: web", f"name: web-{file}-{number}").replace("replicas: 2", "replicas: 0")
        for number in range(EACH)
    )


def start(running: Box) -> float:
    """Seconds until every object of the folder has been taken in."""
    began = time.time()
    running.up("--simulate", "1")

    def done() -> str | None:
        status = running.status()
        return status["last_pass"] if status["objects"] == FILES * EACH else None

    running.wait(done, 60, "all objects are in the store")
    return datetime.fromisoformat(str(done())).timestamp() - began


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="wherry-bench-") as folder:
        running = Box(Path(folder))
        running.manifests.mkdir()
        for number in range(FILES):
            running.write(f"{number}.yaml", manifest(number))
        try:
            say("cold_start_seconds", start(running), "s")
            running.wait(lambda: len(running.get("rs")) == FILES * EACH, 120, "the controllers have done their part")
            running.down()
            say("restart_seconds", start(running), "s")
        finally:
            running.down()


if __name__ == "__main__":
    main()
