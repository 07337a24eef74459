"""Objects and moments for these tests."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from schemas.decode import decode
from schemas.kinds import BY_NAME, Kind
from schemas.meta import Object
from schemas.shape import Shape, shape_of

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def ago(**duration: float) -> str:
    """A time so long before NOW, as an object writes it."""
    return (NOW - timedelta(**duration)).isoformat().replace("+00:00", "Z")


def object_of(document: dict[str, Any]) -> Any:  # noqa: ANN401
    """The document as an object of the kind that it names."""
    kind = BY_NAME[document["kind"]]
    decoded = decode(kind, {"apiVersion": kind.api_version} | document)
    assert decoded.object is not None, decoded.faults
    return decoded.object


def smallest(kind: Kind) -> dict[str, Any]:
    """A document of the kind, named x, that has what it must have and nothing else."""
    found: dict[str, Any] = _smallest(shape_of(kind.type))
    return found | {"apiVersion": kind.api_version, "kind": kind.name, "metadata": {"name": "x"}}


def _smallest(shape: Shape) -> Any:  # noqa: ANN401
    if shape.form == "record":
        return {name: _smallest(field.shape) for name, field in shape.fields.items() if field.required}
    return {"list": [], "map": {}, "integer": 1, "boolean": True, "bytes": ""}.get(shape.form, "x")


def config_map(name: str, namespace: str = "default", **labels: str) -> Object:
    found: Object = object_of(
        {"kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace, "labels": labels}, "data": {"a": "1"}}
    )
    return found


def shared() -> Path:
    """Where the recorded answers of a real Kubernetes lie; skips where they are not at hand."""
    beside = Path(__file__).parents[4].parent / "shared"
    found = Path(os.environ.get("WHERRY_SHARED", beside))
    if not (found / "transcripts").is_dir():
        pytest.skip("no recorded answers of Kubernetes here: set WHERRY_SHARED to the folder that holds transcripts/")
    return found / "transcripts"
