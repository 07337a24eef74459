"""What `wherry explain-scheduling` says to a person: the winner, the scores, and why the other nodes are out. Pure.

Long lists are cut, with the number that is not shown; `--output json` has them whole.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

SHOWN = 20
_NAMES = 5

Verdicts = Sequence[Mapping[str, Any]]


def say_scheduling(answer: Mapping[str, Any]) -> str:
    return "\n".join(_lines(answer))


def _lines(answer: Mapping[str, Any]) -> Iterator[str]:
    fit = [one for one in answer["nodes"] if one["feasible"]]
    out = [one for one in answer["nodes"] if not one["feasible"]]
    now = f"runs on {answer['node']}" if answer["node"] else "has no node"
    yield f"Pod       {answer['namespace']}/{answer['pod']}, {now}"
    yield f"Winner    {_winner(answer, len(fit))}"
    yield f"Nodes     {len(fit)} can take it, {len(out)} cannot"
    if len(fit) > 1:
        yield ""
        yield from _table(_scores(fit, answer["chosen"]))
        if len(fit) > SHOWN:
            yield f"and {len(fit) - SHOWN} more; see --output json"
    if out:
        yield ""
        yield from _table(_refusals(out))


def _winner(answer: Mapping[str, Any], fit: int) -> str:
    if not answer["chosen"]:
        return f"none: {answer['message']}"
    why = "the only node that can take it" if fit == 1 else "highest total, then first by name"
    return f"{answer['chosen']} ({why})"


def _scores(fit: Verdicts, chosen: str) -> list[list[str]]:
    """A column for each plugin that tells the nodes apart, and one for the others together."""
    plugins = sorted({plugin for one in fit for plugin in one["scores"]})
    telling = [name for name in plugins if len({one["scores"].get(name, 0) for one in fit}) > 1]
    rows = [["NODE", "TOTAL", *telling, "EQUAL"]]
    for one in fit[:SHOWN]:
        apart = [one["scores"].get(name, 0) for name in telling]
        name = f"{one['name']} *" if one["name"] == chosen else one["name"]
        rows.append([name, *map(str, (one["total"], *apart, one["total"] - sum(apart)))])
    return rows


def _refusals(out: Verdicts) -> list[list[str]]:
    """One line for each first failing filter and its reasons, the most frequent first."""
    groups: dict[tuple[str, str], list[str]] = {}
    for one in out:
        groups.setdefault((one["filter"], ", ".join(one["reasons"])), []).append(one["name"])
    rows = [["FIRST FAILING FILTER", "NODES", "REASON", "WHICH"]]
    for (plugin, reasons), names in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])):
        more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
        rows.append([plugin, str(len(names)), reasons, ", ".join(names[:_NAMES]) + more])
    return rows


def _table(rows: list[list[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
