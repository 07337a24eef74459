"""What `wherry history` says to a person. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

SHOWN = 8
_SHORT = 12


def say_history(records: Sequence[Mapping[str, Any]]) -> str:
    """Newest first."""
    if not records:
        return "Nothing has been changed by the folder yet."
    return "\n\n".join("\n".join(_lines(one)) for one in records)


def _lines(record: Mapping[str, Any]) -> Iterator[str]:
    what = " ".join(part for part in (record["commit"][:_SHORT] or "no commit", record["subject"]) if part)
    yield f"{_time(record['committed'])}  {what}"
    if record["author"]:
        made = f", made {_time(record['authored'])}" if record["authored"] else ""
        yield f"  by {record['author']}{made}"
    yield f"  {_state(record)}"
    for action in ("created", "updated", "deleted"):
        names = [one["object"] for one in record["changes"] if one["action"] == action]
        if names:
            more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
            yield f"  {action} {', '.join(names[:SHOWN])}{more}"


def _state(record: Mapping[str, Any]) -> str:
    if record["converged"]:
        took = datetime.fromisoformat(record["converged"]) - datetime.fromisoformat(record["committed"])
        return f"healthy at {_time(record['converged'])}, after {took.total_seconds():.1f} s"
    if record["state"] == "Superseded":
        return "changed again before it was healthy"
    first, *more = record["waiting"] or ["what it has changed"]
    return f"not healthy yet: {first}" + (f" and {len(more)} more" if more else "")


def _time(text: str) -> str:
    return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M:%S UTC")
