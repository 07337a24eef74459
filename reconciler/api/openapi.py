"""As much OpenAPI v3 as kubectl needs to leave the validation of fields to the server.

kubectl looks for the query parameter `fieldValidation` of a kind's PATCH before it creates, replaces or applies.
Where it does not find it, it wants the whole schema for a check of its own.
"""

from reconciler.api.discovery import VERSIONS, Document
from schemas.kinds import KINDS, Kind


def index() -> Document:
    """`/openapi/v3`: one document for each group and version."""
    paths = [_path(group, version) for group, versions in VERSIONS.items() for version in versions]
    return {"paths": {path: {"serverRelativeURL": f"/openapi/v3/{path}"} for path in paths}}


def _path(group: str, version: str) -> str:
    return f"apis/{group}/{version}" if group else f"api/{version}"


def document(path: str) -> Document | None:
    """`/openapi/v3/api/v1`, `/openapi/v3/apis/GROUP/VERSION`."""
    if f"/openapi/v3/{path}" not in {entry["serverRelativeURL"] for entry in index()["paths"].values()}:
        return None
    kinds = [kind for kind in KINDS if _path(kind.group, kind.version) == path]
    return {
        "openapi": "3.0.0",
        "info": {"title": "Wherry", "version": "v1.36.2"},
        "paths": {_item(kind): {"patch": _patch(kind)} for kind in kinds},
    }


def _item(kind: Kind) -> str:
    where = "namespaces/{namespace}/" if kind.namespaced else ""
    return f"/{_path(kind.group, kind.version)}/{where}{kind.plural}/{{name}}"


def _patch(kind: Kind) -> Document:
    parameters = [
        {"name": name, "in": "query", "schema": {"type": "string"}}
        for name in ("dryRun", "fieldManager", "fieldValidation")
    ]
    return {
        "parameters": parameters,
        "responses": {"200": {"description": "The object as it is now"}},
        "x-kubernetes-action": "patch",
        "x-kubernetes-group-version-kind": {"group": kind.group, "version": kind.version, "kind": kind.name},
    }
