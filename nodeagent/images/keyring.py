"""Credentials for registries: which of those that are known belong to an image. Pure.

They come from Secrets (`kubernetes.io/dockerconfigjson` and `kubernetes.io/dockercfg`) and from the node's own
`config.json`. An entry's key is a host, with a port and the beginning of a path where it is meant to be narrow, and
`*` in parts of the host (https://kubernetes.io/docs/concepts/containers/images/#config-json). The longest path is
tried first. What cannot be read is passed over: a pull without it says more than a pod that does not start.
"""

import hashlib
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import TypeVar

import msgspec

from nodeagent.images.references import DOCKER_HUB, repository_of
from nodeagent.runtime.interface import Credentials

T = TypeVar("T")

NODE = ""
"""The source of credentials that every pod may use."""


class Key(msgspec.Struct, frozen=True):
    """Credentials, the registry that they are for, and the Secret (a config key) that they come from, or `NODE`."""

    host: str
    path: str
    credentials: Credentials
    source: str = NODE

    def hash(self) -> str:
        """Tells these credentials from others without telling them."""
        written = msgspec.json.encode((self.credentials.username, self.credentials.password))
        return hashlib.sha256(written).hexdigest()[:32]


class _Entry(msgspec.Struct, frozen=True):
    username: str = ""
    password: str = ""
    auth: str = ""

    def credentials(self) -> Credentials | None:
        if self.username:
            return Credentials(self.username, self.password)
        import base64  # only where there are credentials
        import binascii

        try:
            user, colon, password = base64.b64decode(self.auth, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        return Credentials(user, password.strip("\x00")) if colon else None


class _DockerConfig(msgspec.Struct, frozen=True):
    auths: dict[str, _Entry] = {}


class BadCredentials(ValueError):
    """The document is not what its kind promises. The text never holds any of it."""


def keys_of_secret(source: str, data: Mapping[str, bytes]) -> list[Key]:
    """Raises `BadCredentials`."""
    if ".dockerconfigjson" in data:
        return keys_of_config(data[".dockerconfigjson"], source)
    if ".dockercfg" in data:
        return _keys(_decoded(data[".dockercfg"], dict[str, _Entry]), source)
    return []


def keys_of_config(content: bytes, source: str = NODE) -> list[Key]:
    """Of a Docker `config.json`. Raises `BadCredentials`."""
    return _keys(_decoded(content, _DockerConfig).auths, source)


def _decoded(content: bytes, type_: type[T]) -> T:
    try:
        return msgspec.json.decode(content, type=type_)
    except msgspec.DecodeError:
        raise BadCredentials("it is not the JSON that docker login writes") from None


def _keys(entries: Mapping[str, _Entry], source: str) -> list[Key]:
    found = []
    for name, entry in entries.items():
        credentials = entry.credentials()
        if credentials is not None:
            host, path = _place(name)
            found.append(Key(host, path, credentials, source))
    return found


def _place(name: str) -> tuple[str, str]:
    """Host with port, and path. Docker wrote `/v1/` and `/v2/` behind hosts, which stand for the host alone."""
    host, slash, rest = name.rpartition("://")[2].partition("/")
    path = slash + rest
    if path.startswith(("/v1/", "/v2/")):
        path = path[3:]
    return (DOCKER_HUB if host == "index.docker.io" else host), path.rstrip("/")


def matching(image: str, keys: Iterable[Key]) -> list[Key]:
    """Those that belong to the image, the order in which they are to be tried; each credentials once."""
    host, _, path = repository_of(image).partition("/")
    fitting = [key for key in keys if _is_for(key, host, f"/{path}")]
    fitting.sort(key=lambda key: (key.source == NODE, -len(key.path), "*" in key.host))
    return list({(key.credentials, key.source): key for key in fitting}.values())


def _is_for(key: Key, host: str, path: str) -> bool:
    wanted, has = key.host.split(":"), host.split(":")
    if wanted[1:] != has[1:] or not path.startswith(key.path):
        return False
    parts, given = wanted[0].split("."), has[0].split(".")
    return len(parts) == len(given) and all(map(fnmatchcase, given, parts))
