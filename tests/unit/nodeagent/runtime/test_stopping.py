"""Ending a process by a signal of one's choice."""

import asyncio
import sys

from nodeagent.runtime.stopping import end_by

WAITS = "import signal; signal.signal(signal.SIGUSR1, lambda *_: exit(7)); print('waits', flush=True); signal.pause()"
IGNORES = WAITS.replace("lambda *_: exit(7)", "signal.SIG_IGN")


async def process(script: str) -> asyncio.subprocess.Process:
    begun = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE)
    assert begun.stdout
    assert await begun.stdout.readline() == b"waits\n"
    return begun


async def test_a_process_gets_the_signal_and_its_end_is_waited_for() -> None:
    one = await process(WAITS)
    assert await end_by(one.pid, "SIGUSR1", 30)
    assert await one.wait() == 7


async def test_one_that_does_not_end_is_left_when_the_time_is_over() -> None:
    one = await process(IGNORES)
    assert not await end_by(one.pid, "SIGUSR1", 0.05)
    one.kill()
    await one.wait()


async def test_one_that_is_gone_has_ended() -> None:
    one = await process(WAITS)
    one.kill()
    await one.wait()
    assert await end_by(one.pid, "SIGUSR1", 0.05)
