"""Rules of ConfigMaps, Secrets, ServiceAccounts, Namespaces and Events."""

import json

from schemas import names
from schemas.core.config import ConfigMap, Namespace, Secret
from schemas.core.event import Event
from schemas.faults import Path
from schemas.validation.metadata import finalizer_name
from schemas.validation.report import Faults, invalid, required, well_formed

LARGEST = 1024 * 1024
"""Bytes of all values of a ConfigMap or Secret together."""

_REQUIRED_KEYS = {
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}
_REDACTED = "<secret contents redacted>"


def config_map(declared: ConfigMap) -> Faults:
    size = 0
    for key, text in declared.data.items():
        yield from well_formed(("data", key), key, names.config_key)
        if key in declared.binary_data:
            yield invalid(("data", key), key, "duplicate of key present in binaryData")
        size += len(text.encode())
    for key, content in declared.binary_data.items():
        yield from well_formed(("binaryData", key), key, names.config_key)
        size += len(content)
    yield from _size((), size)


def _size(path: Path, size: int) -> Faults:
    if size > LARGEST:
        yield invalid(path, f"{size} bytes", f"Too long: may not be more than {LARGEST} bytes")


def secret(declared: Secret) -> Faults:
    size = 0
    for key, content in declared.data.items():
        yield from well_formed(("data", key), key, names.config_key)
        size += len(content)
    yield from _size(("data",), size)
    for key in _REQUIRED_KEYS.get(declared.type, ()):
        if key not in declared.data:
            yield required(("data", key))
        elif key.startswith(".docker"):
            yield from _json(("data", key), declared.data[key])
    if declared.type == "kubernetes.io/basic-auth" and not {"username", "password"} & declared.data.keys():
        yield required(("data", "username"))
        yield required(("data", "password"))
    account = "kubernetes.io/service-account.name"
    if declared.type == "kubernetes.io/service-account-token" and not declared.metadata.annotations.get(account):
        yield required(("metadata", "annotations", account))


def _json(path: Path, content: bytes) -> Faults:
    try:
        json.loads(content)
    except (ValueError, RecursionError):
        yield invalid(path, _REDACTED, "must be JSON")


def namespace(declared: Namespace) -> Faults:
    for finalizer in declared.spec.finalizers:
        yield from finalizer_name(("spec", "finalizers"), finalizer)


def event(declared: Event) -> Faults:
    involved = declared.involved_object.namespace
    of_cluster = not involved and declared.metadata.namespace in ("", "default")
    if involved != declared.metadata.namespace and not of_cluster:
        yield invalid(("involvedObject", "namespace"), involved, "does not match event.namespace")
