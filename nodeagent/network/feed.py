"""The network of all nodes as the broker tells it, kept on disk for a start without one.

What is on disk is written behind, for endpoints come and go: a node that starts without a link begins with what
was known a minute before the end, or at the end where it came in good order.
"""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

import msgspec

from nodeagent.files import write_if_changed
from nodeagent.network.state import Known, NetworkState
from schemas.messages import encode

log = logging.getLogger(__name__)

FILE = "network.json"
WRITE_SECONDS = 60.0
ASK_SECONDS = (5.0, 60.0)
"""How long what is told may fail to add up before the broker is asked again: at first, and at most."""


class Feed:
    """`changed` is called in the loop with each new state, `linked` when a connection comes or goes."""

    def __init__(
        self,
        directory: Path,
        changed: Callable[[NetworkState], None],
        linked: Callable[[bool], object] = lambda _: None,
    ) -> None:
        self._path, self._changed, self._linked = directory / FILE, changed, linked
        self._known = Known(_load(self._path))
        self._written = self._known.state
        self._unwritten = asyncio.Event()
        self._ask: Callable[[], object] = _nobody
        self._asking: asyncio.TimerHandle | None = None
        self._patience = ASK_SECONDS[0]

    @property
    def state(self) -> NetworkState:
        return self._known.state

    def begin(self, ask_again: Callable[[], object]) -> None:
        """A connection is there, and tells everything. `ask_again` has it told once more."""
        self._known.begin()
        self._ask, self._patience = ask_again, ASK_SECONDS[0]
        self._linked(True)

    def end(self) -> None:
        """The connection is lost; what is known holds on."""
        self._ask = _nobody
        self._be_patient()
        self._linked(False)

    def said(self, key: str, payload: bytes) -> None:
        """A message under `network/`. Raises `BadMessage`."""
        before = self._known.state
        try:
            self._known.say(key, payload)
        finally:
            if self._known.lacks and self._asking is None:
                self._asking = asyncio.get_running_loop().call_later(self._patience, self._ask_again)
            elif self._known.whole:
                self._patience = ASK_SECONDS[0]
                self._be_patient()
            if self._known.state is not before:
                self._unwritten.set()
                self._changed(self._known.state)

    async def run(self) -> None:
        """Writes what has changed, until cancelled, and then once more."""
        try:
            while True:
                await self._unwritten.wait()
                await asyncio.sleep(WRITE_SECONDS)
                self._unwritten.clear()
                self._write()
        finally:
            self._write()

    def _write(self) -> None:
        state = self._known.state
        if state is self._written:
            return
        try:
            write_if_changed(self._path, encode(state).decode())
            self._written = state
        except OSError as error:
            log.error("cannot keep what is known of the network file=%s error=%s", self._path, error)

    def _ask_again(self) -> None:
        self._asking = None
        if self._known.lacks:
            log.warning("the broker has not told all of the network, asking again in=%.0f s", self._patience)
            self._patience = min(2 * self._patience, ASK_SECONDS[1])
            self._known.begin()
            self._ask()

    def _be_patient(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None


def _load(path: Path) -> NetworkState:
    """What was kept. What is damaged is said and left: the broker will tell it again."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=NetworkState)
    except FileNotFoundError:
        return NetworkState()
    except (OSError, msgspec.DecodeError) as error:
        log.error("what was known of the network is damaged, beginning with nothing file=%s error=%s", path, error)
        return NetworkState()


def _nobody() -> None:
    return
