"""The pause after a pull that failed: 10 s doubling to 5 min, as the kubelet's. Pure.

A registry that says how long it wants to be left alone (`Retry-After`) is left alone for at least that long.
"""

import re

import msgspec

FIRST_DELAY = 10.0
LONGEST_DELAY = 300.0
"""Seconds between pulls of a reference that fails."""


_OUT_OF_REACH = re.compile(
    r"no such host|server misbehaving|name resolution|connection refused|connection reset|network is unreachable"
    r"|no route to host|host is down|i/o timeout|handshake timeout|deadline exceeded|unexpected EOF|: 5\d\d "
)


def is_out_of_reach(error: str) -> bool:
    """Whether no registry has answered: what is on the node is all that can be had. The words are containerd's."""
    return _OUT_OF_REACH.search(error) is not None


class PullBackOff(msgspec.Struct, frozen=True):
    """Of one reference: what the last pull failed with, and until when the next one waits."""

    error: str
    delay: float
    until: float

    @staticmethod
    def after(before: "PullBackOff | None", error: str, now: float, asked: float = 0.0) -> "PullBackOff":
        """One that has rested for long begins anew. `asked`: for how long the registry wants to be left alone."""
        fresh = before is None or now - before.until > 2 * LONGEST_DELAY
        delay = FIRST_DELAY if before is None or fresh else min(before.delay * 2, LONGEST_DELAY)
        return PullBackOff(error, delay, now + max(delay, asked))
