"""What can be asked of a resource, as operations of OpenAPI: parameters, bodies, answers. Pure."""

from typing import Any

import msgspec

from reconciler.api.discovery import Resource

Document = dict[str, Any]

_BODIES = ("application/json", "application/yaml", "application/vnd.kubernetes.protobuf")
_ANSWERS = ("application/json", "application/yaml")
_STREAM = "application/json;stream=watch"
_PATCHES = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
)

_TEXTS = {
    "allowWatchBookmarks": "Ask for events of type BOOKMARK in a watch.",
    "continue": "Where a list in pages goes on: the token that came with the page before.",
    "dryRun": "With All, nothing is stored.",
    "fieldManager": "Under which name the fields that are written are owned.",
    "fieldSelector": "Pick objects by their fields.",
    "fieldValidation": "What to do with unknown and repeated fields: Ignore, Warn or Strict.",
    "force": "Take over fields that others own. For apply patches alone.",
    "gracePeriodSeconds": "Seconds that the object has to end; 0 ends it at once.",
    "labelSelector": "Pick objects by their labels.",
    "limit": "The most objects of one page.",
    "orphanDependents": "Deprecated: use propagationPolicy.",
    "pretty": "With true, the answer is indented.",
    "propagationPolicy": "What becomes of dependents: Orphan, Background or Foreground.",
    "resourceVersion": "At least, or exactly, which version of the cluster to answer with.",
    "resourceVersionMatch": "How resourceVersion is meant: Exact or NotOlderThan.",
    "sendInitialEvents": "Begin a watch with what there is already.",
    "timeoutSeconds": "How long a list or a watch may take.",
    "watch": "Tell of changes instead of listing.",
}
_TYPES = {
    "integer": ("gracePeriodSeconds", "limit", "timeoutSeconds"),
    "boolean": ("allowWatchBookmarks", "force", "orphanDependents", "sendInitialEvents", "watch"),
}

LIST = (
    "allowWatchBookmarks",
    "continue",
    "fieldSelector",
    "labelSelector",
    "limit",
    "resourceVersion",
    "resourceVersionMatch",
    "sendInitialEvents",
    "timeoutSeconds",
    "watch",
)
DELETE = ("dryRun", "gracePeriodSeconds", "orphanDependents", "propagationPolicy")
WRITE = ("dryRun", "fieldManager", "fieldValidation")
_SELECT = ("continue", "fieldSelector", "labelSelector", "limit", "resourceVersion", "resourceVersionMatch")
_QUERIES = {
    "list": LIST,
    "get": (),
    "post": WRITE,
    "put": WRITE,
    "patch": (*WRITE, "force"),
    "delete": DELETE,
    "deletecollection": tuple(sorted({*DELETE, *_SELECT, "timeoutSeconds"})),
    "connect": (),
}
_WORDS = {
    "list": ("list", "List or watch objects of kind {}"),
    "get": ("read", "Read the {} named"),
    "post": ("create", "Create a {}"),
    "put": ("replace", "Replace the {} named"),
    "patch": ("patch", "Change parts of the {} named"),
    "delete": ("delete", "Delete the {} named"),
    "deletecollection": ("deleteCollection", "Delete all {} picked"),
    "connect": ("connect", "Connect to the {} named"),
}


class Schemas(msgspec.Struct, frozen=True):
    """References to the types that an operation takes and gives."""

    body: Document | None
    answer: Document | None


def operation(resource: Resource, action: str, method: str, where: str, schemas: Schemas) -> Document:
    """One operation. `where` tells operations of one action apart: `Namespaced`, `ForAllNamespaces`, `Status`."""
    word, text = _WORDS[action]
    group, version = resource.answers or (resource.group, resource.version)
    made: Document = {
        "tags": [f"{_title(resource.group, '_')}_{resource.version}"],
        "description": f"{text.format(resource.kind)}.",
        "operationId": _identifier(resource, word, method if action == "connect" else "", where),
        "parameters": [query(name) for name in _QUERIES[action]],
        "responses": _responses(action, schemas.answer),
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": {"group": group, "version": version, "kind": resource.kind},
    }
    if schemas.body is not None:
        media = _PATCHES if action == "patch" else _BODIES
        required = action in ("post", "put", "patch")
        made["requestBody"] = {"content": {name: {"schema": schemas.body} for name in media}, "required": required}
        if not required:
            del made["requestBody"]["required"]
    return made


def query(name: str) -> Document:
    type_ = next((type_ for type_, names in _TYPES.items() if name in names), "string")
    return {"name": name, "in": "query", "description": _TEXTS[name], "schema": {"type": type_, "uniqueItems": True}}


def in_path(name: str, kind: str) -> Document:
    text = "The namespace that the objects are in." if name == "namespace" else f"The name of the {kind}."
    schema = {"type": "string", "uniqueItems": True}
    return {"name": name, "in": "path", "required": True, "description": text, "schema": schema}


def _responses(action: str, answer: Document | None) -> Document:
    media = (*_ANSWERS, _STREAM) if action == "list" else _ANSWERS
    content = {name: {"schema": answer} for name in media} if answer else {"*/*": {"schema": {"type": "string"}}}
    words = {"post": {"200": "OK", "201": "Created", "202": "Accepted"}, "put": {"200": "OK", "201": "Created"}}
    words |= {"patch": {"200": "OK", "201": "Created"}, "delete": {"200": "OK", "202": "Accepted"}}
    found: Document = {
        code: {"description": text, "content": content} for code, text in words.get(action, {"200": "OK"}).items()
    }
    return found | {"401": {"description": "Unauthorized"}}


def _title(group: str, between: str = "") -> str:
    """`RbacAuthorization` for `rbac.authorization.k8s.io`."""
    if not group:
        return "core" if between else "Core"
    words = group.removesuffix(".k8s.io").split(".")
    return words[0] + "".join(word.title() for word in words[1:]) if between else "".join(w.title() for w in words)


def _identifier(resource: Resource, word: str, method: str, where: str) -> str:
    version = resource.version[0].upper() + resource.version[1:]
    every = where == "ForAllNamespaces"
    namespaced = "Namespaced" if resource.namespaced and not every else ""
    part = "" if every or where == "Namespaced" else where
    kind = resource.kind if not part else f"{resource.owner}{part}"
    return f"{word}{method.title()}{_title(resource.group)}{version}{namespaced}{kind}{where if every else ''}"
