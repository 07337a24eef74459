"""Replays recorded scheduler cases: `python -m tests.oracles.scheduler DIR [--mix NAME] [--reference] [-v]`.

Prints one JSON line for each mix and last one for all: `{"cases": N, "equal": N, "differs": [ids]}`. With `-v` each
difference is shown. The exit status tells only whether all could be read.
"""

import argparse
import json
import sys
from itertools import chain
from pathlib import Path

from tests.oracles.scheduler.answers import Reference, Wherry
from tests.oracles.scheduler.cases import cases
from tests.oracles.scheduler.judging import differences


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.oracles.scheduler",
        description=__doc__,
        epilog="example: python -m tests.oracles.scheduler recordings/scheduler-cases --mix taints -v",
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="with one file of cases per mix, *.jsonl")
    parser.add_argument("--mix", default="", help="cases of this mix alone")
    parser.add_argument("--reference", action="store_true", help="judge the reference in place of the scheduler")
    parser.add_argument("-v", "--verbose", action="store_true", help="show each difference")
    asked = parser.parse_args()
    if not asked.folder.is_dir():
        parser.error(f"{asked.folder} is no folder")
    played: dict[str, list[str]] = {}
    differs: dict[str, list[str]] = {}
    make = Reference if asked.reference else Wherry
    for case in cases(asked.folder, asked.mix):
        played.setdefault(case.mix, []).append(case.id)
        if found := differences(case, make):
            differs.setdefault(case.mix, []).append(case.id)
            if asked.verbose:
                print(*found, sep="\n")
    for mix, ids in played.items():
        print(json.dumps({"mix": mix, **_summary(ids, differs.get(mix, []))}))
    print(json.dumps(_summary([*chain(*played.values())], [*chain(*differs.values())])))
    return 0


def _summary(played: list[str], differs: list[str]) -> dict[str, object]:
    return {"cases": len(played), "equal": len(played) - len(differs), "differs": differs}


if __name__ == "__main__":
    sys.exit(main())
