"""How both daemons read their configuration: one YAML file, strict, with faults that a person can mend."""

import re
from pathlib import Path
from typing import NamedTuple, TypeVar
from urllib.parse import unquote, urlsplit

import msgspec
import yaml

MAX_BYTES = 1024 * 1024


class BadConfiguration(Exception):
    """The file cannot be used. The text names file and field, what was expected and what to do."""


class Section(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Base of every part of a configuration file."""


class BrokerAddress(Section, frozen=True, kw_only=True):
    """Where the MQTT broker is: `mqtt://host:1883` or `mqtts://host:8883`."""

    url: str
    username: str = ""
    password_file: Path | None = None
    ca_file: Path | None = None
    """Of the authority that signed the broker's certificate; empty: the system's own."""
    keepalive_seconds: int = 10

    def password(self) -> str:
        return self.password_file.read_text().strip() if self.password_file else ""

    def endpoint(self) -> "Endpoint":
        """The address in parts; user name and password of the URL give way to the fields. Raises `BadConfiguration`."""
        try:
            url = urlsplit(self.url)
            port = url.port
        except ValueError as error:
            raise BadConfiguration(f"broker.url: {error}") from None
        if url.scheme not in DEFAULT_PORTS or not url.hostname:
            raise BadConfiguration(f"broker.url: expected mqtt://HOST:1883 or mqtts://HOST:8883, found {self.url!r}")
        username = self.username or unquote(url.username or "")
        password = self.password() or unquote(url.password or "")
        return Endpoint(url.hostname, port or DEFAULT_PORTS[url.scheme], url.scheme == "mqtts", username, password)


DEFAULT_PORTS = {"mqtt": 1883, "mqtts": 8883}


class Endpoint(NamedTuple):
    """A broker as a client needs it. It holds a password: not for logs."""

    host: str
    port: int
    tls: bool
    username: str
    password: str


T = TypeVar("T")


def load(path: Path, type_: type[T]) -> T:
    """The file as `type_`. Raises `BadConfiguration`."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BadConfiguration(f"{path}: larger than {MAX_BYTES} bytes; this is no configuration file")
        data = yaml.load(path.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except OSError as error:
        raise BadConfiguration(f"{path}: {error.strerror}; name an existing file with --config") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadConfiguration(f"{path}: this is not YAML: {error}") from None
    try:
        return msgspec.convert(data if data is not None else {}, type_, strict=True, dec_hook=_decode_path)
    except msgspec.ValidationError as error:
        raise BadConfiguration(f"{path}: {_say(str(error))}") from None


def _decode_path(type_: type, value: object) -> object:
    if type_ is Path and isinstance(value, str):
        return Path(value)
    raise TypeError(f"expected a path, found {value!r}")


def _say(error: str) -> str:
    """msgspec's text with the field first: `$.broker.url` at the end becomes `broker.url:` at the start."""
    found = re.fullmatch(r"(?s)(.*?) - at `\$\.?(.*)`", error)
    return f"{found[2]}: {found[1]}" if found else error
