"""Holds up the machine's shutdown until pods have ended, where systemd runs the machine.

One child process does both parts: `systemd-inhibit` holds the lock for as long as the program lives that it runs, and
that is `busctl`, which prints a line when the shutdown begins. So the agent needs no D-Bus of its own, and an agent
that dies lets go. https://systemd.io/INHIBITOR_LOCKS/
"""

import asyncio
import contextlib
import logging
import os
import re
import shutil
import signal
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from nodeagent.files import write_if_changed

log = logging.getLogger(__name__)

MATCH = "type='signal',interface='org.freedesktop.login1.Manager',member='PrepareForShutdown'"
_WITH_PARENT = ("setpriv", "--pdeathsig", "TERM")
"""Ends with whoever started it: an agent that is killed must leave no lock behind."""
COMMAND = (
    *_WITH_PARENT,
    "systemd-inhibit",
    "--what=shutdown",
    "--mode=delay",
    "--who=wherry",
    "--why=pods are ended in order",
    *_WITH_PARENT,
    "busctl",
    "monitor",
    "--json=short",
    "--match",
    MATCH,
)
PROGRAMS = ("setpriv", "systemd-inhibit", "busctl")
SETTINGS = Path("/etc/systemd/logind.conf.d/99-wherry.conf")
RETRY_SECONDS = 30.0
STANDS_SECONDS = 10.0
"""logind gives no lock while the machine goes down. Who has one for so long knows that it does not, or no more."""
MAX_LINE = 64 * 1024
_BEGINS = re.compile(rb'PrepareForShutdown.*"data":\[(true|false)\]')


class Inhibitor:
    """`seconds`: how long the shutdown is held up at most. `down` ends the pods; `up`: it was called off."""

    def __init__(
        self,
        seconds: float,
        *,
        down: Callable[[], Awaitable[None]],
        up: Callable[[], None],
        command: Sequence[str] = COMMAND,
        settings: Path = SETTINGS,
    ) -> None:
        self._seconds, self._down, self._up = seconds, down, up
        self._command, self._settings = command, settings
        self._is_down = False

    async def run(self) -> None:
        """Until cancelled."""
        missing = [name for name in PROGRAMS if name in self._command and shutil.which(name) is None]
        if missing:
            log.warning("pods are not ended before the machine goes down: not installed: %s", ", ".join(missing))
            return
        await self._allow_delay()
        while True:
            if not await self._hold():
                log.warning("nothing holds up the machine's shutdown, trying again in %.0f s", RETRY_SECONDS)
            await asyncio.sleep(RETRY_SECONDS)

    async def _allow_delay(self) -> None:
        """logind lets go after five seconds, unless its configuration says otherwise."""
        text = (
            f"# For the shutdownGracePeriod of the node agent.\n[Login]\nInhibitDelayMaxSec={int(self._seconds) + 1}\n"
        )
        try:
            if write_if_changed(self._settings, text):
                process = await asyncio.create_subprocess_exec(
                    "systemctl", "kill", "--signal=SIGHUP", "systemd-logind", stderr=asyncio.subprocess.DEVNULL
                )
                await process.wait()
        except OSError as error:
            log.warning("logind holds up no shutdown for longer than 5 s: %s cannot be set: %s", self._settings, error)

    async def _hold(self) -> bool:
        """One life of the child. True when a shutdown was held up."""
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                limit=MAX_LINE,
                start_new_session=True,
            )
        except OSError as error:
            log.warning("cannot hold up the machine's shutdown error=%s", error)
            return False
        assert process.stdout is not None
        stands = asyncio.get_running_loop().call_later(STANDS_SECONDS, self._stands)
        try:
            while line := await process.stdout.readline():
                found = _BEGINS.search(line)
                if found and found[1] == b"true":
                    log.warning("the machine goes down: ending pods")
                    self._is_down = True
                    stands.cancel()
                    await self._down()
                    return True
                if found:
                    self._up()
            return False
        except ValueError:
            return False  # a line longer than any that is meant for us
        finally:
            stands.cancel()
            # Both of them: the lock is let go with the last.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            await process.wait()

    def _stands(self) -> None:
        """Whether it was called off is asked, too, since nobody listened after the lock was let go."""
        if self._is_down:
            self._is_down = False
            log.info("the machine does not go down")
            self._up()
