"""What is served, for clients that ask: groups, versions, resources, verbs; as plain and as aggregated discovery.

Pure: all of it follows from `schemas.kinds`
(https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api).
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from platform import machine
from typing import Any

import msgspec

from reconciler.api.target import subresources
from schemas import derived, metrics, views
from schemas.kinds import BY_NAME, KINDS, Kind

Document = dict[str, Any]

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm"}

VERSION: Document = {
    "major": "1",
    "minor": "36",
    "emulationMajor": "1",
    "emulationMinor": "36",
    "minCompatibilityMajor": "1",
    "minCompatibilityMinor": "35",
    "gitVersion": "v1.36.2",
    "gitCommit": hashlib.sha256(b"wherry, as v1.36.2").hexdigest()[:40],  # names no commit, but has the form of one
    "gitTreeState": "clean",
    "buildDate": "2026-01-01T00:00:00Z",
    "goVersion": "go1.26.6",
    "compiler": "gc",
    "platform": f"linux/{_ARCHITECTURES.get(machine(), machine())}",
}
"""The Kubernetes version whose answers are given, so that clients choose their dialect by it."""

_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
_PART_VERBS = ("get", "patch", "update")


class Resource(msgspec.Struct, frozen=True):
    """One resource or subresource, as discovery lists it; `parent` names what a subresource lies under."""

    plural: str
    kind: str
    group: str
    version: str
    namespaced: bool
    verbs: tuple[str, ...]
    singular: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    parent: str = ""
    owner: str = ""
    """The kind that a subresource lies under."""
    answers: tuple[str, str] | None = None
    """Group and version of what a subresource answers with, where they are others."""
    stored: str = ""
    """Group, version and kind in which objects of it are stored, as `group/version/kind`."""

    @property
    def storage_version(self) -> str:
        """What changes when objects are stored in another version, for those who migrate them."""
        return base64.b64encode(hashlib.sha256(self.stored.encode()).digest()[:8]).decode() if self.stored else ""


class _Part(msgspec.Struct, frozen=True):
    """A subresource that is no part of the object; `kind` is what it takes and gives."""

    name: str
    kind: str
    verbs: tuple[str, ...]
    answers: tuple[str, str] | None = None


_PROXIED = ("create", "delete", "get", "patch", "update")
_PARTS: dict[str, tuple[_Part, ...]] = {
    "Namespace": (_Part("finalize", "Namespace", ("update",)),),
    "Node": (_Part("proxy", "NodeProxyOptions", _PROXIED),),
    "Pod": (
        _Part("attach", "PodAttachOptions", ("create", "get")),
        _Part("binding", "Binding", ("create",)),
        _Part("eviction", "Eviction", ("create",), ("policy", "v1")),
        _Part("exec", "PodExecOptions", ("create", "get")),
        _Part("log", "Pod", ("get",)),
        _Part("portforward", "PodPortForwardOptions", ("create", "get")),
        _Part("proxy", "PodProxyOptions", _PROXIED),
    ),
    "Service": (_Part("proxy", "ServiceProxyOptions", _PROXIED),),
    "ServiceAccount": (_Part("token", "TokenRequest", ("create",), ("authentication.k8s.io", "v1")),),
}


def _created(group: str, kind: str, *, namespaced: bool = False) -> Resource:
    """What can be posted, and is answered at once."""
    plural = f"{kind.lower()}s"
    return Resource(
        plural=plural,
        kind=kind,
        group=group,
        version="v1",
        namespaced=namespaced,
        verbs=("create",),
        singular=kind.lower(),
    )


_CREATED = (
    _created("", "Binding", namespaced=True),
    _created("authentication.k8s.io", "SelfSubjectReview"),
    _created("authentication.k8s.io", "TokenReview"),
    _created("authorization.k8s.io", "LocalSubjectAccessReview", namespaced=True),
    _created("authorization.k8s.io", "SelfSubjectAccessReview"),
    _created("authorization.k8s.io", "SelfSubjectRulesReview"),
    _created("authorization.k8s.io", "SubjectAccessReview"),
)


def _of_kind(kind: Kind) -> list[Resource]:
    stored = BY_NAME[kind.name]
    verbs = tuple(verb for verb in _VERBS if kind.name != "Namespace" or verb != "deletecollection")
    main = Resource(
        plural=kind.plural,
        kind=kind.name,
        group=kind.group,
        version=kind.version,
        namespaced=kind.namespaced,
        verbs=verbs,
        singular=kind.name.lower(),
        short_names=kind.short_names,
        categories=kind.categories,
        stored="/".join((stored.group, stored.version, stored.name)),
    )
    parts = [_state(name, kind) for name in subresources(kind)] + list(_PARTS.get(kind.name, ()))
    return [main, *(_subresource(kind, part) for part in sorted(parts, key=lambda part: part.name))]


def _state(name: str, kind: Kind) -> _Part:
    """A subresource that is a part of the object, or a view of it."""
    scale = name == "scale"
    return _Part(name, "Scale" if scale else kind.name, _PART_VERBS, ("autoscaling", "v1") if scale else None)


def _subresource(kind: Kind, part: _Part) -> Resource:
    return Resource(
        plural=part.name,
        kind=part.kind,
        group=kind.group,
        version=kind.version,
        namespaced=kind.namespaced,
        verbs=part.verbs,
        parent=kind.plural,
        owner=kind.name,
        answers=part.answers,
    )


def _measured(kind: Kind) -> Resource:
    """What is told and never stored."""
    return Resource(
        plural=kind.plural,
        kind=kind.name,
        group=kind.group,
        version=kind.version,
        namespaced=kind.namespaced,
        verbs=("get", "list"),
        singular="" if kind.group == metrics.GROUP else kind.name.lower(),
        short_names=kind.short_names,
        categories=kind.categories,
    )


def _place(resource: Resource) -> tuple[str, bool, str]:
    return resource.parent or resource.plural, bool(resource.parent), resource.plural


RESOURCES: tuple[Resource, ...] = tuple(
    sorted(
        (*_CREATED, *(resource for kind in (*KINDS, *views.KINDS) for resource in _of_kind(kind))),
        key=_place,
    )
)
"""By name, each with what lies under it."""

_ORDER = (
    "",
    "apps",
    "events.k8s.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "networking.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "storage.k8s.io",
    "scheduling.k8s.io",
    "coordination.k8s.io",
    "node.k8s.io",
    "discovery.k8s.io",
)
_HEALTH = ("/healthz", "/livez", "/readyz")

VERSIONS: dict[str, tuple[str, ...]] = {
    group: tuple(sorted({r.version for r in RESOURCES if r.group == group}, reverse=True)) for group in _ORDER
}
"""Group → the versions served; the first is preferred."""

# A metrics server is no part of Kubernetes: it comes after what is, and without OpenAPI.
TOLD: Mapping[str, tuple[str, ...]] = {
    "": VERSIONS[""],
    derived.REGISTRATION: (derived.VERSION,),
    **VERSIONS,
    metrics.GROUP: (metrics.VERSION,),
}
"""With those that hold nothing stored."""
_TOLD_RESOURCES = tuple(sorted((*RESOURCES, *map(_measured, (*derived.KINDS, *metrics.KINDS))), key=_place))


def root() -> list[str]:
    """`/`: the paths that describe the others."""
    found = ["/.well-known/openid-configuration", "/api", "/apis", "/apis/", *_HEALTH, "/metrics"]
    found += ["/openapi/v2", "/openapi/v3", "/openid/v1/jwks", "/version"]
    for group, versions in TOLD.items():
        found += [f"/apis/{group}"] if group else []
        found += [f"/apis/{group}/{version}" if group else f"/api/{version}" for version in versions]
    return sorted(found)


def core_versions(address: str) -> Document:
    """`/api`. `address` is where the client has reached the server."""
    addresses = [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]
    return {"kind": "APIVersions", "versions": list(VERSIONS[""]), "serverAddressByClientCIDRs": addresses}


def groups() -> Document:
    """`/apis`."""
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(name) for name in TOLD if name]}


def group(name: str) -> Document | None:
    """`/apis/GROUP`."""
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name)} if name and name in TOLD else None


def _group(name: str) -> Document:
    versions = [{"groupVersion": f"{name}/{version}", "version": version} for version in TOLD[name]]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def resources(group: str, version: str) -> Document | None:
    """`/api/v1`, `/apis/GROUP/VERSION`."""
    if version not in TOLD.get(group, ()):
        return None
    listed = [_plain(r) for r in _TOLD_RESOURCES if (r.group, r.version) == (group, version)]
    group_version = f"{group}/{version}" if group else version
    typed = {"kind": "APIResourceList"} | ({"apiVersion": "v1"} if group else {})
    return {**typed, "groupVersion": group_version, "resources": listed}


def _plain(resource: Resource) -> Document:
    document: Document = {
        "name": f"{resource.parent}/{resource.plural}" if resource.parent else resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
    }
    if resource.answers:
        document["group"], document["version"] = resource.answers
    if resource.stored:
        document["storageVersionHash"] = resource.storage_version
    return document | _names(resource)


def _names(resource: Resource) -> Document:
    found = {"shortNames": list(resource.short_names), "categories": list(resource.categories)}
    return {key: value for key, value in found.items() if value}


def aggregated(core: bool) -> Document:
    """`/api` (the core group) or `/apis` (all others), with everything in one answer."""
    items = [
        {
            "metadata": {"name": name} if name else {},
            "versions": [_aggregated_version(name, version) for version in versions],
        }
        for name, versions in TOLD.items()
        if core == (name == "")
    ]
    return {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}


def _aggregated_version(group: str, version: str) -> Document:
    own = [r for r in _TOLD_RESOURCES if (r.group, r.version) == (group, version)]
    listed = [_aggregated(resource, own) for resource in own if not resource.parent]
    return {"version": version, "resources": listed, "freshness": "Current"}


def _aggregated(resource: Resource, all_: Sequence[Resource]) -> Document:
    document: Document = {
        "resource": resource.plural,
        "responseKind": _answer(resource),
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": list(resource.verbs),
    }
    below = [
        {"subresource": part.plural, "responseKind": _answer(part), "verbs": list(part.verbs)}
        for part in all_
        if part.parent == resource.plural
    ]
    return document | _names(resource) | ({"subresources": below} if below else {})


def _answer(resource: Resource) -> Document:
    group, version = resource.answers or ("", "")  # its own
    return {"group": group, "version": version, "kind": resource.kind}
