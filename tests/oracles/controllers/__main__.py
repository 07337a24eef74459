"""Replays recorded controller cases: `python -m tests.oracles.controllers DIR [--mix NAME] [--case ID] [-v]`.

Prints one JSON line for each mix and last one for all: `{"cases": N, "equal": N, "differs": [ids]}`. With `-v` each
difference is shown. The exit status tells only whether all could be read.
"""

import sys

from tests.oracles.controllers.judging import cases, difference
from tests.oracles.replays import Verdicts, asking


def main() -> int:
    parser = asking("tests.oracles.controllers", __doc__, "statefulset")
    parser.add_argument("--case", default="", help="this case alone")
    asked, verdicts = parser.parse_args(), Verdicts()
    for case in cases(asked.folder, asked.mix):
        if asked.case in ("", case["id"]):
            found = difference(case)
            verdicts.note(case["mix"], case["id"], differs=found is not None)
            if found is not None and asked.verbose:
                print(found)
    verdicts.tell()
    return 0


if __name__ == "__main__":
    sys.exit(main())
