"""When the reconciler last had word for this node, and what follows for the pods that are fenced.

A fenced pod may run for as long as its lease lasts, and the lease begins with the *asking*: whoever answers knows that
it ends no later than a lease after the answer, however long that was under way. The clock is the machine's time since
its boot, which no one sets and which goes on while the machine sleeps. The time of the last word lies in the run
directory, on memory, so that an agent that is started again stops nothing; after a reboot there is none, and no fenced
pod starts before there is word again.
"""

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

from schemas.core.pod import Pod
from schemas.nodeloss import is_fenced, lease_seconds

log = logging.getLogger(__name__)

FILE = "lease"
NEVER = float("inf")


def since_boot() -> float:
    """Seconds."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


class Lease:
    """`regained` is called when there is word again; what had run out by then may run."""

    def __init__(self, run: Path, clock: Callable[[], float] = since_boot) -> None:
        self._path, self.clock = run / FILE, clock
        self.regained: Callable[[], None] = lambda: None
        self._word: float | None = self._read()

    def left(self, pod: Pod) -> float:
        """Seconds for which the pod may run; `NEVER` does one end that is not fenced."""
        if not is_fenced(pod):
            return NEVER
        return self.left_of(lease_seconds(pod))

    def left_of(self, seconds: float) -> float:
        """Seconds that are left of a lease of so many."""
        return 0.0 if self._word is None else max(0.0, self._word + seconds - self.clock())

    def renew(self, asked: float) -> None:
        """There was an answer to what was asked at that time."""
        if self._word is not None and asked <= self._word:
            return
        self._word = asked
        try:
            self._write(asked)
        except OSError as error:  # then an agent that is started again has to wait for word
            log.warning("the lease cannot be kept for the next agent file=%s error=%s", self._path, error)
        self.regained()

    def _write(self, asked: float) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        new = self._path.with_suffix(".new")
        new.write_text(f"{boot_id()} {asked!r}")
        os.replace(new, self._path)

    def _read(self) -> float | None:
        """None where there is nothing, or a time that is not of this boot."""
        try:
            boot, asked = self._path.read_text().split()
            return float(asked) if boot == boot_id() and 0 <= float(asked) <= self.clock() else None
        except (OSError, ValueError):
            return None
