"""How much may be asked at a time: requests under way, in all and of one user; watches and streams counted apart.

Pure counting. What is over the limit is refused at once (429), and the client asks again: that costs less memory
than a queue. `system:masters` have no share of their own, so that a person can always look what goes on.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from reconciler.api.status import StatusError
from reconciler.api.users import User

RETRY_SECONDS = 1


class Bounds(msgspec.Struct, frozen=True):
    in_all: int
    of_one: int


SHORT = Bounds(in_all=512, of_one=128)
LONG = Bounds(in_all=4096, of_one=1536)
"""Of watches, logs that are followed, and shells."""


class InFlight:
    """The requests under way, of one of the two sorts."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._of: Counter[str] = Counter()
        self._all = 0

    def __len__(self) -> int:
        return self._all

    @contextmanager
    def entered(self, user: User) -> Iterator[None]:
        """One more request of the user, while the context lasts. Raises the 429."""
        bounds = self._bounds
        if self._all >= bounds.in_all or (not user.is_master and self._of[user.name] >= bounds.of_one):
            raise too_many()
        self._all += 1
        self._of[user.name] += 1
        try:
            yield
        finally:
            self._all -= 1
            self._of[user.name] -= 1
            if not self._of[user.name]:
                del self._of[user.name]


def too_many() -> StatusError:
    message = "Too many requests, please try again later."
    return StatusError(429, "TooManyRequests", message, details={"retryAfterSeconds": RETRY_SECONDS})
