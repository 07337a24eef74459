"""Durations as Kubernetes' configuration files write them: `1m30s`. Pure."""

import re

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")


def seconds(text: str) -> float:
    """Raises `ValueError` with a sentence for a person."""
    if text == "0":
        return 0.0
    parts = _PART.findall(text)
    if not parts or "".join(amount + unit for amount, unit in parts) != text:
        raise ValueError(f"expected a duration such as 30s or 1m30s, found {text!r}")
    return sum(float(amount) * _UNITS[unit] for amount, unit in parts)
