"""The whole API in one document of OpenAPI version 2, for clients that know no other. Pure."""

from typing import Any

from reconciler.api.discovery import VERSION, VERSIONS
from reconciler.api.openapi.definitions import Definitions
from reconciler.api.openapi.groups import items_of

Document = dict[str, Any]

_METHODS = ("get", "post", "put", "patch", "delete")


def whole() -> Document:
    definitions = Definitions(2)
    paths = {
        path: _item(item)
        for group, versions in VERSIONS.items()
        for version in versions
        for path, item in items_of(group, version, definitions)
    }
    return {
        "swagger": "2.0",
        "info": {"title": "Kubernetes", "version": VERSION["gitVersion"]},
        "paths": dict(sorted(paths.items())),
        "definitions": dict(sorted(definitions.found.items())),
        "securityDefinitions": {"BearerToken": {"type": "apiKey", "name": "authorization", "in": "header"}},
        "security": [{"BearerToken": []}],
    }


def _item(item: Document) -> Document:
    """The operations of one path, as version 2 writes them."""
    found: Document = {"parameters": [_parameter(one) for one in item["parameters"]]}
    for method in _METHODS:
        if method in item:
            found[method] = _operation(item[method])
    return found


def _parameter(parameter: Document) -> Document:
    schema: Document = parameter["schema"]
    return {key: value for key, value in parameter.items() if key != "schema"} | schema


def _operation(operation: Document) -> Document:
    parameters = [_parameter(one) for one in operation["parameters"]]
    consumes, produces = ["*/*"], ["*/*"]
    if body := operation.get("requestBody"):
        consumes, schema = list(body["content"]), next(iter(body["content"].values()))["schema"]
        parameters.append({"name": "body", "in": "body", "required": body.get("required", False), "schema": schema})
    responses: Document = {}
    for code, response in operation["responses"].items():
        responses[code] = {"description": response["description"]}
        if content := response.get("content"):
            responses[code]["schema"] = next(iter(content.values()))["schema"]
            produces = list(content)
    kept = {key: value for key, value in operation.items() if key not in ("parameters", "requestBody", "responses")}
    return kept | {"consumes": consumes, "produces": produces, "parameters": parameters, "responses": responses}
