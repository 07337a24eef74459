"""What is wrong with a text that is no JSON, in the words of Go's `encoding/json`, which the API server quotes.

Pure. Follows the scanner of https://pkg.go.dev/encoding/json. Says nothing of a sound text.
"""

_SPACE = " \t\r\n"
_DIGITS = "0123456789"
_HEX = _DIGITS + "abcdefABCDEF"
_LITERALS = {"t": "true", "f": "false", "n": "null"}
_END = "unexpected end of JSON input"
_DEEPEST = 10_000


class _Unsound(Exception):
    """Carries the message."""


def fault(content: bytes) -> str:
    """The message, empty where the content is JSON."""
    scanner = _Scanner(content.decode(errors="replace"))
    try:
        scanner.document()
    except _Unsound as error:
        return str(error)
    return ""


class _Scanner:
    """Walks over the text once. What is open is a list, so that depth costs no stack."""

    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0

    def document(self) -> None:
        open_: list[str] = []
        self._value(open_)
        while open_:
            self._after_element(open_) if open_[-1] == "[" else self._after_pair(open_)
        if found := self._next():
            raise self._at_fault(found, "after top-level value")

    def _after_element(self, open_: list[str]) -> None:
        match found := self._needed():
            case ",":
                self._value(open_)
            case "]":
                open_.pop()
            case _:
                raise self._at_fault(found, "after array element")

    def _after_pair(self, open_: list[str]) -> None:
        match found := self._needed():
            case ",":
                self._key(self._needed(), open_)
            case "}":
                open_.pop()
            case _:
                raise self._at_fault(found, "after object key:value pair")

    def _value(self, open_: list[str]) -> None:
        """Up to the end of a value, or to the first value within one that stays open."""
        while True:
            found = self._needed()
            if len(open_) > _DEEPEST:
                raise _Unsound("exceeded max depth")
            if found == "{":
                inner = self._needed()
                if inner == "}":
                    return
                open_.append(found)
                self._key(inner, open_)
                return
            if found == "[":
                if self._peek() == "]":
                    self._next()
                    return
                open_.append(found)
                continue
            self._scalar(found)
            return

    def _key(self, found: str, open_: list[str]) -> None:
        if found != '"':
            raise self._at_fault(found, "looking for beginning of object key string")
        self._string()
        if (colon := self._needed()) != ":":
            raise self._at_fault(colon, "after object key")
        self._value(open_)

    def _scalar(self, found: str) -> None:
        if found == '"':
            self._string()
        elif found in _LITERALS:
            for wanted in _LITERALS[found][1:]:
                if (letter := self._take()) != wanted:
                    raise self._at_fault(letter, f"in literal {_LITERALS[found]} (expecting {_quoted(wanted)})")
        elif found == "-" or found in _DIGITS:
            self._number(found)
        else:
            raise self._at_fault(found, "looking for beginning of value")

    def _string(self) -> None:
        while (letter := self._take()) != '"':
            if letter == "\\":
                self._escape(self._take())
            elif letter < " ":
                raise self._at_fault(letter, "in string literal")

    def _escape(self, letter: str) -> None:
        if letter == "u":
            for _ in range(4):
                if (digit := self._take()) not in _HEX:
                    raise self._at_fault(digit, "in \\u hexadecimal character escape")
        elif letter not in 'bfnrt\\/"':
            raise self._at_fault(letter, "in string escape code")

    def _number(self, found: str) -> None:
        if found == "-" and (found := self._take()) not in _DIGITS:
            raise self._at_fault(found, "in numeric literal")
        if found != "0":
            self._digits()
        if self._here() == ".":
            self._at += 1
            self._some_digits("after decimal point in numeric literal")
        if self._here() in ("e", "E"):
            self._at += 1
            if self._here() in ("+", "-"):
                self._at += 1
            self._some_digits("in exponent of numeric literal")

    def _some_digits(self, where: str) -> None:
        if (digit := self._take()) not in _DIGITS:
            raise self._at_fault(digit, where)
        self._digits()

    def _digits(self) -> None:
        while self._here() and self._here() in _DIGITS:
            self._at += 1

    def _here(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self) -> str:
        found = self._here()
        if not found:
            raise _Unsound(_END)
        self._at += 1
        return found

    def _peek(self) -> str:
        while self._here() and self._here() in _SPACE:
            self._at += 1
        return self._here()

    def _next(self) -> str:
        found = self._peek()
        self._at += 1
        return found

    def _needed(self) -> str:
        self._peek()
        return self._take()

    def _at_fault(self, letter: str, where: str) -> _Unsound:
        return _Unsound(f"invalid character {_quoted(letter)} {where}")


def _quoted(letter: str) -> str:
    """A character as Go quotes it."""
    if letter == "'":
        return r"'\''"
    if letter == '"':
        return "'\"'"
    if letter.isprintable():
        return f"'{letter}'"
    return f"'\\u{ord(letter):04x}'" if "\x80" <= letter < "\u0100" else f"'{letter.encode('unicode_escape').decode()}'"
