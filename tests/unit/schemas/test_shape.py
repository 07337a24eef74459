"""The types and what is known of them, held against the official schemas of Kubernetes 1.36."""

import json
from importlib import resources
from typing import Any

import pytest

from schemas.kinds import KINDS
from schemas.meta import Record
from schemas.shape import ATOMIC_TYPES, shape_of
from schemas.support import record_of

GROUPS = (
    ".apps.v1.",
    ".autoscaling.v2.",
    ".batch.v1.",
    ".certificates.v1.",
    ".coordination.v1.",
    ".core.v1.",
    ".discovery.v1.",
    ".meta.v1.",
    ".networking.v1.",
    ".node.v1.",
    ".policy.v1.",
    ".rbac.v1.",
    ".scheduling.v1.",
    ".storage.v1.",
)
OF_ANOTHER_KIND = ("io.k8s.api.core.v1.EndpointPort",)
"""Of Endpoints, whose successor has a type of the same name."""


def official() -> dict[str, dict[str, Any]]:
    """The official definitions of the groups that are served, by the last part of their name."""
    folder = resources.files("kubernetes_validate").joinpath("kubernetes-json-schema", "v1.36.0-local")
    definitions = json.loads(folder.joinpath("_definitions.json").read_text(encoding="utf-8"))["$defs"]
    return {
        name.rpartition(".")[2]: definition
        for name, definition in definitions.items()
        if any(group in name for group in GROUPS) and name not in OF_ANOTHER_KIND
    }


def types_of_the_served_kinds() -> list[type[Record]]:
    found: dict[str, type[Record]] = {}
    waiting: list[type[Record]] = [kind.type for kind in KINDS]
    while waiting:
        type_ = waiting.pop()
        if type_.__name__ not in found:
            found[type_.__name__] = type_
            below = (record_of(field.shape) for field in shape_of(type_).fields.values())
            waiting += [record for record in below if record is not None]
    return [found[name] for name in sorted(found)]


TYPES = [pytest.param(type_, id=type_.__name__) for type_ in types_of_the_served_kinds()]
DEFINITIONS = official()


@pytest.mark.parametrize("type_", TYPES)
def test_a_type_has_the_official_fields_and_no_other(type_: type[Record]) -> None:
    assert set(shape_of(type_).fields) == set(DEFINITIONS[type_.__name__].get("properties", ()))


@pytest.mark.parametrize("type_", TYPES)
def test_integers_have_their_official_size(type_: type[Record]) -> None:
    for name, schema in DEFINITIONS[type_.__name__].get("properties", {}).items():
        size = schema.get("format") or (schema.get("items") or {}).get("format")
        if size in ("int32", "int64"):
            field = shape_of(type_).fields[name]
            shape = field.shape.item or field.shape
            assert f"int{shape.bits(name)}" == size, name


@pytest.mark.parametrize("type_", TYPES)
def test_records_and_maps_are_owned_as_officially(type_: type[Record]) -> None:
    definition = DEFINITIONS[type_.__name__]
    assert (type_.__name__ in ATOMIC_TYPES) == (definition.get("x-kubernetes-map-type") == "atomic")
    for name, field in shape_of(type_).fields.items():
        schema = definition["properties"][name]
        if field.shape.form == "map":
            is_atomic = schema.get("x-kubernetes-map-type") == "atomic"
            # A raw extension is one value, and its schema does not say so.
            assert field.shape.atomic == (is_atomic or (type_.__name__, name) == ("ControllerRevision", "data")), name


@pytest.mark.parametrize("type_", TYPES)
def test_lists_merge_as_officially(type_: type[Record]) -> None:
    for name, field in shape_of(type_).fields.items():
        schema = DEFINITIONS[type_.__name__]["properties"][name]
        keys = schema.get("x-kubernetes-list-map-keys") or ()
        assert set(field.shape.keys) == set(keys), name
        assert field.shape.is_set == (schema.get("x-kubernetes-list-type") == "set"), name
        strategy = schema.get("x-kubernetes-patch-strategy", "").split(",")
        patch_key = schema.get("x-kubernetes-patch-merge-key") if "merge" in strategy else None
        assert field.shape.patch_key == patch_key, name
        assert field.shape.retain_keys == ("retainKeys" in strategy), name
