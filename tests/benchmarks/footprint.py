"""What reconciler and agent weigh with 10 pods while nothing changes: memory, CPU, and bytes written, over 60 s."""

import argparse
import os
import time
from pathlib import Path

from tests.benchmarks.box import Box, box
from tests.benchmarks.edit_to_running import _ready
from tests.benchmarks.output import end_in_order, say

PODS = 10
SECONDS = 60.0
SETTLE = 75.0
"""Status that is written behind reaches the disk within a minute of the last change."""

MANIFEST = """apiVersion: apps/v1
kind: Deployment
metadata: {{name: idle}}
spec:
  replicas: {pods}
  selector: {{matchLabels: {{app: idle}}}}
  template:
    metadata: {{labels: {{app: idle}}}}
    spec:
      containers:
        - name: main
          image: wherry.local/busybox:1
          command: [httpd, -f, -p, "8080", -h, /]
          readinessProbe: {{tcpSocket: {{port: 8080}}}}
"""


def resident(pid: int) -> float:
    """MiB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024 / 1024


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def written(pid: int) -> int:
    """Bytes that the process caused to be written to a disk."""
    lines = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    return int(lines["write_bytes"])


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    end_in_order()
    with box() as running:
        running.up()
        running.wait(lambda: _ready(running), 60, "the node is Ready")
        running.write("idle.yaml", MANIFEST.format(pods=PODS))
        running.wait(lambda: _all_ready(running), 120, f"{PODS} ready pods")
        time.sleep(SETTLE)
        processes = {"reconciler": running.facts["reconcilerPid"], "agent": agent_pid(running)}
        before = {name: (cpu_seconds(pid), written(pid)) for name, pid in processes.items()}
        time.sleep(SECONDS)
        for name, pid in processes.items():
            cpu, bytes_ = before[name]
            say(f"{name}_rss_mib", resident(pid), "MiB")
            say(f"{name}_cpu_percent", (cpu_seconds(pid) - cpu) / SECONDS * 100, "%")
            say(f"{name}_written_bytes", written(pid) - bytes_, "B")


def agent_pid(running: Box) -> int:
    return int((running.data / "agent" / "lock").read_text())


def _all_ready(running: Box) -> bool:
    pods = running.get("pods", "-l", "app=idle")
    ready = [
        c for p in pods for c in p["status"].get("conditions", []) if (c["type"], c["status"]) == ("Ready", "True")
    ]
    return len(ready) == PODS


if __name__ == "__main__":
    main()
