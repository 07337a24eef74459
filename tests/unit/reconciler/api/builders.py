"""Objects and moments for these tests."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from schemas.decode import decode
from schemas.kinds import BY_NAME
from schemas.meta import Object

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
