"""The kubeconfig that lets kubectl, and `wherry` itself, in."""

import base64
from pathlib import Path
from typing import Any

import msgspec
import yaml

from reconciler.api import secretfile
from reconciler.api.users import ADMIN

_NAME = "wherry"


class BadKubeconfig(ValueError):
    """The file is no kubeconfig that can be used. The text names it, and what is missing."""


class Access(msgspec.Struct, frozen=True):
    """Where a server is, how it is known, and what opens it. `authority` is PEM."""

    server: str
    authority: bytes
    token: str
    namespace: str = "default"


def write(path: Path, access: Access) -> bool:
    """Writes the file where it says something else. Returns whether it did."""
    return secretfile.replace(path, text(access, ADMIN.name, {"token": access.token}))


def text(access: Access, name: str, credentials: dict[str, str]) -> bytes:
    """A kubeconfig for one user, who shows these credentials."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": _NAME, "cluster": {"server": access.server, "certificate-authority-data": _data(access)}}
        ],
        "users": [{"name": name, "user": credentials}],
        "contexts": [{"name": _NAME, "context": {"cluster": _NAME, "user": name, "namespace": access.namespace}}],
        "current-context": _NAME,
    }
    return yaml.safe_dump(document, sort_keys=False).encode()


def client_credentials(pem: bytes) -> dict[str, str]:
    """What a kubeconfig says of a client's certificate and key."""
    start = pem.index(b"-----BEGIN PRIVATE KEY")
    parts = {"client-certificate-data": pem[:start], "client-key-data": pem[start:]}
    return {field: base64.b64encode(part).decode() for field, part in parts.items()}


def _data(access: Access) -> str:
    return base64.b64encode(access.authority).decode()


def read(path: Path) -> Access:
    """What the file's current context says. Raises `BadKubeconfig`."""
    try:
        document = yaml.safe_load(path.read_bytes())
        context = _named(document, "contexts", "context", document["current-context"])
        cluster = _named(document, "clusters", "cluster", context["cluster"])
        user = _named(document, "users", "user", context["user"])
        return Access(
            cluster["server"],
            base64.b64decode(cluster["certificate-authority-data"]),
            user["token"],
            context.get("namespace") or "default",
        )
    except FileNotFoundError:
        raise BadKubeconfig(f"{path}: there is no such file; is Wherry running with this data directory?") from None
    except (OSError, yaml.YAMLError) as error:
        raise BadKubeconfig(f"{path}: {error}") from error
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise BadKubeconfig(
            f"{path}: not a kubeconfig with server, certificate-authority-data and token: {error!r}"
        ) from error


def _named(document: dict[str, Any], list_: str, item: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = {entry["name"]: entry[item] for entry in document[list_]}[name]
    return found
