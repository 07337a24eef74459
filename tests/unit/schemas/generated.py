"""Documents of a kind, made of its shape: few fields, words and numbers that mean something somewhere."""

from random import Random
from typing import Any

from schemas.kinds import KINDS, Kind
from schemas.shape import Json, Shape, shape_of

WORDS = (
    *(
        "",
        "a",
        "a-b",
        "A_b",
        "x" * 70,
        "a/b",
        "apps/v1",
        "example.com/a",
        "*",
        "1.2.3.4",
        "10.0.0.0/8",
        "metadata.name",
    ),
    *("Always", "Never", "OnFailure", "OnDelete", "RollingUpdate", "Recreate", "Indexed", "NonIndexed", "Delete"),
    *("ClusterIP", "LoadBalancer", "ExternalName", "ClientIP", "In", "Exists", "NotIn", "Resource", "Object", "Pods"),
    *("*/5 * * * *", "@daily", "Europe/Berlin", "0-3,5", "Utilization", "Percent", "FailJob", "cpu", "TCP", "local"),
)
AMOUNTS = ("0", "1", "100m", "1Gi", "-1", "0.5", "1500u", "2e3")
SHARES = (0, 1, "25%", "120%", "x", -1)
NUMBERS = (-1, 0, 1, 2, 80, 443, 200_000)


def document(kind: Kind, random: Random) -> dict[str, Json]:
    fields = _record(shape_of(kind.type), random, 0)
    return {**fields, "apiVersion": kind.api_version, "kind": kind.name, "metadata": _metadata(random)}


def _metadata(random: Random) -> dict[str, Json]:
    uid = {"uid": "00000000-0000-4000-8000-000000000000"} if random.random() < 0.5 else {}
    labels = {"labels": {"a": "b"}} if random.random() < 0.5 else {}
    return {"name": random.choice(("a", "a.b", "n" * 60)), **uid, **labels}


def _record(shape: Shape, random: Random, depth: int) -> dict[str, Json]:
    """What is required, and the more of the rest the nearer it is to the top."""
    chance = 0.6 if depth < 2 else 0.35 if depth < 5 else 0.12
    fields = {
        name: _value(field.shape, random, depth + 1)
        for name, field in shape.fields.items()
        if field.required or random.random() < chance
    }
    kind = next((kind for kind in KINDS if kind.type is shape.record), None)
    return fields if kind is None else {**fields, "apiVersion": kind.api_version, "kind": kind.name}


def _value(shape: Shape, random: Random, depth: int) -> Any:  # noqa: ANN401
    match shape.form:
        case "record":
            return _record(shape, random, depth)
        case "list" if shape.item is not None:
            return [_value(shape.item, random, depth) for _ in range(random.choice((0, 1, 1, 2)))]
        case "map" if shape.item is not None:
            keys = random.sample(("cpu", "memory", "a", "job-name", "example.com/a"), random.randint(0, 2))
            return {key: _value(shape.item, random, depth) for key in keys}
        case "integer":
            return random.choice(NUMBERS)
        case "boolean":
            return random.random() < 0.5
        case "quantity":
            return random.choice(AMOUNTS)
        case "int_or_string":
            return random.choice(SHARES)
        case "bytes":
            return "YQ=="
        case "time":
            return "2026-01-01T00:00:00Z"
        case "number":
            return 0.5
        case "any":
            return {}
    return random.choice(WORDS)
