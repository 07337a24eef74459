"""Network namespaces for a benchmark: star-shaped around one, touching nothing of the machine's own network.

All goes when the benchmark ends, by whatever way it can notice.
"""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence

HUB = "hub"


class Hosts:
    """`address` of each host; the hub has the first address of each one's network, and is its router."""

    def __init__(self, names: Sequence[str]) -> None:
        self._prefix = f"wb{os.getpid()}-"
        self._names = names
        self.address = {name: f"10.91.{number}.2" for number, name in enumerate(names)}

    def enter(self, name: str) -> list[str]:
        """What to put before a command so that it runs there."""
        return ["nsenter", f"--net=/var/run/netns/{self._prefix}{name}"]

    def create(self) -> None:
        hub = f"{self._prefix}{HUB}"
        for name in (HUB, *self._names):
            run("ip", "netns", "add", f"{self._prefix}{name}")
            run("ip", "-n", f"{self._prefix}{name}", "link", "set", "lo", "up")
        for number, name in enumerate(self._names):
            own, far = f"{self._prefix}{name}", f"to{number}"
            run("ip", "-n", hub, "link", "add", far, "type", "veth", "peer", "name", "eth0", "netns", own)
            for space, device, last in ((hub, far, 1), (own, "eth0", 2)):
                run("ip", "-n", space, "addr", "add", f"10.91.{number}.{last}/24", "dev", device)
                run("ip", "-n", space, "link", "set", device, "up")
            run("ip", "-n", own, "route", "add", "default", "via", f"10.91.{number}.1")

    def remove(self) -> None:
        for name in (HUB, *self._names):
            subprocess.run(["ip", "netns", "del", f"{self._prefix}{name}"], capture_output=True, check=False)


def run(*command: str) -> None:
    subprocess.run(command, check=True, timeout=60)


@contextlib.contextmanager
def hosts(*names: str) -> Iterator[Hosts]:
    """A hub and these hosts around it."""
    with ending_well():
        made = Hosts(names)
        try:
            made.create()
            yield made
        finally:
            made.remove()


@contextlib.contextmanager
def ending_well() -> Iterator[None]:
    """A signal ends the benchmark through every `finally`; those after the first break nothing of that."""
    both = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(one) for one in both]

    def stop(number: int, _: object) -> None:
        for one in both:
            signal.signal(one, signal.SIG_IGN)
        sys.exit(128 + number)

    for one in both:
        signal.signal(one, stop)
    try:
        yield
    finally:
        for one, handler in zip(both, before, strict=True):
            signal.signal(one, handler)
