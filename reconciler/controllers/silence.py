"""How long a node has had no word of the reconciler, by which its fenced pods count; see `schemas.nodeloss`."""

from collections.abc import Callable

import msgspec


class Silence(msgspec.Struct, frozen=True):
    """`seconds` by the clock; `proven`: as far as it is known that the node had none elsewhere either."""

    seconds: float
    proven: float


Silences = Callable[[str], Silence]
"""Of a node by name."""


def never(_: str) -> Silence:
    """Where nobody knows: then no pod is ever counted out."""
    return Silence(0.0, 0.0)
