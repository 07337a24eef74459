"""A plan for a terminal: what is dangerous first, then objects, pods and images. Pure."""

from collections.abc import Iterable, Iterator

from reconciler.plan.outcome import Forecast, Workload
from reconciler.plan.wording import field_line, headline, image_lines, pod_lines, readiness, titled

MOST_FIELDS = 20
"""Of one object; `--output json` has them all."""


def say(plan: Forecast) -> str:
    """The whole text, without a line's end."""
    return "\n".join(_lines(plan))


def _lines(plan: Forecast) -> Iterator[str]:
    yield headline(plan)
    for note in plan.notes:
        yield f"Note: {note}"
    yield from _section("Dangers", (f"! {danger}" for danger in plan.dangers))
    yield from _section("Faults", map(str, plan.faults))
    yield from _section("Objects", _objects(plan))
    yield from _section("Pods", _workloads(plan.workloads))
    yield from _section("Images to pull", _aligned(image_lines(plan.pulls)))


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    found = list(lines)
    if found:
        yield ""
        yield title
        yield from (f"  {line}" for line in found)


def _objects(plan: Forecast) -> Iterator[str]:
    width = max((len(titled(one)) for one in plan.objects), default=0)
    for one in plan.objects:
        beside = f"held back: {one.reason}" if one.action == "hold" else one.reason or one.place
        yield f"{titled(one):{width}}  {beside}".rstrip()
        for field in one.fields[:MOST_FIELDS]:
            yield f"    {field_line(field)}"
        if len(one.fields) > MOST_FIELDS:
            yield f"    and {len(one.fields) - MOST_FIELDS} more fields"


def _workloads(workloads: Iterable[Workload]) -> Iterator[str]:
    for one in workloads:
        lines = list(pod_lines(one))
        yield f"{one.title}: {readiness(one)}"
        yield from (f"    {line}" for line in lines)


def _aligned(rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    found = list(rows)
    widths = [max(map(len, column)) for column in zip(*found, strict=True)]
    for row in found:
        yield "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
