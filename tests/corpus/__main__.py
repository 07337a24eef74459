"""`python -m tests.corpus FOLDER`: prints the counts; exits with 1 where a document differs or loses a field."""

import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tests.corpus.counting import COLUMNS, Found, Tally, files, injections, tally

ASKED = 0.99
"""Share of injected faults that have to be reported at the right line."""


def main() -> int:
    if len(sys.argv) != 2 or not (root := Path(sys.argv[1])).is_dir():
        print("usage: python -m tests.corpus FOLDER   (make corpus CORPUS=FOLDER)", file=sys.stderr)
        return 2
    folders: dict[str, Tally] = {}
    total = Tally()
    found: list[Found] = []
    for file, content in files(root):
        one = tally(file, content)
        folders.setdefault(file.partition("/")[0] if "/" in file else ".", Tally()).add(one)
        total.add(one)
        found += injections(file, content)
    _print_counts(folders, total)
    _print_lists(total)
    share = _print_injections(found)
    return int(bool(total.differing or total.lost) or share < ASKED)


def _print_counts(folders: dict[str, Tally], total: Tally) -> None:
    rows = [*sorted(folders.items()), ("total", total)]
    width = max(len(name) for name, _ in rows)
    print(" " * width, *COLUMNS, sep="  ")
    for name, one in rows:
        cells = (str(one.counts[column]).rjust(len(column)) for column in COLUMNS)
        print(name.ljust(width), *cells, sep="  ")
    print(
        "\nserved = accepted + refused alike + beyond + differing. beyond: refused for a value of the right type that"
        "\nKubernetes' decoding refuses as well, which the schemas do not see; lost: a round trip lost a field; rules:"
        "\naccepted, and refused by the API server's rules; gaps: accepted, and refused for what is not implemented;"
        "\ntaken: what `wherry validate` finds no fault with."
    )


def _print_lists(total: Tally) -> None:
    for title, lines in (
        ("differing from the official schemas", total.differing),
        ("round trips that lost a field", total.lost),
        ("refused beyond the schemas", total.beyond),
        ("refused by the API server's rules", total.rules),
        ("old versions that are refused", total.old),
        ("not read", total.not_read),
        ("kinds not served", _by_count(total.unknown)),
        ("refused for what is not implemented", _by_count(total.gaps)),
    ):
        print(f"\n{title}: {len(lines) or 'none'}")
        for line in lines:
            print(f"  {line[:300]}")


def _by_count(counts: Counter[str]) -> list[str]:
    return [f"{count:5}  {name}" for name, count in counts.most_common()]


def _print_injections(found: Iterable[Found]) -> float:
    tried, hit = Counter[str](), Counter[str]()
    missed = []
    for one in found:
        tried[one.injected.kind] += 1
        hit[one.injected.kind] += one.is_reported
        if not one.is_reported:
            missed.append(f"{one.where}: {one.injected.kind} {one.injected.name}: line {one.injected.line}: {one.said}")
    print("\nfaults put in, and reported at their line")
    for kind, count in [*tried.items(), ("all", tried.total())]:
        reported = hit.total() if kind == "all" else hit[kind]
        print(f"  {kind:15}{reported:6} of {count:6}   {reported / max(count, 1):.2%}")
    for line in missed[:50]:
        print(f"  {line[:400]}")
    return hit.total() / max(tried.total(), 1)


if __name__ == "__main__":
    sys.exit(main())
