"""What is served, for clients that ask: groups, versions, resources, verbs; as plain and as aggregated discovery.

Pure: all of it follows from `schemas.kinds`
(https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api).
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from reconciler.api.target import BINDINGS, actions, subresources
from schemas.kinds import KINDS, Kind

Document = dict[str, Any]

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

VERSION: Document = {
    "major": "1",
    "minor": "36",
    "gitVersion": "v1.36.2+wherry",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "2026-01-01T00:00:00Z",
    "goVersion": "none",
    "compiler": "none",
    "platform": "linux/any",
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
    answers: tuple[str, str] | None = None
    """Group and version of what a subresource answers with, where they are others."""


_REVIEWS = (
    Resource(
        plural="selfsubjectaccessreviews",
        kind="SelfSubjectAccessReview",
        group="authorization.k8s.io",
        version="v1",
        namespaced=False,
        verbs=("create",),
        singular="selfsubjectaccessreview",
    ),
    Resource(
        plural="selfsubjectreviews",
        kind="SelfSubjectReview",
        group="authentication.k8s.io",
        version="v1",
        namespaced=False,
        verbs=("create",),
        singular="selfsubjectreview",
    ),
)


def _of_kind(kind: Kind) -> list[Resource]:
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
    )
    return [main, *(_subresource(kind, name) for name in sorted((*subresources(kind), *actions(kind))))]


_OWN_KINDS = {
    "binding": ("Binding", None),
    "eviction": ("Eviction", ("policy", "v1")),
    "scale": ("Scale", ("autoscaling", "v1")),
}
"""Kind, and group and version, of subresources that are other objects than what they lie under."""


def _subresource(kind: Kind, name: str) -> Resource:
    own, answers = _OWN_KINDS.get(name, (kind.name, None))
    return Resource(
        plural=name,
        kind=own,
        group=kind.group,
        version=kind.version,
        namespaced=kind.namespaced,
        verbs=("create",) if name in actions(kind) else _PART_VERBS,
        parent=kind.plural,
        answers=answers,
    )


_BINDINGS = Resource(
    plural=BINDINGS, kind="Binding", group="", version="v1", namespaced=True, verbs=("create",), singular="binding"
)


RESOURCES: tuple[Resource, ...] = (_BINDINGS, *(resource for kind in KINDS for resource in _of_kind(kind)), *_REVIEWS)

VERSIONS: dict[str, tuple[str, ...]] = {
    group: tuple(sorted({r.version for r in RESOURCES if r.group == group}))
    for group in sorted({r.group for r in RESOURCES})
}
"""Group → the versions served; the first is preferred."""


def core_versions() -> Document:
    """`/api`."""
    addresses = [{"clientCIDR": "0.0.0.0/0", "serverAddress": ""}]
    return {"kind": "APIVersions", "versions": list(VERSIONS[""]), "serverAddressByClientCIDRs": addresses}


def groups() -> Document:
    """`/apis`."""
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(name) for name in VERSIONS if name]}


def group(name: str) -> Document | None:
    """`/apis/GROUP`."""
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name)} if name and name in VERSIONS else None


def _group(name: str) -> Document:
    versions = [{"groupVersion": f"{name}/{version}", "version": version} for version in VERSIONS[name]]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def resources(group: str, version: str) -> Document | None:
    """`/api/v1`, `/apis/GROUP/VERSION`."""
    if version not in VERSIONS.get(group, ()):
        return None
    listed = [_plain(r) for r in RESOURCES if (r.group, r.version) == (group, version)]
    group_version = f"{group}/{version}" if group else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": listed}


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
        for name, versions in VERSIONS.items()
        if core == (name == "")
    ]
    return {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}


def _aggregated_version(group: str, version: str) -> Document:
    own = [r for r in RESOURCES if (r.group, r.version) == (group, version)]
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
    group, version = resource.answers or (resource.group, resource.version)
    return {"group": group, "version": version, "kind": resource.kind}
