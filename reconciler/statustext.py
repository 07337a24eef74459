"""What `wherry status` says to a person, from what the server answered: one screen, what needs a hand last.

Pure. Long lists are cut, with the number that is not shown; `--output json` has them whole.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

SHOWN = 10


def say_status(status: Mapping[str, Any], data: str) -> str:
    """Lines for the answer of `/wherry/v1/status`; `data` is the folder that `--data` names."""
    return "\n".join(_lines(status, data))


def _lines(status: Mapping[str, Any], data: str) -> Iterator[str]:
    manifests, cluster = status["manifests"], status["cluster"]
    faults = [one for one in manifests["faults"] if one["severity"] == "error"]
    warnings = [one for one in manifests["faults"] if one["severity"] != "error"]
    yield _fact("Folder", status["folder"])
    if manifests["commit"]:
        yield _fact("Commit", manifests["commit"])
    yield _fact("Read", _read(manifests))
    yield from _nodes(cluster["nodes"])
    yield _fact("Pods", f"{cluster['ready_pods']} of {cluster['pods']} Ready")
    yield from _listed("Waiting", [f"{one['object']}: {one['reason']}" for one in cluster["waiting"]])
    if manifests["watch_limit"]:
        yield _fact("Watch", f"changes are found late: {manifests['watch_limit']}")
    if manifests["holding"]:
        yield _fact("Held", f"the folder is not taken in just now: {manifests['holding']}")
    yield from _listed("Warnings", map(_fault, warnings))
    yield from _listed("Faults", map(_fault, faults))
    if faults:
        yield "  What these files declared before stays as it was. Mend and save them."
    yield from _held_back(manifests["held_back"], data)


def _fact(name: str, text: str) -> str:
    return f"{name:<10}{text}"


def _listed(name: str, found: Iterable[str]) -> Iterator[str]:
    lines = list(found)
    yield _fact(name, str(len(lines)) if lines else "none")
    yield from (f"  {line}" for line in lines[:SHOWN])
    if len(lines) > SHOWN:
        yield f"  and {len(lines) - SHOWN} more; see --output json"


def _read(manifests: Mapping[str, Any]) -> str:
    if manifests["last_pass"] is None:
        return "not yet"
    at = datetime.fromisoformat(manifests["last_pass"]).strftime("%Y-%m-%d %H:%M:%S UTC")
    return f"{manifests['files']} files, {manifests['objects']} objects, last at {at}"


def _nodes(nodes: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    ready = sum(bool(node["ready"]) for node in nodes)
    yield _fact("Nodes", f"{ready} of {len(nodes)} Ready" if nodes else "none has reported yet")
    noted = [node for node in nodes if node["reason"]]
    for node in noted[:SHOWN]:
        since = f", since {datetime.fromisoformat(node['since']):%Y-%m-%d %H:%M:%S} UTC" if node["since"] else ""
        yield f"  {node['name']}: {'' if node['ready'] else 'not Ready, '}{node['reason']}{since}"
    if len(noted) > SHOWN:
        yield f"  and {len(noted) - SHOWN} more; see --output json"


def _fault(fault: Mapping[str, Any]) -> str:
    parts = (f"{fault['file']}:{fault['line']}", fault["object"], fault["field"], fault["message"])
    return ": ".join(part for part in parts if part)


def _held_back(held: Sequence[Mapping[str, Any]], data: str) -> Iterator[str]:
    by_reason: dict[str, list[str]] = {}
    for one in held:
        kind, namespace, name = one["ref"]
        by_reason.setdefault(one["reason"], []).append(f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}")
    yield _fact("Held back", f"{len(held)} deletions" if held else "none")
    for reason, names in by_reason.items():
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        yield f"  {', '.join(names[:SHOWN])}{more}: {reason}"
    if any(one["approvable"] for one in held):
        yield f"  If they shall go: wherry approve --data {data}"
