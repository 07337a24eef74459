"""How a benchmark says what it measured: one JSON object a line. And how it ends when it is asked to."""

import json
import signal
import statistics
from collections.abc import Sequence


def say(name: str, value: float, unit: str, *, peer: str = "", peer_value: float | None = None) -> None:
    line: dict[str, object] = {"name": name, "value": round(value, 3), "unit": unit}
    if peer:
        line |= {"peer": peer, "peer_value": round(peer_value or 0.0, 3)}
    print(json.dumps(line), flush=True)


def end_in_order() -> None:
    """SIGTERM becomes SIGINT: what was begun is taken down, not left on the machine."""
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share (0 to 1) of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


median = statistics.median
