"""Replays recorded scheduler cases: `python -m tests.oracles.scheduler DIR [--mix NAME] [--reference] [-v]`.

Prints one JSON line for each mix and last one for all: `{"cases": N, "equal": N, "differs": [ids]}`. With `-v` each
difference is shown. The exit status tells only whether all could be read.
"""

import sys

from tests.oracles.replays import Verdicts, asking
from tests.oracles.scheduler.answers import Reference, Wherry
from tests.oracles.scheduler.cases import cases
from tests.oracles.scheduler.judging import differences


def main() -> int:
    parser = asking("tests.oracles.scheduler", __doc__, "mixed")
    parser.add_argument("--reference", action="store_true", help="judge the reference in place of the scheduler")
    asked, verdicts = parser.parse_args(), Verdicts()
    make = Reference if asked.reference else Wherry
    for case in cases(asked.folder, asked.mix):
        found = differences(case, make)
        verdicts.note(case.mix, case.id, differs=bool(found))
        if found and asked.verbose:
            print(*found, sep="\n")
    verdicts.tell()
    return 0


if __name__ == "__main__":
    sys.exit(main())
