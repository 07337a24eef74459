"""All tests, in several processes at once: those of the lab mostly wait for containers and links, the others reckon.

`python -m tests [PYTEST ARGUMENT…]`. Each lane runs its own parts one after another, each in a process of its own, and
then takes from what is left, so that the last ends as early as may be. What the first part says is shown at once, that
of each other one when it has ended, whole. Ends with 1 where a test failed or a part ended otherwise than it should.
"""

import asyncio
import contextlib
import signal
import sys
import tempfile
import time
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

LAB = "tests/lab"
HERE = ("runtime", "pods", "settings", "resilience", "images", "lifecycle", "demo")
"""Tests of the lab whose nodes are in this machine's own network, with host ports and subnets: never two at once."""
LONG = (
    "kills",
    "services",
    "cut_off",
    "following_the_folder",
    "ingress",
    "controllers",
    "policies",
    "streams",
    "network",
    "node",
    "tunnels",
)
"""Begun early, so that none of them is the last."""
CONTROL = "tests/unit/reconciler"
"""About half of what is outside the lab."""
FREE_LANES = 2

INTERRUPTED, NOTHING_COLLECTED = 2, 5


class Part:
    """One process of pytest."""

    def __init__(self, name: str, *arguments: str) -> None:
        self.name, self._arguments = name, arguments
        self.code: int | None = None
        self.seconds = 0.0
        self.said = b""

    async def run(self, extra: list[str], *, shown: bool) -> None:
        """To its end. One that is given up is told so, and has the time to take its nodes down."""
        began = time.monotonic()
        with tempfile.TemporaryFile() as file:
            output = None if shown else file
            command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *self._arguments, *extra]
            # A session of its own: an interrupt from the keyboard comes once, from here, and does not break a cleaning.
            process = await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
            try:
                self.code = await process.wait()
            except asyncio.CancelledError:
                with contextlib.suppress(ProcessLookupError):
                    process.send_signal(signal.SIGINT)
                await process.wait()
                self.code = INTERRUPTED
                raise
            finally:
                self.seconds = time.monotonic() - began
                file.seek(0)
                self.said = file.read()

    def passed(self, extra: list[str]) -> bool:
        return self.code == 0 or (self.code == NOTHING_COLLECTED and bool(extra))


class Suite:
    """`begun`: parts in their order. The first lane's first part is shown while it runs."""

    def __init__(self, lanes: list[list[Part]], left: list[Part], extra: list[str]) -> None:
        self._lanes, self._left, self._extra = lanes, left, extra
        self._shown = lanes[0][0]
        self._unsaid: list[Part] = []
        self.begun: list[Part] = []

    async def run(self) -> None:
        """Each lane's own parts in their order; then those that are left, by whichever lane is free."""
        left = iter(self._left)
        try:
            async with asyncio.TaskGroup() as group:
                for lane in self._lanes:
                    group.create_task(self._run(chain(lane, left)))
        finally:
            self._say()

    async def _run(self, parts: Iterable[Part]) -> None:
        for part in parts:
            self.begun.append(part)
            try:
                await part.run(self._extra, shown=part is self._shown)
            finally:
                self._unsaid.append(part)
                if self._shown.code is not None:
                    self._say()

    def _say(self) -> None:
        sys.stdout.flush()
        for part in self._unsaid:
            sys.stdout.buffer.write(part.said)
        sys.stdout.flush()
        self._unsaid.clear()

    def summary(self) -> str:
        told = ((part, "passed" if part.passed(self._extra) else f"FAILED ({part.code})") for part in self.begun)
        return "\n".join(["", *(f"{part.seconds:6.0f} s  {word:11} {part.name}" for part, word in told)])

    def passed(self) -> bool:
        return all(part.passed(self._extra) for part in chain(*self._lanes, self._left))


def lab_parts() -> tuple[list[Part], list[Part]]:
    """Those in this machine's own network, and the others."""
    names = [path.stem.removeprefix("test_") for path in sorted(Path(LAB).glob("test_*.py"))]
    ordered = sorted(names, key=lambda name: (*HERE, *LONG, name).index(name))
    here = [Part(f"{LAB}/test_{name}.py", f"{LAB}/test_{name}.py") for name in ordered if name in HERE]
    return here, [Part(f"{LAB}/test_{name}.py", f"{LAB}/test_{name}.py") for name in ordered if name not in HERE]


async def main(extra: list[str]) -> bool:
    """Whether all passed."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    here, others = lab_parts()
    unit = [Part(CONTROL, CONTROL)], [Part("all others", f"--ignore={LAB}", f"--ignore={CONTROL}")]
    suite = Suite([*unit, here, *([] for _ in range(FREE_LANES))], others, extra)
    try:
        await suite.run()
    finally:
        print(suite.summary(), flush=True)
    return suite.passed()


if __name__ == "__main__":
    # A shell ignores it in the background, and so would each part when it is told to end.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        sys.exit(0 if asyncio.run(main(sys.argv[1:])) else 1)
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit(128 + signal.SIGINT)
