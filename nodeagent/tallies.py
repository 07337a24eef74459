"""The sums that an agent keeps of its own doings since its start, for `status` and for metrics.

One for the process, since what is counted happens far apart. Counting is all that is done here.
"""

from collections import Counter, defaultdict


class Operation:
    """Calls of one kind to the runtime; `seconds` of all together."""

    __slots__ = ("calls", "failures", "seconds")

    def __init__(self) -> None:
        self.calls = self.failures = 0
        self.seconds = 0.0


class Tallies:
    """`written`: bytes, by what they are for. `probes`: looks, by kind and outcome."""

    def __init__(self) -> None:
        self.operations: defaultdict[str, Operation] = defaultdict(Operation)
        self.probes = Counter[tuple[str, str]]()
        self.written = Counter[str]()

    def operation(self, name: str, seconds: float, *, failed: bool) -> None:
        found = self.operations[name]
        found.calls += 1
        found.failures += failed
        found.seconds += seconds


TALLIES = Tallies()
