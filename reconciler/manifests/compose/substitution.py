"""Variables in the values of a Compose file: `$NAME`, `${NAME}`, with defaults, demands and replacements.

Pure. Follows the Compose Specification's page on interpolation; a variable that is not set is empty, and named.
"""

import re
from collections.abc import Callable, Mapping

import msgspec

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATORS = (":-", ":?", ":+", "-", "?", "+")
_DEEPEST = 20
"""Defaults within defaults."""
LONGEST = 1024 * 1024
"""Characters that one value may grow to."""


class Substituted(msgspec.Struct, frozen=True):
    """`text` is None where there is an `error`; `unset` are the variables that are not set and have no default."""

    text: str | None
    unset: tuple[str, ...] = ()
    error: str = ""


class _Bad(Exception):
    pass


def substitute(text: str, variables: Mapping[str, str]) -> Substituted:
    """The text with all variables replaced."""
    if "$" not in text:
        return Substituted(text)
    unset: list[str] = []
    try:
        found, _ = _until(text, 0, "", variables, unset.append, 0)
    except _Bad as bad:
        return Substituted(None, (), str(bad))
    return Substituted(found, tuple(dict.fromkeys(unset)))


def _until(
    text: str, at: int, end: str, variables: Mapping[str, str], unset: Callable[[str], None], depth: int
) -> tuple[str, int]:
    """The text up to `end`, replaced, and where that is; without an end, all of it."""
    if depth > _DEEPEST:
        raise _Bad(f"variables nest deeper than {_DEEPEST}; write out what is meant")
    parts: list[str] = []
    size = 0
    while at < len(text) and not (end and text[at] == end):
        if text[at] != "$":
            stop = next((i for i in range(at, len(text)) if text[i] == "$" or (end and text[i] == end)), len(text))
            part, at = text[at:stop], stop
        else:
            part, at = _dollar(text, at + 1, variables, unset, depth)
        size += len(part)
        if size > LONGEST:
            raise _Bad(f"the value grows beyond {LONGEST} characters")
        parts.append(part)
    if end and at >= len(text):
        raise _Bad("`${` has no `}`; write `$$` for a dollar sign that means itself")
    return "".join(parts), at


def _dollar(
    text: str, at: int, variables: Mapping[str, str], unset: Callable[[str], None], depth: int
) -> tuple[str, int]:
    """What the `$` before `at` stands for, and where the text goes on."""
    following = text[at : at + 1]
    if following == "$":
        return "$", at + 1
    if following == "{":
        return _braced(text, at + 1, variables, unset, depth)
    if not (name := _NAME.match(text, at)):
        raise _Bad(f"`${following}` names no variable; write `$$` for a dollar sign that means itself")
    if name[0] not in variables:
        unset(name[0])
    return variables.get(name[0], ""), name.end()


def _braced(
    text: str, at: int, variables: Mapping[str, str], unset: Callable[[str], None], depth: int
) -> tuple[str, int]:
    if not (found := _NAME.match(text, at)):
        raise _Bad("`${` has to be followed by a name; write `$$` for a dollar sign that means itself")
    name, at = found[0], found.end()
    operator = next((operator for operator in _OPERATORS if text.startswith(operator, at)), "")
    if not operator:
        if text[at : at + 1] != "}":
            known = "`:-`, `-`, `:?`, `?`, `:+` or `+`"
            raise _Bad(f"`${{{name}` has to be followed by `}}` or by {known}, found {text[at : at + 1]!r}")
        if name not in variables:
            unset(name)
        return variables.get(name, ""), at + 1
    value = variables.get(name)
    is_set = bool(value) if operator[0] == ":" else value is not None
    kind = operator[-1]
    needed = is_set if kind == "+" else not is_set
    # What is not needed is read all the same, to find its end, but what is unset in it is nobody's concern.
    word, at = _until(text, at + len(operator), "}", variables, unset if needed else lambda _: None, depth + 1)
    if kind == "+":
        return (word if is_set else ""), at + 1
    if is_set:
        return value or "", at + 1
    if kind == "?":
        raise _Bad(f"the variable {name} has to be set{f': {word}' if word else ''}; set it in .env")
    return word, at + 1
