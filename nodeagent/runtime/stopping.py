"""Ends a process by another signal than SIGTERM, for CRI before its version 1.34 knows only that and the image's own.

By a descriptor of the process, so that no other one that has taken its number is ever meant, and so that its end is
heard of without looking.
"""

import asyncio
import os
import signal

from schemas.signals import number


async def end_by(pid: int, name: str, seconds: float) -> bool:
    """Sends the signal and waits for the end of the process; False where it has not ended by then."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    try:
        loop.add_reader(process, ended.set)
        signal.pidfd_send_signal(process, number(name))
        async with asyncio.timeout(seconds):
            await ended.wait()
    except ProcessLookupError:
        return True
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(process)
        os.close(process)
    return True
