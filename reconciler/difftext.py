"""What `wherry diff` says to a person: what the cluster has, and what the folder declares. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.plan.wording import said

SIGNS = {"missing": "+", "changed": "~", "undeclared": "-", "fault": "!"}
NOTHING = "The cluster is as the folder declares it."
MOST_FIELDS = 20


def say_diff(answer: Mapping[str, Any]) -> str:
    return "\n".join(_lines(answer))


def _lines(answer: Mapping[str, Any]) -> Iterator[str]:
    if answer["holding"]:
        yield f"The folder is not taken in just now: {answer['holding']}"
    told: set[str] = set()
    for one in answer["differences"]:
        place = f"  ({one['place']})" if one["place"] else ""
        name = f"{one['namespace']}/{one['name']}" if one["namespace"] else one["name"]
        yield f"{SIGNS[one['what']]} {one['kind']} {name}: {one['what']}{place}"
        if one["reason"]:
            told.add(one["reason"])
            yield f"    {one['reason']}"
        for field in one["fields"][:MOST_FIELDS]:
            yield f"    {field['path']}: {said(field['before'])} -> {said(field['after'])}"
        if len(one["fields"]) > MOST_FIELDS:
            yield f"    and {len(one['fields']) - MOST_FIELDS} more fields; see --output json"
    faults = [text for fault in answer["faults"] if (text := _fault(fault)) not in told]
    yield from (f"! {fault}" for fault in faults)
    number = len(answer["differences"])
    if number or faults:
        yield f"{number} objects differ (in the cluster -> in the folder)" if number else "No object differs."
    elif not answer["holding"]:
        yield NOTHING


def _fault(fault: Mapping[str, Any]) -> str:
    parts = (f"{fault['file']}:{fault['line']}", fault["object"], fault["field"], fault["message"])
    return ": ".join(part for part in parts if part)
