"""Keeps the lease of this node: asks the reconciler for word, as long as there are pods that are fenced.

Nothing is said for a node without such pods. Word counts from when it was asked for, and only once the digest that it
goes with has been accepted: an older one may name pods that were replaced meanwhile.

While there is no reconciler (its last will says so) nobody can replace a pod. Then the broker's acknowledgement stands
for word, but only for a lease that still holds: one that has run out may have been counted out.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from nodeagent.accepted import Accepted
from nodeagent.lease import Lease
from schemas.messages import LeaseGrant, LeaseRequest, decode, encode
from schemas.nodeloss import RENEWALS, is_fenced, lease_seconds

log = logging.getLogger(__name__)

FIRST_RETRY = 0.5
MAX_ASKED = 16
"""Requests whose answers are still good for something."""

Publish = Callable[[bytes], Awaitable[None]]
"""Returns when the broker has it."""


class Renewal:
    """`run` it for each connection. It knows the accepted state from `accepted`, which is called with each new one."""

    def __init__(self, lease: Lease, epoch: int, accepted: Accepted) -> None:
        self._lease, self._epoch = lease, epoch
        self._accepted = accepted
        self._shortest = _shortest(accepted)
        self._asked: dict[int, float] = {}
        self._number = 0
        self._unanswered = 0
        self._granted: LeaseGrant | None = None
        self._is_away = False
        self._look_again = asyncio.Event()

    async def run(self, publish: Publish) -> None:
        """Until cancelled, or the connection is lost."""
        async with asyncio.TaskGroup() as asking:
            while True:
                pause = self._pause()
                if pause is not None:
                    asking.create_task(self._ask(publish), name="lease-ask")
                try:
                    async with asyncio.timeout(pause):
                        await self._look_again.wait()
                    self._look_again.clear()
                except TimeoutError:
                    continue

    def lost(self) -> None:
        """The connection is: nothing is known of the reconciler until the broker says it again."""
        self._is_away = False
        self._unanswered = 0

    def accepted(self, accepted: Accepted) -> None:
        """What is on this node's disk from now on."""
        self._accepted = accepted
        shortest = _shortest(accepted)
        if shortest != self._shortest:
            self._shortest = shortest
            self._look_again.set()
        self._take(self._granted)

    def reconciler(self, is_there: bool) -> None:
        """What the broker says of the reconciler."""
        was_away, self._is_away = self._is_away, not is_there
        if was_away and is_there:
            self._look_again.set()

    def granted(self, payload: bytes) -> None:
        """Raises `BadMessage`."""
        grant = decode(payload, LeaseGrant)
        if grant.epoch == self._epoch:
            self._granted = grant
            self._take(grant)

    def _take(self, grant: LeaseGrant | None) -> None:
        digest = self._accepted.digest
        if grant is None or grant.store != digest.store or grant.revision > digest.revision:
            return  # the digest that it goes with is still on its way
        self._granted = None
        asked = self._asked.get(grant.number)
        if asked is not None:
            self._asked = {number: at for number, at in self._asked.items() if number > grant.number}
            self._unanswered = 0
            self._lease.renew(asked)

    def _pause(self) -> float | None:
        """Until when one request is enough; None where there is none to be made before something changes."""
        if self._shortest is None:
            return None
        usual = self._shortest / RENEWALS
        if self._lease.left_of(self._shortest) > 0:
            return usual
        return None if self._is_away else min(usual, FIRST_RETRY * 2.0 ** min(self._unanswered, 16))

    async def _ask(self, publish: Publish) -> None:
        self._number += 1
        self._unanswered += 1
        asked, was_away = self._lease.clock(), self._is_away
        self._asked[self._number] = asked
        if len(self._asked) > MAX_ASKED:
            del self._asked[next(iter(self._asked))]
        await publish(encode(LeaseRequest(self._epoch, self._number)))
        holds = self._shortest is not None and self._lease.left_of(self._shortest) > 0
        if was_away and self._is_away and holds:
            self._lease.renew(asked)


def _shortest(accepted: Accepted) -> float | None:
    """The shortest lease of the pods here, None where none is fenced."""
    pods = (assignment.pod for assignment in accepted.pods.values())
    return min((lease_seconds(pod) for pod in pods if is_fenced(pod)), default=None)
