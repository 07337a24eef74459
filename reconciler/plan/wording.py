"""The words that all forms of a plan for people have in common. Pure."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from reconciler.plan.outcome import FieldChange, Forecast, ObjectChange, PodChange, Pull, Verb, Workload

SIGNS = {"create": "+", "change": "~", "delete": "-", "hold": "!"}
NOTHING = "No changes: the cluster is as this folder declares it."
_MOST_NODES = 6
_LONGEST = 100
_VERBS: dict[Verb, tuple[str, str]] = {
    "restart": ("restarts", "restart"),
    "move": ("moves", "move"),
    "start": ("starts", "start"),
    "stop": ("stops", "stop"),
}


def headline(plan: Forecast) -> str:
    """The whole plan in one line."""
    if not plan.has_changes:
        return NOTHING
    one = plan.summary
    objects = [
        f"{number} {what}"
        for number, what in (
            (one.created, "created"),
            (one.changed, "changed"),
            (one.deleted, "deleted"),
            (one.held_back, "held back"),
        )
        if number
    ]
    happening: list[tuple[int, Verb]] = [
        (one.started, "start"),
        (one.stopped, "stop"),
        (one.restarted, "restart"),
        (one.moved, "move"),
    ]
    pods = [f"{number} {_VERBS[verb][number > 1]}" for number, verb in happening if number]
    if one.pending:
        pods.append(f"{one.pending} Pending")
    return f"Objects: {', '.join(objects) or 'none'}. Pods: {', '.join(pods) or 'none'}."


def titled(one: ObjectChange) -> str:
    return f"{SIGNS[one.action]} {one.title}"


def said(value: object) -> str:
    """A field's value on one line, bounded."""
    if value is None:
        return "(not set)"
    text = value if isinstance(value, str) and value.startswith("<hidden") else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text)} characters)"


def field_line(one: FieldChange) -> str:
    return f"{one.path}: {said(one.before)} -> {said(one.after)}"


def pod_lines(one: Workload) -> Iterator[str]:
    """`3 pods restart with image web:2 (2 on n1, 1 on n2)`."""
    groups: dict[tuple[Verb, tuple[str, ...]], list[PodChange]] = {}
    for change in one.pods:
        groups.setdefault((change.verb, change.images), []).append(change)
    for (verb, images), changes in groups.items():
        total = sum(change.count for change in changes)
        with_ = f" with image {', '.join(dict.fromkeys(images))}" if verb != "stop" and images else ""
        yield f"{_counted(total, 'pod')} {_VERBS[verb][total > 1]}{with_} ({_places(verb, changes)})"
    for each in one.pending:
        still = "" if each.is_new else ", as now"
        yield f"{_counted(each.count, 'pod')} Pending{still}: {each.reason}"


def _places(verb: Verb, changes: Sequence[PodChange]) -> str:
    if verb == "move":
        moves = Counter({f"{one.from_node} -> {one.node}": one.count for one in changes})
        return _listed(moves)
    return _listed(Counter({f"on {one.node}": one.count for one in changes}))


def _listed(places: Counter[str]) -> str:
    """The most first, the rest as a number: a plan for a hundred nodes has to stay readable."""
    ranked = sorted(places.items(), key=lambda item: (-item[1], item[0]))
    shown = [f"{count} {place}" for place, count in ranked[:_MOST_NODES]]
    if len(ranked) > _MOST_NODES:
        shown.append(f"{sum(count for _, count in ranked[_MOST_NODES:])} elsewhere")
    return ", ".join(shown)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def readiness(one: Workload) -> str:
    """`5 of 5 Ready, 4 at the least on the way`."""
    text = f"{one.ready_after} of {one.wanted_after} Ready"
    if one.lowest_ready < min(one.ready_before, one.ready_after):
        text += f", at least {one.lowest_ready} on the way"
    return text


def image_lines(pulls: Iterable[Pull]) -> Iterator[tuple[str, str, str]]:
    """Image, its size, and the nodes that lack it."""
    nodes: dict[tuple[str, int | None], list[str]] = {}
    for one in pulls:
        nodes.setdefault((one.image, one.size_bytes), []).append(one.node)
    for (image, size), names in nodes.items():
        more = f" and {len(names) - _MOST_NODES} more" if len(names) > _MOST_NODES else ""
        yield image, size_of(size), f"{', '.join(names[:_MOST_NODES])}{more}"


def size_of(size: int | None) -> str:
    if size is None:
        return "size unknown"
    return f"{size / 1024**2:.1f} MiB" if size < 1024**3 else f"{size / 1024**3:.1f} GiB"
