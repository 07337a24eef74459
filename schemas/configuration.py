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
        """Raises `BadConfiguration`."""
        return content("broker.passwordFile", self.password_file).strip() if self.password_file else ""

    def check(self) -> None:
        """Raises `BadConfiguration` for what has to be mended before any broker can be reached."""
        self.endpoint()
        if self.ca_file and "BEGIN CERTIFICATE" not in content("broker.caFile", self.ca_file):
            raise BadConfiguration(f"broker.caFile: {self.ca_file} holds no certificate: expected PEM")

    def shown(self) -> str:
        """The address for logs: without user name and password."""
        host, port, tls = self._place()
        return f"{'mqtts' if tls else 'mqtt'}://{f'[{host}]' if ':' in host else host}:{port}"

    def endpoint(self) -> "Endpoint":
        """The address in parts; user name and password of the URL give way to the fields. Raises `BadConfiguration`."""
        host, port, tls = self._place()
        url = urlsplit(self.url)
        username = self.username or unquote(url.username or "")
        return Endpoint(host, port, tls, username, self.password() or unquote(url.password or ""))

    def _place(self) -> tuple[str, int, bool]:
        try:
            url = urlsplit(self.url)
            port = url.port
        except ValueError as error:
            raise BadConfiguration(f"broker.url: {error}") from None
        if url.scheme not in DEFAULT_PORTS or not url.hostname:
            shown = self.url.rpartition("@")[2]  # what may hold a password is not repeated
            raise BadConfiguration(f"broker.url: expected mqtt://HOST:1883 or mqtts://HOST:8883, found {shown!r}")
        return url.hostname, port or DEFAULT_PORTS[url.scheme], url.scheme == "mqtts"


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
    return convert(str(path), data if data is not None else {}, type_)


def convert(where: str, data: object, type_: type[T]) -> T:
    """What was read as `type_`. Raises `BadConfiguration` naming `where` and the field."""
    try:
        return msgspec.convert(data, type_, strict=True, dec_hook=_decode_path)
    except msgspec.ValidationError as error:
        raise BadConfiguration(f"{where}: {_say(str(error))}") from None


def content(field: str, path: Path) -> str:
    """The text of a file that a field of the configuration names. Raises `BadConfiguration`."""
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "this is not text"
        raise BadConfiguration(f"{field}: {path} cannot be read: {reason}") from None


def _decode_path(type_: type, value: object) -> object:
    if type_ is Path and isinstance(value, str):
        return Path(value)
    raise TypeError(f"expected a path, found {value!r}")


def _say(error: str) -> str:
    """msgspec's text with the field first: `$.broker.url` at the end becomes `broker.url:` at the start."""
    found = re.fullmatch(r"(?s)(.*?) - at `\$\.?(.*)`", error)
    return f"{found[2]}: {found[1]}" if found else error
