"""What the replays of recorded cases have in common: how they are asked, and how they tell what they found."""

import argparse
import json
from itertools import chain
from pathlib import Path


def asking(package: str, description: str | None, example: str) -> argparse.ArgumentParser:
    """For `python -m PACKAGE DIR [--mix NAME] [-v]`; `example` is what follows `--mix` in the example."""
    parser = argparse.ArgumentParser(
        prog=f"python -m {package}",
        description=description,
        epilog=f"example: python -m {package} recordings --mix {example} -v",
    )
    parser.add_argument("folder", type=_folder, metavar="DIR", help="with one file of cases per mix, *.jsonl")
    parser.add_argument("--mix", default="", help="cases of this mix alone")
    parser.add_argument("-v", "--verbose", action="store_true", help="show each difference")
    return parser


def _folder(text: str) -> Path:
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"{text} is no folder")
    return Path(text)


class Verdicts:
    """Which cases were played, and which of them went another way."""

    def __init__(self) -> None:
        self._played: dict[str, list[str]] = {}
        self._differs: dict[str, list[str]] = {}

    def note(self, mix: str, case: str, *, differs: bool) -> None:
        self._played.setdefault(mix, []).append(case)
        if differs:
            self._differs.setdefault(mix, []).append(case)

    def tell(self) -> None:
        """One JSON line for each mix, and last one for all."""
        for mix, ids in self._played.items():
            print(json.dumps({"mix": mix, **_summary(ids, self._differs.get(mix, []))}))
        print(json.dumps(_summary([*chain(*self._played.values())], [*chain(*self._differs.values())])))


def _summary(played: list[str], differs: list[str]) -> dict[str, object]:
    return {"cases": len(played), "equal": len(played) - len(differs), "differs": differs}
