"""How the scheduler's time grows with nodes and with pods: tables for `docs/scheduling.md`, and a plot.

`python -m tests.benchmarks.scheduler_growth --docs docs/scheduling.md --svg docs/scheduling.svg` measures with
`tests.benchmarks.scheduler`, each part in a process of its own, takes some minutes, and puts its tables in place of
those that are there. Paces are of CPU time, so that other programs on the machine count for little.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.benchmarks import fleet
from tests.benchmarks.plot import Panel, svg

NODES, FEW_PODS = (250, 500, 1000, 2500, 5000), 1000
PODS, MANY_NODES = (1000, 3000, 10_000, 30_000), 5000
WHOLE = 10_000
"""Pods of the runs through the store, for each mix."""
BESIDE = "basic, end to end"

Paces = Mapping[tuple[str, int, int], float]
"""Pods a second by mix, nodes and pods."""


def measured(part: str, mix: str, nodes: int, pods: int) -> Mapping[str, float]:
    command = [sys.executable, "-m", "tests.benchmarks.scheduler", "--part", part, "--mix", mix]
    sizes = ["--nodes", str(nodes), "--pods", str(pods)]
    said = subprocess.run([*command, *sizes], check=True, capture_output=True, text=True).stdout
    print(said, end="", file=sys.stderr, flush=True)
    return {
        line["name"].removeprefix(f"scheduler_{mix}_"): line["value"] for line in map(json.loads, said.splitlines())
    }


def grown() -> dict[tuple[str, int, int], float]:
    sizes = [*((nodes, FEW_PODS) for nodes in NODES), *((MANY_NODES, pods) for pods in PODS if pods != FEW_PODS)]
    return {
        (mix, nodes, pods): measured("algorithm", mix, nodes, pods)["algorithm_of_cpu_time"]
        for nodes, pods in sizes
        for mix in fleet.MIXES
    }


def growth(paces: Paces) -> Iterator[str]:
    yield "| nodes | pods | " + " | ".join(fleet.MIXES) + " |"
    yield "|---:|---:|" + "---:|" * len(fleet.MIXES)
    for nodes, pods in dict.fromkeys((nodes, pods) for _, nodes, pods in paces):
        cells = [f"{paces[(mix, nodes, pods)]:,.0f}" for mix in fleet.MIXES]
        yield f"| {nodes:,} | {pods:,} | {' | '.join(cells)} |"


def whole(found: Mapping[tuple[str, int], Mapping[str, float]]) -> Iterator[str]:
    yield "| mix | pods | end to end, pods/s | one more, ms | of a new template, ms | resident, MiB |"
    yield "|---|---:|---:|---:|---:|---:|"
    for (mix, pods), one in found.items():
        times = [one[f"one_more_{name}_template"] for name in ("seen", "new")]
        cells = [f"{one['end_to_end_of_cpu_time']:,.0f}", *(f"{time:.1f}" for time in times), f"{one['resident']:.0f}"]
        yield f"| {mix} | {pods:,} | {' | '.join(cells)} |"


def renewed(text: str, table: Sequence[str]) -> str:
    """The page with the table in place of the one that has the same head. Raises `ValueError` where there is none."""
    lines = text.splitlines()
    if table[0] not in lines:
        raise ValueError(f"no table has the head {table[0]!r}: put one with this head where the figures are to be")
    start = end = lines.index(table[0])
    while end < len(lines) and lines[end].startswith("|"):
        end += 1
    return "\n".join([*lines[:start], *table, *lines[end:]]) + "\n"


def plot(paces: Paces, found: Mapping[tuple[str, int], Mapping[str, float]]) -> str:
    """Seconds over nodes, and over pods."""
    by_nodes = {mix: [(nodes, FEW_PODS / paces[(mix, nodes, FEW_PODS)]) for nodes in NODES] for mix in fleet.MIXES}
    by_pods = {mix: [(pods, pods / paces[(mix, MANY_NODES, pods)]) for pods in PODS] for mix in fleet.MIXES}
    by_pods[BESIDE] = [
        (pods, pods / one["end_to_end_of_cpu_time"]) for (mix, pods), one in found.items() if mix == "basic"
    ]
    return svg(
        (
            Panel(f"{FEW_PODS:,} pods", "nodes", "seconds", by_nodes),
            Panel(f"{MANY_NODES:,} nodes", "pods", "seconds", by_pods),
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.scheduler_growth", description=__doc__)
    parser.add_argument("--docs", type=Path, metavar="FILE", help="put the tables in place of those there")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="write the plot there")
    asked = parser.parse_args()
    paces = grown()
    runs = [*(("basic", pods) for pods in PODS), *((mix, WHOLE) for mix in fleet.MIXES if mix != "basic")]
    found = {(mix, pods): measured("end-to-end", mix, MANY_NODES, pods) for mix, pods in runs}
    tables = [*whole(found)], [*growth(paces)]
    print(*tables[0], "", *tables[1], sep="\n")
    if asked.docs is not None:
        for table in tables:
            asked.docs.write_text(renewed(asked.docs.read_text(), table))
    if asked.svg is not None:
        asked.svg.write_text(plot(paces, found))


if __name__ == "__main__":
    main()
