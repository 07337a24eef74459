"""Plain YAML scalars as Kubernetes reads them: YAML 1.1, with the exceptions of `sigs.k8s.io/yaml`.

`0755` is octal, `yes` and `on` are booleans; `1:30` (base 60 elsewhere) and `2024-01-01` are strings, and a
whole float is an integer, since Kubernetes passes every value through JSON.
"""

import base64
import binascii
import re
from typing import TypeAlias

Scalar: TypeAlias = str | int | float | bool | None

_TAG = "tag:yaml.org,2002:"
_LONGEST_NUMBER = 100
"""Characters. Anything longer is no number that a field could hold."""
_WORDS: dict[str, bool | None] = {
    word: value
    for value, words in (
        (True, "y Y yes Yes YES true True TRUE on On ON"),
        (False, "n N no No NO false False FALSE off Off OFF"),
        (None, "~ null Null NULL"),
    )
    for word in words.split()
}
_HINTS = frozenset("0123456789+-.~yYnNtTfFoO")
_NUMBER_HINTS = frozenset("0123456789+-.")
_INTEGER = re.compile(r"([-+]?)(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_JSON = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_WHOLE_BELOW = 1e21
"""Go prints a float below this without an exponent, so that a whole one reads as an integer again."""


class BadScalar(ValueError):
    """A scalar that has no value in JSON, or not the one that its tag asks for."""


def plain(text: str) -> Scalar:
    """The value of a scalar without quotes and tag."""
    if not text:
        return None
    if text[0] not in _HINTS:
        return text
    if text in _WORDS:
        return _WORDS[text]
    return _number(text) if text[0] in _NUMBER_HINTS else text


def _number(text: str) -> int | float | str:
    digits = text.replace("_", "") if text[0] != "." else text
    if len(digits) > _LONGEST_NUMBER:
        return text
    if found := _INTEGER.fullmatch(digits):
        return _integer(found[1], found[2])
    if _FLOAT.fullmatch(digits):
        value = float(digits)
        if abs(value) == float("inf"):
            return text
        return int(value) if abs(value) < _WHOLE_BELOW and value.is_integer() else value
    if _NOT_JSON.fullmatch(text):
        raise BadScalar(f"{text} cannot be written in JSON; put a number, or quote it to mean a string")
    return text


def _integer(sign: str, digits: str) -> int:
    octal = len(digits) > 1 and digits[0] == "0" and digits[1].isdigit()
    value = int(digits, 8 if octal else 0)
    return -value if sign == "-" else value


def tagged(tag: str, text: str) -> Scalar:
    """The value of a scalar with an explicit tag, such as `!!str 1`."""
    name = tag.removeprefix(_TAG)
    if tag == "!" or name in ("str", "timestamp"):
        return text
    if name == "binary":
        try:
            return base64.b64decode(text, validate=False).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise BadScalar("!!binary holds no base64 of UTF-8 text; put other bytes in binaryData") from None
    if tag == name or name not in ("int", "float", "bool", "null"):
        raise BadScalar(f"the YAML tag {tag.replace(_TAG, '!!')} is not known; write the value itself")
    value = plain(text)
    wanted = {"int": int, "float": int | float, "bool": bool, "null": type(None)}[name]
    if not isinstance(value, wanted) or (name != "bool" and isinstance(value, bool)):
        raise BadScalar(f"{text!r} is no !!{name}")
    return value


def key(value: object) -> str:
    """A mapping's key as JSON has it: always a string."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    raise BadScalar("a key is missing: an empty or null key names no field")
