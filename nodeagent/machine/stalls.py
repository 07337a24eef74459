"""Tells when processes stall for want of memory, where the kernel can (pressure stall information).

https://docs.kernel.org/accounting/psi.html#monitoring-for-pressure-thresholds. The event is one of urgency (`POLLPRI`),
which asyncio knows nothing of; an epoll of its own makes a readable descriptor of it.
"""

import asyncio
import logging
import os
import select
from collections.abc import Callable, Iterator
from contextlib import contextmanager

log = logging.getLogger(__name__)

FILE = "/proc/pressure/memory"
TRIGGER = b"some 200000 2000000\0"
"""Microseconds: a fifth of a second of stalls in two seconds; the kernel lets no window be shorter without rights."""


@contextmanager
def stalls_of_memory(told: Callable[[], None]) -> Iterator[None]:
    """Calls `told` in the loop at each stall. Where there is nothing to watch, nothing is called."""
    try:
        descriptor = os.open(FILE, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        yield
        return
    with select.epoll() as urgent:
        try:
            os.write(descriptor, TRIGGER)
            urgent.register(descriptor, select.EPOLLPRI)
        except OSError as error:
            log.debug("no word of stalls for memory error=%s", error)
            os.close(descriptor)
            yield
            return
        loop = asyncio.get_running_loop()

        def ready() -> None:
            if any(event & select.EPOLLPRI for _, event in urgent.poll(0)):
                told()
            else:
                loop.remove_reader(urgent.fileno())  # the trigger is no more

        loop.add_reader(urgent.fileno(), ready)
        try:
            yield
        finally:
            loop.remove_reader(urgent.fileno())
            os.close(descriptor)
