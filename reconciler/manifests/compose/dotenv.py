"""Files of variables, one `NAME=value` a line: `.env` and those of `env_file`.

Pure. Quotes, `export`, comments, values of several lines within quotes and variables in values, as Compose reads them;
`raw` takes each line as it stands.
"""

import re
from collections.abc import Mapping

import msgspec

from reconciler.manifests.compose.substitution import substitute

_NAME = re.compile(r"[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.\-]*)[ \t]*([=:]?)[ \t]*")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "$": "$$"}
MAX_BYTES = 1024 * 1024


class Line(msgspec.Struct, frozen=True):
    """What is wrong at a line of the file."""

    line: int
    message: str
    is_error: bool = True


class Variables(msgspec.Struct, frozen=True):
    """The variables of a file, in order; a value of None is a name alone, to be taken from elsewhere."""

    values: dict[str, str | None] = {}
    problems: tuple[Line, ...] = ()


def read_variables(content: bytes, known: Mapping[str, str], *, raw: bool = False) -> Variables:
    """The variables of a file. Values may refer to `known` ones and to those before them in the file."""
    if len(content) > MAX_BYTES:
        return Variables({}, (Line(1, f"the file has {len(content)} bytes, more than the {MAX_BYTES} allowed"),))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return Variables({}, (Line(line, "the file is not UTF-8; save it in that encoding"),))
    return _raw(text) if raw else _Reader(text.replace("\r\n", "\n"), known).read()


def _raw(text: str) -> Variables:
    values: dict[str, str | None] = {}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if name.strip() and not name.lstrip().startswith("#"):
            values[name.strip()] = value if equals else None
    return Variables(values)


class _Reader:
    def __init__(self, text: str, known: Mapping[str, str]) -> None:
        self.text = text
        self.known = dict(known)
        self.at = 0
        self.values: dict[str, str | None] = {}
        self.problems: list[Line] = []

    def read(self) -> Variables:
        while self.at < len(self.text):
            if self.rest_of_line().strip() == "" or self.rest_of_line().lstrip().startswith("#"):
                self.skip_line()
                continue
            line = self.text.count("\n", 0, self.at) + 1
            found = _NAME.match(self.text, self.at)
            if not found or (not found[2] and self.text[found.end() :].split("\n", 1)[0].split("#")[0].strip()):
                self.problems.append(Line(line, "expected NAME=value; begin a comment with #"))
                self.skip_line()
                continue
            self.at = found.end()
            value = self.value(line) if found[2] else None
            if not found[2]:
                self.skip_line()
            self.values[found[1]] = value
            if value is not None and found[1] not in self.known:
                self.known[found[1]] = value
        return Variables(self.values, tuple(self.problems))

    def rest_of_line(self) -> str:
        end = self.text.find("\n", self.at)
        return self.text[self.at : end if end >= 0 else len(self.text)]

    def skip_line(self) -> None:
        self.at += len(self.rest_of_line()) + 1

    def value(self, line: int) -> str:
        quote = self.text[self.at : self.at + 1]
        if quote and quote in "'\"":
            end = self.closing(quote)
            if end < 0:
                self.problems.append(Line(line, f"the quote {quote} is not closed"))
                self.skip_line()
                return ""
            inner, self.at = self.text[self.at + 1 : end], end + 1
            self.skip_line()
            if quote == "'":
                return inner.replace("\\'", "'")
            return self.substituted(re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[0]), inner), line)
        plain = self.rest_of_line()
        self.skip_line()
        # A # begins a comment only behind a space, or where the value would begin.
        return self.substituted(re.split(r"(?:^|[ \t])#", plain)[0].strip(), line)

    def closing(self, quote: str) -> int:
        at = self.at + 1
        while at < len(self.text):
            if self.text[at] == "\\":
                at += 2
            elif self.text[at] == quote:
                return at
            else:
                at += 1
        return -1

    def substituted(self, text: str, line: int) -> str:
        found = substitute(text, self.known)
        if found.text is None:
            # As Compose does with a dollar sign that names nothing, so that passwords survive.
            self.problems.append(Line(line, f"taken as it stands: {found.error}", is_error=False))
            return text
        for name in found.unset:
            self.problems.append(Line(line, f"the variable {name} is not set, and empty", is_error=False))
        return found.text
