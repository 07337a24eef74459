"""Amounts of the Kubernetes API, such as `500m`, `1Gi` or `2e3`, as exact integers.

Follows https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/: no amount is finer than a
billionth (finer ones are rounded away from zero) or beyond 2^63-1 (larger ones are capped). No floats take part, so
that the same text means the same amount on every machine.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Literal, NamedTuple

from schemas.meta import Quantity

_NANO = 10**9
_LARGEST = (2**63 - 1) * _NANO
_LONGEST = 64
"""Characters. Longer texts carry no further meaning, and would cost time to take apart."""

_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_DECIMAL_SUFFIX = {exponent: suffix for suffix, exponent in _DECIMAL.items()}
_FORM = re.compile(r"([+-]?)(?:([0-9]+)(?:\.([0-9]*))?|\.([0-9]+))([A-Za-z]*[+-]?[0-9]*)", re.ASCII)
_EXPONENT = re.compile(r"[eE]([+-]?[0-9]{1,3})", re.ASCII)


class _Amount(NamedTuple):
    nano: int
    format: Literal["decimal", "binary", "exponent"]


def milli(quantity: Quantity) -> int:
    """Thousandths, rounded up: 100 for `100m`, 1500 for `1.5`. Raises `ValueError`."""
    return -(-_amount(quantity).nano // 10**6)


def value(quantity: Quantity) -> int:
    """Whole units, rounded up: 1024 for `1Ki`, 1 for `100m`. Raises `ValueError`."""
    return -(-_amount(quantity).nano // _NANO)


def sign(quantity: Quantity) -> int:
    """-1, 0 or 1, also for amounts finer than a thousandth. Raises `ValueError`."""
    nano = _amount(quantity).nano
    return (nano > 0) - (nano < 0)


def exact(quantity: Quantity) -> int:
    """Billionths, the finest there is. Raises `ValueError`."""
    return _amount(quantity).nano


def total(quantities: Iterable[Quantity]) -> str:
    """The sum as the API prints it, in the form of the first that is not nothing. Raises `ValueError`."""
    return total_of((quantity, 1) for quantity in quantities)


def total_of(quantities: Iterable[tuple[Quantity, int]]) -> str:
    """As `total`, each as often as it says. Raises `ValueError`."""
    nano, format_ = 0, _Amount(0, "decimal").format
    for quantity, number in quantities:
        amount = _amount(quantity)
        if not nano:
            format_ = amount.format
        nano += amount.nano * number
    return _print(_Amount(min(nano, _LARGEST), format_))


def canonical(quantity: Quantity) -> str:
    """The amount as the Kubernetes API prints it: `500m` for `0.5`, `64Mi` for `65536Ki`. Raises `ValueError`."""
    return _print(_amount(quantity))


def canonical_resource(quantity: Quantity) -> str:
    """As `canonical`, rounded up to thousandths, the finest that the API keeps of a resource. Raises `ValueError`."""
    amount = _amount(quantity)
    return _print(_Amount(-(-amount.nano // 10**6) * 10**6, amount.format))


def _amount(quantity: Quantity) -> _Amount:
    if isinstance(quantity, bool):
        raise ValueError(f"{str(quantity).lower()} is a boolean, not a quantity")
    return _parse(quantity if isinstance(quantity, str) else repr(quantity))


@lru_cache(maxsize=4096)
def _parse(text: str) -> _Amount:
    found = _FORM.fullmatch(text.strip()) if len(text) <= _LONGEST else None
    if found is None:
        raise ValueError(_complaint(text))
    sign, whole, fraction, bare, suffix = found.groups()
    digits = (whole or "") + (fraction or bare or "")
    places = len(fraction or bare or "")
    power, binary, format_ = _suffix(suffix, text)
    numerator = int(digits) * _NANO * 2**binary * 10 ** max(power, 0)
    denominator = 10 ** (places + max(-power, 0))
    nano = min(-(-numerator // denominator), _LARGEST)
    return _Amount(-nano if sign == "-" else nano, format_)


def _suffix(suffix: str, text: str) -> tuple[int, int, Literal["decimal", "binary", "exponent"]]:
    """Powers of ten and of two that the suffix stands for."""
    if suffix in _DECIMAL:
        return _DECIMAL[suffix], 0, "decimal"
    if suffix in _BINARY:
        return 0, _BINARY[suffix], "binary"
    if exponent := _EXPONENT.fullmatch(suffix):
        return int(exponent[1]), 0, "exponent"
    raise ValueError(_complaint(text))


def _complaint(text: str) -> str:
    shown = text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
    return (
        f'"{shown}" is not a quantity: expected a number, then nothing or one of '
        "n u m k M G T P E Ki Mi Gi Ti Pi Ei, such as 500m or 1Gi"
    )


def _print(amount: _Amount) -> str:
    nano = amount.nano
    if nano == 0:
        return "0"
    if amount.format == "binary" and abs(nano) >= 1024 * _NANO and nano % _NANO == 0:
        return _print_binary(nano // _NANO)
    exponent = -9
    while nano % 1000 == 0 and (exponent < 18 or amount.format == "exponent"):
        nano //= 1000
        exponent += 3
    if amount.format == "exponent":
        return f"{nano}e{exponent}" if exponent else str(nano)
    return f"{nano}{_DECIMAL_SUFFIX[exponent]}"


def _print_binary(units: int) -> str:
    for suffix, bits in reversed(_BINARY.items()):
        if units % 2**bits == 0:
            return f"{units >> bits}{suffix}"
    return str(units)
