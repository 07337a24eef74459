"""A plan as a comment on a pull request: a summary line, then tables, and diffs in fenced blocks. Pure.

Bounded: what would not fit is left out as whole parts, the least important ones, and that is said.
"""

from collections.abc import Iterable, Iterator

from reconciler.plan.outcome import Forecast, ObjectChange
from reconciler.plan.wording import SIGNS, headline, image_lines, pod_lines, readiness, said, titled

LONGEST = 60_000
"""Characters; the forges take 65,536."""
MARK = "<!-- wherry plan -->"
"""The first line, by which a workflow finds its own comment again."""
_LEFT_OUT = "\n*The rest is left out, a comment would not take it; run `wherry plan` to see all of it.*\n"


def say(plan: Forecast) -> str:
    """At most `LONGEST` characters."""
    text = f"{MARK}\n### Wherry plan\n\n**{headline(plan)}**\n"
    for part in _parts(plan):
        if len(text) + len(part) > LONGEST - len(_LEFT_OUT):
            return text + _LEFT_OUT
        text += part
    return text


def _parts(plan: Forecast) -> Iterator[str]:
    """In the order of their importance; each is complete in itself."""
    if plan.notes:
        yield "\n" + "".join(f"> {_plain(note)}\n" for note in plan.notes)
    yield from _bulleted("Dangers", plan.dangers, ":warning: ")
    yield from _bulleted("Faults", map(str, plan.faults))
    yield from _table("Objects", ("", "Object", "Declared in, or why"), (_row(one) for one in plan.objects))
    yield from _table(
        "Pods",
        ("Workload", "Ready", "What happens"),
        ((one.title, readiness(one), "<br>".join(map(_cell, pod_lines(one)))) for one in plan.workloads),
        escape=False,
    )
    yield from _table("Images to pull", ("Image", "Size", "Nodes"), image_lines(plan.pulls))
    for one in plan.objects:
        if one.fields:
            yield _diff(one)


def _row(one: ObjectChange) -> tuple[str, ...]:
    beside = f"held back: {one.reason}" if one.action == "hold" else one.reason or one.place
    return SIGNS[one.action], one.title, beside


def _bulleted(title: str, lines: Iterable[str], sign: str = "") -> Iterator[str]:
    for number, line in enumerate(lines):
        heading = "" if number else f"\n#### {title}\n\n"
        yield f"{heading}- {sign}{_plain(line)}\n"


def _table(
    title: str, columns: tuple[str, ...], rows: Iterable[tuple[str, ...]], *, escape: bool = True
) -> Iterator[str]:
    for number, row in enumerate(rows):
        heading = "" if number else f"\n#### {title}\n\n{_cells(columns)}{_cells(tuple('---' for _ in columns))}"
        yield heading + _cells(tuple(map(_cell, row)) if escape else row)


def _cells(row: tuple[str, ...]) -> str:
    return f"| {' | '.join(row)} |\n"


def _cell(text: str) -> str:
    return _plain(text).replace("|", "\\|")


def _plain(text: str) -> str:
    """Nothing in it is taken for markup, or calls anybody."""
    escaped = "".join(f"\\{letter}" if letter in "\\`*_[]<>~#" else letter for letter in text)
    return " ".join(escaped.replace("@", "@\u200b").split())


def _diff(one: ObjectChange) -> str:
    lines = [f"@@ {one.title} @@"]
    for field in one.fields:
        if field.before is not None:
            lines.append(f"- {field.path}: {said(field.before)}")
        if field.after is not None:
            lines.append(f"+ {field.path}: {said(field.after)}")
    body = "\n".join(line.replace("```", "` ` `") for line in lines)
    return f"\n<details><summary>{_plain(titled(one))}</summary>\n\n```diff\n{body}\n```\n\n</details>\n"
