"""What an agent weighs while nothing changes, with 0, 10, 50 and 110 pods: memory, CPU, wake-ups and bytes written."""

import argparse
import time
from pathlib import Path

from tests.benchmarks.box import Box, box
from tests.benchmarks.edit_to_running import _ready
from tests.benchmarks.footprint import agent_pid, cpu_seconds, resident, written
from tests.benchmarks.output import end_in_order, say

COUNTS = (0, 10, 50, 110)
SETTLE = 12.0
"""Seconds after which the agent has said and kept what it has to say of the last pod."""
SECONDS = 20.0
LIMIT = 300.0

MANIFEST = """apiVersion: apps/v1
kind: Deployment
metadata: {{name: idle}}
spec:
  replicas: {pods}
  selector: {{matchLabels: {{app: idle}}}}
  template:
    metadata: {{labels: {{app: idle}}}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - name: main
          image: wherry.local/busybox:1
          command: [sleep, "100000"]
"""


def proportional(pid: int) -> float:
    """MiB, of shared pages only the share (PSS)."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("Pss:")).split()[1]) / 1024


def wake_ups(pid: int) -> int:
    """How often any thread of it has waited for something and gone on."""
    count = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        lines = (task / "status").read_text().splitlines()
        count += int(next(line for line in lines if line.startswith("voluntary_ctxt_switches")).split()[1])
    return count


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    end_in_order()
    with box() as running:
        running.up()
        running.wait(lambda: _ready(running), 60, "the node is Ready")
        for count in COUNTS:
            running.write("idle.yaml", MANIFEST.format(pods=count))
            running.wait(lambda count=count: _running(running) == count, LIMIT, f"{count} pods run")  # type: ignore[misc]
            time.sleep(SETTLE)
            measure(agent_pid(running), count)


def measure(pid: int, count: int) -> None:
    cpu, bytes_, waits = cpu_seconds(pid), written(pid), wake_ups(pid)
    time.sleep(SECONDS)
    say(f"agent_{count}_pods_rss_mib", resident(pid), "MiB")
    say(f"agent_{count}_pods_pss_mib", proportional(pid), "MiB")
    say(f"agent_{count}_pods_cpu_percent", (cpu_seconds(pid) - cpu) / SECONDS * 100, "%")
    say(f"agent_{count}_pods_wake_ups", (wake_ups(pid) - waits) / SECONDS, "1/s")
    say(f"agent_{count}_pods_written_bytes", written(pid) - bytes_, "B")


def _running(box: Box) -> int:
    return sum(pod["status"].get("phase") == "Running" for pod in box.get("pods", "-l", "app=idle"))


if __name__ == "__main__":
    main()
