"""Edits quicker than the passes, by a process of their own, on the real store and the real inotify."""

import asyncio
import json
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import pytest

from reconciler.manifests.documents import load
from tests.unit.reconciler.manifests.builders import Lab, cluster_in, config_map, syncing

WRITER = """
import json, os, sys, time
folder, in_place, gap = sys.argv[1], sys.argv[2] == "in place", float(sys.argv[3])
times = []
for file, text in json.load(sys.stdin):
    path = os.path.join(folder, file)
    temporary = path if in_place else os.path.join(folder, f".{file}.tmp")
    before = time.monotonic()
    with open(temporary, "w") as out:
        out.write(text)
    if not in_place:
        os.rename(temporary, path)
    after = time.monotonic()
    times.append((before, after))
    until = after + gap
    while (left := until - time.monotonic()) > 0:
        time.sleep(left)
print(json.dumps(times))
"""
LONG_ENOUGH = 0.005
"""A version that was there for so long is read, on a machine that is idle."""


def broken(chance: random.Random, name: str, step: int) -> str:
    good = config_map(name, str(step))
    return chance.choice(
        [
            good.replace("data:", "dota:"),
            good + "  - [",
            good.replace("ConfigMap", "ConfigMop"),
            good.replace("value:", "value: {"),
        ]
    )


def edits(seed: int) -> list[tuple[str, str, str]]:
    """Name, text, and the value where the text is good."""
    chance, made = random.Random(seed), list[tuple[str, str, str]]()
    for step in range(1, 201):
        name = f"f{chance.randrange(8)}"
        if chance.random() < 0.5:
            made.append((name, broken(chance, name, step), ""))
        else:
            made.append((name, config_map(name, str(step)), str(step)))
    return made


@contextmanager
def delays() -> Iterator[list[float]]:
    """By how much a thread of this process came too late: other programs may keep it from running."""
    found, end = [0.0], threading.Event()

    def probe() -> None:
        started = monotonic()
        while not end.wait(0.001):
            found.append(monotonic() - started - 0.001)
            started = monotonic()

    thread = threading.Thread(target=probe)
    thread.start()
    try:
        yield found
    finally:
        end.set()
        thread.join()


async def play(lab: Lab, plan: list[tuple[str, str, str]], how: str, gap: float) -> list[tuple[float, float]]:
    """Lets the process write, waits for the pass that sees the end. Returns when each edit began and ended."""
    writer = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", WRITER, str(lab.folder), how, str(gap)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    said, _ = await writer.communicate(json.dumps([(f"{name}.yaml", text) for name, text, _ in plan]).encode())
    lab.write("end.yaml", config_map("end"))
    await lab.until(lambda: lab.value("end"))
    times: list[tuple[float, float]] = json.loads(said)
    return times


def allowed(
    plan: list[tuple[str, str, str]], times: list[tuple[float, float]], long_enough: float
) -> dict[str, list[str]]:
    """The values that each file may end with: the last good one that was there for long enough, and later ones."""
    values: dict[str, list[str]] = {}
    for name in {name for name, _, _ in plan}:
        versions = [(at, value) for at, (of, _, value) in zip(times, plan, strict=True) if of == name]
        ends = [began for (began, _), _ in versions[1:]] + [float("inf")]
        values[name] = ["0"]
        for ((_, there), value), end in zip(versions, ends, strict=True):
            if value and end - there >= long_enough:
                values[name] = []
            values[name] += [value] if value else []
    return values


@pytest.mark.parametrize(
    ("how", "gap"),
    [
        pytest.param("by rename", 0.002, id="by rename, 2 ms apart"),
        pytest.param("by rename", 0.0, id="by rename, at full speed"),
        pytest.param("in place", 0.002, id="in place, 2 ms apart"),
        pytest.param("in place", 0.0, id="in place, at full speed"),
    ],
)
async def test_each_file_ends_at_its_last_good_version(tmp_path: Path, how: str, gap: float) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for number in range(8):
        (folder / f"f{number}.yaml").write_text(config_map(f"f{number}", "0"))
    plan = edits(seed=4)
    assert [load("a.yaml", text.encode()).is_sound for _, text, _ in plan] == [bool(value) for _, _, value in plan]
    async with cluster_in(tmp_path / "data") as cluster, syncing(cluster, folder) as lab:
        with delays() as late:
            times = await play(lab, plan, how, gap)
        may = allowed(plan, times, LONG_ENOUGH + 4 * max(late))  # of several system calls, each may come late
        assert not {name: (lab.value(name), values) for name, values in may.items() if lab.value(name) not in values}
