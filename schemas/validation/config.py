"""Rules of ConfigMaps, Secrets, ServiceAccounts, Namespaces and Events."""

import re
from collections.abc import Mapping

from msgspec import structs

from schemas import gojson, names
from schemas.core.config import ConfigMap, Namespace, Secret
from schemas.core.event import Event
from schemas.faults import Path
from schemas.validation.metadata import finalizer_name
from schemas.validation.report import Faults, invalid, required, too_long, well_formed

LARGEST = 1024 * 1024
"""Bytes of all values of a ConfigMap or Secret together."""

_REQUIRED_KEYS = {
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}
_LONGEST_WORD = 128
_LONGEST_NOTE = 1024
_LEAST_OF_SERIES = 2
POD_SECURITY = "pod-security.kubernetes.io/"
"""Labels of a namespace: what its pods may do."""
_LEVELS = ("privileged", "baseline", "restricted")
_VERSION = re.compile(r"latest|v1\.(0|[1-9][0-9]*)", re.ASCII)
_MUST_VERSION = 'must be "latest" or "v1.x"'
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
        # Of a ConfigMap Kubernetes names no field, and writes that as the key of nothing.
        yield structs.replace(too_long(path, LARGEST), written="" if path else "[]")


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
    if fault := gojson.fault(content):
        yield invalid(path, _REDACTED, fault)


def namespace(declared: Namespace) -> Faults:
    for finalizer in declared.spec.finalizers:
        yield from finalizer_name(("spec", "finalizers"), finalizer)
    yield from _pod_security(declared.metadata.labels)


def _pod_security(labels: Mapping[str, str]) -> Faults:
    for mode in ("enforce", "audit", "warn"):
        key = POD_SECURITY + mode
        for name, sound, must in (
            (key, labels.get(key, "") in ("", *_LEVELS), f"must be one of {', '.join(_LEVELS)}"),
            (f"{key}-version", _VERSION.fullmatch(labels.get(f"{key}-version", "latest")), _MUST_VERSION),
        ):
            if name in labels and not sound:
                yield invalid(("metadata", "labels", name), labels[name], must)


def event(declared: Event) -> Faults:
    """Of one that is there already, or comes by the core group. With an `eventTime` it is of the newer kind."""
    involved, place = declared.involved_object.namespace, declared.metadata.namespace
    anywhere = ("", "default") if declared.event_time is None else ("default", "kube-system")
    if not (involved == place or (not involved and place in anywhere)):
        yield invalid(("involvedObject", "namespace"), involved, "does not match event.namespace")
    if declared.event_time is None:
        return
    if not declared.reporting_component:
        yield required(("reportingComponent",))
    yield from well_formed(("reportingComponent",), declared.reporting_component, names.qualified_name)
    for field, text in (
        ("reportingInstance", declared.reporting_instance),
        ("action", declared.action),
        ("reason", declared.reason),
    ):
        if not text:
            yield required((field,))
        elif len(text) > _LONGEST_WORD:
            yield invalid((field,), "", f"can have at most {_LONGEST_WORD} characters")
    if len(declared.message) > _LONGEST_NOTE:
        yield invalid(("message",), "", f"can have at most {_LONGEST_NOTE} characters")


def new_event(declared: Event) -> Faults:
    """The stricter rules of `events.k8s.io` for one that comes by it: what older writers fill in stays empty."""
    if declared.series is not None:
        if declared.series.count < _LEAST_OF_SERIES:
            yield invalid(("series", "count"), "", f"should be at least {_LEAST_OF_SERIES}")
        if declared.series.last_observed_time is None:
            yield required(("series", "lastObservedTime"))
    if declared.event_time is None:
        yield required(("eventTime",))
    if declared.type not in ("Normal", "Warning"):
        yield invalid(("type",), "", f"has invalid value: {declared.type}")
    source = declared.source
    for field, given in (
        ("firstTimestamp", declared.first_timestamp is not None),
        ("lastTimestamp", declared.last_timestamp is not None),
        ("count", declared.count != 0),
        ("source", source is not None and bool(source.component or source.host)),
    ):
        if given:
            yield invalid((field,), "", "needs to be unset")
