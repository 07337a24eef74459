"""What the official JSON Schemas of Kubernetes say of a document: the fields that they refuse.

They come with the `kubernetes-validate` package, whose own `validate` stops at the first fault and reads 5 MB of
definitions for each document; the schemas themselves are asked here, in the strict form that knows every field.
"""

import json
import re
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from referencing import Registry, Resource

from schemas.faults import Path

VERSION = "1.36.0"


def refused(data: dict[str, Any]) -> set[Path] | None:
    """The paths that are refused; None where there is no schema for such a document."""
    validator = _validator(str(data.get("apiVersion")), str(data.get("kind")))
    if validator is None:
        return None
    return {path for error in validator.iter_errors(data) for path in _paths(error)}


@cache
def _validator(api_version: str, kind: str) -> Draft202012Validator | None:
    name = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", api_version)
    file = _folder() / f"{kind.lower()}-{name}.json"
    if not re.fullmatch(r"[A-Za-z0-9-]+", kind + name) or not file.is_file():
        return None
    schema = json.loads(file.read_text(encoding="utf-8"))
    groups = [f"{one['group']}/{one['version']}" for one in schema.get("x-kubernetes-group-version-kind", ())]
    if api_version not in [group.lstrip("/") for group in groups]:
        return None  # the file's name leaves out the domain: this is the kind of another group
    return Draft202012Validator(schema, registry=_definitions().with_resource("", Resource.from_contents(schema)))


@cache
def _definitions() -> "Registry[Any]":
    contents = json.loads((_folder() / "_definitions.json").read_text(encoding="utf-8"))
    return Resource.from_contents(contents) @ Registry()


@cache
def _folder() -> Any:  # noqa: ANN401 - what importlib has for a folder
    return resources.files("kubernetes_validate") / "kubernetes-json-schema" / f"v{VERSION}-local-strict"


def _paths(error: ValidationError) -> Iterator[Path]:
    at = tuple(error.absolute_path)
    schema = error.schema if isinstance(error.schema, dict) else {}
    found = error.instance if isinstance(error.instance, dict) else {}
    if error.validator == "required":
        yield from ((*at, name) for name in schema["required"] if name not in found)
    elif error.validator == "additionalProperties":
        yield from ((*at, name) for name in found if name not in schema.get("properties", {}))
    else:
        yield at
