"""What a person has to know first about a plan, as sentences, the worst first. Pure."""

from collections.abc import Iterator, Sequence

from reconciler.plan.outcome import ObjectChange, Workload

_MOST_NAMED = 5


def dangers(objects: Sequence[ObjectChange], workloads: Sequence[Workload]) -> tuple[str, ...]:
    """Deletions, what is held back, pods that do not run, replicas that are missing for good, or for a while."""
    return (
        *_gone(objects),
        *(sentence for one in workloads for sentence in _stuck(one)),
        *(sentence for one in workloads for sentence in _short(one)),
        *(sentence for one in workloads for sentence in _interrupted(one)),
    )


def _gone(objects: Sequence[ObjectChange]) -> Iterator[str]:
    deleted = [one for one in objects if one.action == "delete"]
    if deleted:
        yield f"{_counted(len(deleted), 'object')} would be deleted: {_named(deleted)}"
    held: dict[str, list[ObjectChange]] = {}
    for one in objects:
        if one.action == "hold":
            held.setdefault(one.reason, []).append(one)
    for reason, some in held.items():
        yield f"{_counted(len(some), 'deletion')} would be held back, {_named(some)}: {reason}"


def _named(objects: Sequence[ObjectChange]) -> str:
    shown = ", ".join(one.title for one in objects[:_MOST_NAMED])
    more = len(objects) - _MOST_NAMED
    return f"{shown} and {more} more" if more > 0 else shown


def _stuck(one: Workload) -> Iterator[str]:
    for each in one.pending:
        if each.is_new:
            why = each.reason.partition(" preemption: ")[0]  # what may help matters less than what is the matter
            yield f"{one.title}: {_counted(each.count, 'pod')} would stay Pending: {why}"


def _short(one: Workload) -> Iterator[str]:
    missing = one.wanted_after - one.ready_after
    changes = one.pods or one.wanted_before != one.wanted_after or any(each.is_new for each in one.pending)
    if missing > 0 and changes:
        yield f"{one.title}: {one.ready_after} of {one.wanted_after} pods would be Ready in the end"


def _interrupted(one: Workload) -> Iterator[str]:
    least = min(one.ready_before, one.ready_after)
    if one.lowest_ready == 0 < least:
        yield f"{one.title}: no pod would be Ready for a while, of {one.ready_before} now"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
