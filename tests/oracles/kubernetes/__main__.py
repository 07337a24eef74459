"""Replays what a real Kubernetes answered against a Wherry of this checkout.

`python -m tests.oracles.kubernetes DIR [--part NAME] [-v]` starts as many as it needs: the reconciler, and agents over
simulated containers that play the recorded nodes. Where a part needs containers, and this machine can run them, node-1
runs real ones. With `-v` each difference is shown. The last line is one JSON object:
`{"kubectl": {"cases": N, "equal": N, "differs": [ids]}, "http": {…}, "tables": {…}, "watch": {…}, "defaults": {…}}`.
The exit status tells only whether all could be replayed.
"""

import argparse
import json
import multiprocessing
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from pathlib import Path

from tests import preflight
from tests.oracles.kubernetes import judging, steps, suites
from tests.oracles.kubernetes.judging import Verdict

API = "api"
"""The part of all that is asked over plain HTTP."""


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.oracles.kubernetes",
        description=__doc__,
        epilog="example: python -m tests.oracles.kubernetes recordings/transcripts --part config -v",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="with kubectl.jsonl, normalise.json, api/, defaults/")
    parser.add_argument(
        "--part", action="append", default=[], help=f"this part of kubectl.jsonl alone, or `{API}`; repeatable"
    )
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="parts replayed at once (2)")
    parser.add_argument("--simulated", action="store_true", help="run no container, also where this machine can")
    parser.add_argument("-v", "--verbose", action="store_true", help="show each difference")
    asked = parser.parse_args()
    if not (asked.folder / "kubectl.jsonl").is_file():
        parser.error(f"{asked.folder} holds no kubectl.jsonl")
    missing = ["--simulated"] if asked.simulated else preflight.reasons()
    for reason in missing:
        print(f"node-1 is simulated: {reason}", file=sys.stderr)
    work = _work(asked.folder, asked.part, real=not missing)
    if not work:
        parser.error(f"there is no part {asked.part}")
    verdicts: list[Verdict] = []
    # A process for each: a part with a real node moves to a network of its own.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(asked.jobs, mp_context=spawn, max_tasks_per_child=1) as pool:
        for part in as_completed([pool.submit(each) for each in work]):
            verdicts += part.result()
            for verdict in part.result() if asked.verbose else ():
                if verdict.difference:
                    print(f"=== {verdict.suite} {verdict.id}\n{verdict.difference}", flush=True)
    print(json.dumps(judging.summary(verdicts)))
    return 0


def _work(folder: Path, asked: list[str], *, real: bool) -> list[Callable[[], list[Verdict]]]:
    """The longest first, so that none is left alone at the end."""
    of_kubectl = [part for part in steps.parts(folder) if not asked or _names(part) & set(asked)]
    of_kubectl.sort(key=len, reverse=True)
    found: list[Callable[[], list[Verdict]]] = [
        partial(steps.replay, folder, part, real=real and steps.needs_containers(part)) for part in of_kubectl
    ]
    return [*([partial(suites.replay, folder)] if not asked or API in asked else []), *found]


def _names(part: list[steps.Step]) -> set[str]:
    return {step["id"].partition("/")[0] for step in part}


if __name__ == "__main__":
    sys.exit(main())
