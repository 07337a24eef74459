"""Replays the recorded steps of kubectl: each part on a Wherry of its own, its steps in order."""

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from tests.oracles.kubernetes import judging, realnode
from tests.oracles.kubernetes.judging import Verdict
from tests.oracles.kubernetes.normalising import Normaliser, facts_of, recorded
from tests.oracles.kubernetes.wherry import Wherry, running

KUBECTL = Path(sys.executable).with_name("kubectl")
SUITE = "kubectl"
TOGETHER = {"runtime": "pods"}
"""Parts that go on where another ended."""
STEP_SECONDS = 45.0
REPEAT_SECONDS = 20.0
FIRST_CHANGE_SECONDS, NEXT_CHANGE_SECONDS = 1.2, 0.5
Step = Mapping[str, Any]


class Ran(NamedTuple):
    code: int | None
    out: str
    err: str


def parts(folder: Path) -> list[list[Step]]:
    """The steps of each part; parts that belong together are one."""
    steps = [json.loads(line) for line in (folder / "kubectl.jsonl").read_text().splitlines()]
    found: dict[str, list[Step]] = {}
    for part, of_part in groupby(steps, key=lambda step: step["id"].partition("/")[0]):
        found.setdefault(TOGETHER.get(part, part), []).extend(of_part)
    return list(found.values())


def needs_containers(steps: Sequence[Step]) -> bool:
    return any(step.get("needs") == "kubelet" for step in steps)


def replay(folder: Path, steps: Sequence[Step], *, real: bool = False) -> list[Verdict]:
    """On a fresh Wherry. With `real`, node-1 runs containers, and this process moves to a network of its own."""
    with tempfile.TemporaryDirectory(prefix="wherry-images-") as images, contextlib.ExitStack() as stack:
        node = None
        if real:
            realnode.leave_network()
            node = realnode.RealNode("node-1", realnode.archives(Path(images) / "archives"))
        wherry = stack.enter_context(running(node))
        work = wherry.directory / "work"
        work.mkdir()
        facts = facts_of(wherry.call("GET", f"/api/v1/nodes/{node.name}").json()) if node is not None else {}
        normaliser = Normaliser(folder, wherry.server, facts)
        _kubectl(wherry, work, {"argv": ["api-resources"]})  # the recorded client had seen the API before
        return [Verdict(SUITE, step["id"], _difference(step, _run(wherry, work, step), normaliser)) for step in steps]


def _run(wherry: Wherry, work: Path, step: Step) -> Ran:
    for name, content in step.get("files", {}).items():
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text(content.replace("<server>", wherry.server))
    changes = threading.Thread(target=_change, args=(wherry, work, step.get("during", ())))
    changes.start()
    ran = _kubectl(wherry, work, step)
    end = time.monotonic() + REPEAT_SECONDS
    while (text := step.get("repeat_until")) and text not in ran.out + ran.err and time.monotonic() < end:
        time.sleep(0.5)
        ran = _kubectl(wherry, work, step)
    changes.join()
    return ran


def _change(wherry: Wherry, work: Path, changes: Sequence[Sequence[str]]) -> None:
    wait = FIRST_CHANGE_SECONDS
    for argv in changes:
        time.sleep(wait)
        _kubectl(wherry, work, {"argv": argv})
        wait = NEXT_CHANGE_SECONDS


def _kubectl(wherry: Wherry, work: Path, step: Step) -> Ran:
    environment = {"HOME": str(work), "KUBECONFIG": str(wherry.kubeconfig), "PATH": os.environ["PATH"]}
    try:
        done = subprocess.run(
            [KUBECTL, *step["argv"]],
            cwd=work,
            env=environment | step.get("env", {}),
            input=step.get("stdin", "").encode(),
            capture_output=True,
            timeout=step.get("timeout", STEP_SECONDS),
        )
    except subprocess.TimeoutExpired as late:
        return Ran(None, (late.stdout or b"").decode(errors="replace"), (late.stderr or b"").decode(errors="replace"))
    return Ran(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))


def _difference(step: Step, ran: Ran, normaliser: Normaliser) -> str:
    argv, varies = step["argv"], step.get("varies", ())
    shape = structure if argv[0] == "explain" else str
    reasons = reasons_in_order if argv[0] == "drain" else str
    found = []
    if step["rc"] != ran.code:
        found.append(f"exit status: recorded {step['rc']}, here {ran.code}")
    if "stdout" not in varies:
        out = normaliser.output(ran.out, has_header="--no-headers" not in argv)
        any_order = "stdout order" in varies
        found.append(judging.texts("stdout", shape(recorded(step["stdout"])), shape(out), any_order=any_order))
    found.append(judging.texts("stderr", reasons(step["stderr"]), reasons(normaliser.output(ran.err))))
    return "\n".join(filter(None, found))


def reasons_in_order(drained: str) -> str:
    """What `kubectl drain` printed, a reason a line and these in order: it takes them from a map as they come."""
    return "\n".join(sorted(re.split(r"; |, (?=cannot )|: \[|\]|(?<=Warning): |\n", drained)))


def structure(explained: str) -> str:
    """Names, types and structure of what `kubectl explain` printed: descriptions are each project's own words."""
    return "\n".join(_structure(explained.split("\n")))


def _structure(lines: Sequence[str]) -> Iterator[str]:
    section = ""
    for line in lines:
        if re.match(r"[A-Z]+:", line):
            section = line.partition(":")[0]
            yield line if section not in ("DESCRIPTION",) else f"{section}:"
        elif section in ("", "ENUM") or re.match(r"\s+\S+\t<|\s+enum:", line):
            yield line.rstrip()
