"""Where a repository is: https, ssh (also `user@host:path`) or file. Pure.

Nothing else is let through: git's other transports run programs, and plain http hands manifests to whoever is between.
"""

import re
from typing import Literal
from urllib.parse import unquote, urlsplit

import msgspec

Scheme = Literal["https", "ssh", "file"]

_SHORT = re.compile(
    r"(?:(?P<user>[A-Za-z0-9_.-]+)@)?(?P<host>[A-Za-z0-9][A-Za-z0-9._-]*|\[[0-9a-fA-F:.]+\]):(?P<path>[^:].*)"
)
_EXPECTED = "expected https://HOST/PATH, ssh://USER@HOST/PATH, USER@HOST:PATH or file:///PATH"
_UNSAFE_NAME = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|//|@\{|(^|/)\.|\.lock(/|$)|[/.]$|^[-/]|^@$")


class Address(msgspec.Struct, frozen=True):
    """`url` is as git takes it; `host` with its port; `path` only of a file."""

    url: str
    scheme: Scheme
    host: str = ""
    path: str = ""


def address(text: str) -> Address:
    """Raises `ValueError` with what was expected; a password is not repeated."""
    if any(ord(character) < 33 or ord(character) == 127 for character in text) or text.startswith("-"):
        raise ValueError(f"{_EXPECTED}, without spaces and control characters")
    if "://" not in text:
        return _short(text)
    try:
        url = urlsplit(text)
        host, _ = url.hostname, url.port
    except ValueError as error:
        raise ValueError(f"{error}; {_EXPECTED}") from None
    if url.query or url.fragment:
        raise ValueError(f"{_EXPECTED}, and nothing after the path")
    if url.password is not None or (url.scheme == "https" and url.username is not None):
        raise ValueError("a URL is shown in logs: give user name and password as `secret: {username, passwordFile}`")
    place = url.netloc.rpartition("@")[2]
    match url.scheme:
        case "https" if host and len(url.path) > 1:
            return Address(text, "https", place)
        case "ssh" if host and len(url.path) > 1 and not url.netloc.startswith("-") and not host.startswith("-"):
            return Address(text, "ssh", place)
        case "file" if not url.netloc and len(url.path) > 1:
            return Address(text, "file", path=unquote(url.path))
        case "http":
            raise ValueError("manifests are not fetched over http, which anybody on the way can change: use https")
    raise ValueError(f"{_EXPECTED}, found {url.scheme}://{place}{url.path}")


def _short(text: str) -> Address:
    if text.startswith("/"):
        raise ValueError(f"{_EXPECTED}: for a repository on this machine write file://{text}")
    found = _SHORT.fullmatch(text)
    if found is None:
        raise ValueError(f"{_EXPECTED}, found {text!r}")
    return Address(text, "ssh", found["host"])


def check_name(name: str) -> None:
    """Raises `ValueError` for what is no name of a branch or tag (`git check-ref-format`)."""
    if not name or len(name) > 250 or _UNSAFE_NAME.search(name):
        raise ValueError(f"expected the name of a branch or tag, such as main or v1.2, found {name!r}")


def check_path(path: str) -> str:
    """The path below the root of the repository, in its shortest form. Raises `ValueError`."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if path.startswith("/") or ".." in parts or ".git" in parts or "\x00" in path:
        raise ValueError(f"expected a folder below the root of the repository, such as clusters/quay, found {path!r}")
    return "/".join(parts)
