"""How the scheduler's time grows with nodes and with pods: a table for `docs/scheduling.md`, and a plot.

`python -m tests.benchmarks.scheduler_growth --svg docs/scheduling.svg` measures each mix at several sizes with
`tests.benchmarks.scheduler`, each part in a process of its own, and takes some minutes.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks import fleet
from tests.benchmarks.plot import Panel, svg

NODES, FEW_PODS = (100, 500, 1000, 2500, 5000), 1000
PODS, MANY_NODES = (1000, 3000, 10_000, 30_000), 5000


class Measured(NamedTuple):
    """Pods a second."""

    mix: str
    nodes: int
    pods: int
    algorithm: float
    end_to_end: float


def measure(mix: str, nodes: int, pods: int) -> Measured:
    found = {**_part("algorithm", mix, nodes, pods), **_part("end-to-end", mix, nodes, pods)}
    prefix = f"scheduler_{mix}"
    return Measured(mix, nodes, pods, found[f"{prefix}_algorithm"], found[f"{prefix}_end_to_end"])


def _part(part: str, mix: str, nodes: int, pods: int) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.benchmarks.scheduler", "--part", part, "--mix", mix]
    sizes = ["--nodes", str(nodes), "--pods", str(pods)]
    said = subprocess.run([*command, *sizes], check=True, capture_output=True, text=True).stdout
    return {line["name"]: line["value"] for line in map(json.loads, said.splitlines())}


def table(found: list[Measured]) -> Iterator[str]:
    yield "| nodes | pods | " + " | ".join(fleet.MIXES) + " |"
    yield "|---:|---:|" + "---:|" * len(fleet.MIXES)
    for nodes, pods in dict.fromkeys((one.nodes, one.pods) for one in found):
        row = {one.mix: one for one in found if (one.nodes, one.pods) == (nodes, pods)}
        cells = [f"{row[mix].end_to_end:,.0f} ({row[mix].algorithm:,.0f})" for mix in fleet.MIXES]
        yield f"| {nodes:,} | {pods:,} | " + " | ".join(cells) + " |"


def plot(found: list[Measured]) -> str:
    """Seconds from pending to committed, over nodes and over pods."""

    def lines(chosen: list[tuple[float, Measured]]) -> dict[str, list[tuple[float, float]]]:
        return {mix: [(x, one.pods / one.end_to_end) for x, one in chosen if one.mix == mix] for mix in fleet.MIXES}

    by_nodes = lines([(one.nodes, one) for one in found if one.pods == FEW_PODS])
    by_pods = lines([(one.pods, one) for one in found if one.nodes == MANY_NODES])
    return svg(
        (
            Panel(f"{FEW_PODS:,} pods, from pending to committed", "nodes", "seconds", by_nodes),
            Panel(f"{MANY_NODES:,} nodes, from pending to committed", "pods", "seconds", by_pods),
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.scheduler_growth", description=__doc__)
    parser.add_argument("--svg", type=Path, metavar="FILE", help="write the plot there")
    asked = parser.parse_args()
    sizes = [*((nodes, FEW_PODS) for nodes in NODES), *((MANY_NODES, pods) for pods in PODS if pods != FEW_PODS)]
    found = []
    for nodes, pods in sizes:
        for mix in fleet.MIXES:
            found.append(measure(mix, nodes, pods))
            print(json.dumps(found[-1]._asdict()), file=sys.stderr, flush=True)
    print(*table(found), sep="\n")
    if asked.svg is not None:
        asked.svg.write_text(plot(found))


if __name__ == "__main__":
    main()
