"""Answers of other servers, for as long as they say that they hold: pure, with the time from outside."""

import msgspec

MAX_ANSWERS = 5_000
MAX_SECONDS = 300.0
"""However long a server says: a node shall not stay with an address for a day that was changed."""


class Held(msgspec.Struct, frozen=True):
    """A packet with the places of its times, when it came, and until when it holds."""

    packet: bytes
    times: tuple[int, ...]
    came: float
    until: float


class Memory:
    """Keyed by what was asked. The oldest goes when there is no room."""

    def __init__(self) -> None:
        self._held: dict[bytes, Held] = {}

    def put(self, question: bytes, packet: bytes, times: tuple[int, ...], seconds: float, now: float) -> None:
        self._held.pop(question, None)
        self._held[question] = Held(packet, times, now, now + min(seconds, MAX_SECONDS))
        if len(self._held) > MAX_ANSWERS:
            del self._held[next(iter(self._held))]

    def get(self, question: bytes, now: float) -> Held | None:
        """What holds still."""
        held = self._held.get(question)
        if held is None or held.until > now:
            return held
        del self._held[question]
        return None
