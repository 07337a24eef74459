"""The document of one group and version: each path, what can be asked of it, and the types behind it. Pure."""

from collections.abc import Iterator
from typing import Any

from reconciler.api.discovery import RESOURCES, VERSION, Resource
from reconciler.api.openapi.definitions import Definitions
from reconciler.api.openapi.operations import Schemas, in_path, operation, query
from schemas import views
from schemas.kinds import KINDS, Kind

Document = dict[str, Any]

KINDS_SHOWN: dict[tuple[str, str, str], Kind] = {
    (kind.group, kind.version, kind.name): kind for kind in (*KINDS, *views.KINDS)
}
_ITEM = {"get": "get", "update": "put", "patch": "patch", "delete": "delete", "create": "post"}
_COLLECTION = {"list": "get", "create": "post", "deletecollection": "delete"}
_CONNECT = ("attach", "exec", "portforward", "proxy")
_METHODS = {"get": "get", "create": "post", "update": "put", "patch": "patch", "delete": "delete"}
_OPTION_GROUPS = sorted({(resource.group, resource.version) for resource in RESOURCES})


def of_group(group: str, version: str) -> Document:
    """The document in version 3."""
    definitions = Definitions(3)
    items = dict(items_of(group, version, definitions))
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": VERSION["gitVersion"]},
        "paths": dict(sorted(items.items())),
        "components": {
            "schemas": dict(sorted(definitions.found.items())),
            "securitySchemes": {"BearerToken": {"type": "apiKey", "name": "authorization", "in": "header"}},
        },
        "security": [{"BearerToken": []}],
    }


def items_of(group: str, version: str, definitions: Definitions) -> Iterator[tuple[str, Document]]:
    """Each path of the group with what can be asked of it."""
    root = f"/apis/{group}/{version}" if group else f"/api/{version}"
    for resource in RESOURCES:
        if (resource.group, resource.version) == (group, version):
            yield from _paths(root, resource, definitions)


def _paths(root: str, resource: Resource, definitions: Definitions) -> Iterator[tuple[str, Document]]:
    place = f"{root}/namespaces/{{namespace}}" if resource.namespaced else root
    if resource.parent:
        path = f"{place}/{resource.parent}/{{name}}/{resource.plural}"
        yield path, _part(resource, definitions)
        if resource.plural == "proxy":
            yield f"{path}/{{path}}", _part(resource, definitions, rest=True)
        return
    collection = {verb: method for verb, method in _COLLECTION.items() if verb in resource.verbs}
    yield f"{place}/{resource.plural}", _item(resource, collection, definitions)
    item = {verb: method for verb, method in _ITEM.items() if verb in resource.verbs and verb != "create"}
    if item:
        yield f"{place}/{resource.plural}/{{name}}", _item(resource, item, definitions, named=True)
    if resource.namespaced and "list" in resource.verbs:
        yield f"{root}/{resource.plural}", _item(resource, {"list": "get"}, definitions, everywhere=True)


def _item(
    resource: Resource,
    methods: dict[str, str],
    definitions: Definitions,
    *,
    named: bool = False,
    everywhere: bool = False,
) -> Document:
    where = "ForAllNamespaces" if everywhere else "Namespaced"
    parameters = [in_path("name", resource.kind)] if named else []
    if resource.namespaced and not everywhere:
        parameters.append(in_path("namespace", resource.kind))
    found: Document = {"parameters": [*parameters, query("pretty")]}
    for verb, method in methods.items():
        action = verb if verb in ("list", "deletecollection") else method
        found[method] = operation(resource, action, method, where, _schemas(resource, action, definitions))
    return found


def _part(resource: Resource, definitions: Definitions, *, rest: bool = False) -> Document:
    parameters = [in_path("name", resource.owner)]
    if resource.namespaced:
        parameters.append(in_path("namespace", resource.owner))
    if rest:
        parameters.append(in_path("path", "path behind the proxy"))
    connects = resource.plural in _CONNECT
    found: Document = {"parameters": [*parameters, *(() if connects else (query("pretty"),))]}
    where = resource.plural.title() + ("WithPath" if rest else "")
    for verb in resource.verbs:
        method = _METHODS[verb]
        action = "connect" if connects else method
        schemas = (
            Schemas(None, None) if connects or resource.plural == "log" else _schemas(resource, action, definitions)
        )
        found[method] = operation(resource, action, method, where, schemas)
    return found


def _schemas(resource: Resource, action: str, definitions: Definitions) -> Schemas:
    kind = KINDS_SHOWN.get((resource.group, resource.version, resource.kind))
    if action == "list":
        assert kind is not None
        return Schemas(None, definitions.list_of(kind))
    if action in ("delete", "deletecollection"):
        return Schemas(
            definitions.message("meta.DeleteOptions", groups=_OPTION_GROUPS),
            definitions.message("meta.Status", groups=[("", "v1")]),
        )
    if kind is not None:
        own = definitions.kind(kind)
    else:
        group, version = resource.answers or (resource.group, resource.version)
        message = f"{group}/{version}.{resource.kind}" if group else f"{version}.{resource.kind}"
        own = definitions.message(message, groups=[(group, version)])
    if action == "patch":
        return Schemas(definitions.free("Patch"), own)
    return Schemas(None if action == "get" else own, own)
