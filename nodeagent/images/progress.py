"""How a pull is told: what it took, and while it lasts, how far it is. Pure.

A pull that takes long is told of again and again, at times that double, so that an hour on a slow link is eight Events.
"""

from collections.abc import Iterator, Sequence

from nodeagent.runtime.interface import Download

FIRST_WORD = 15.0
"""Seconds until a pull is told to be under way."""


def pauses() -> Iterator[float]:
    """Seconds from one word to the next."""
    pause = FIRST_WORD
    yield pause
    while True:
        yield pause
        pause *= 2


def told(downloads: Sequence[Download], seconds: float) -> str:
    done, total = sum(one.done for one in downloads), sum(one.total for one in downloads)
    after = f"after {duration(round(seconds))}"
    if not total:
        return f"no layer is being fetched {after}"
    return f"{size(done)} of {size(total)} of the layers under way fetched {after}"


def size(count: int) -> str:
    """`12.3 MiB`."""
    if count < 1024 * 1024:
        return f"{count / 1024:.1f} KiB"
    return f"{count / 1024 / 1024:.1f} MiB"


def duration(seconds: float) -> str:
    """As Go writes it, to the millisecond: `612ms`, `1.2s`, `1m3.5s`, `1h0m2s`."""
    milliseconds = int(seconds * 1000)
    if milliseconds == 0:
        return "0s"
    if milliseconds < 1000:
        return f"{milliseconds}ms"
    hours, rest = divmod(milliseconds, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    text = f"{rest / 1000:.3f}".rstrip("0").rstrip(".") + "s"
    if hours or minutes:
        text = f"{minutes}m{text}"
    return f"{hours}h{text}" if hours else text
