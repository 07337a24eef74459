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
    yield from _source(status["source"])
    yield _fact("Folder", status["folder"])
    if manifests["commit"]:
        yield _fact("Commit", manifests["commit"])
    yield _fact("Read", _read(manifests))
    yield _fact("Objects", _counts(status["convergence"]))
    yield from _nodes(cluster["nodes"])
    yield _fact("Pods", f"{cluster['ready_pods']} of {cluster['pods']} Ready")
    yield from _waiting(status["convergence"], cluster["waiting"])
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


def _listed(name: str, found: Iterable[str], unseen: int = 0) -> Iterator[str]:
    lines = list(found)
    number = len(lines) + unseen
    yield _fact(name, str(number) if number else "none")
    yield from (f"  {line}" for line in lines[:SHOWN])
    if number > SHOWN:
        yield f"  and {number - min(SHOWN, len(lines))} more; see --output json"


def _source(source: Mapping[str, Any] | None) -> Iterator[str]:
    """The git repository, where the manifests come from one."""
    if source is None:
        return
    path = f", path {source['path']}" if source["path"] else ""
    yield _fact("Source", f"{source['url']} {source['ref']}{path}")
    if source["fetched"]:
        signed = f", signature {source['signature']}" if source["signature"] else ""
        yield _fact("Fetched", f"{source['commit'][:12]} at {_time(source['fetched'])}{signed}")
    if source["error"]:
        yield _fact("Git", f"no later commit is taken: {source['error']}")


def _counts(convergence: Mapping[str, Any]) -> str:
    objects, synced, healthy = (convergence[name] for name in ("objects", "synced", "healthy"))
    return f"{objects}, {synced} synced, {healthy} healthy"


def _waiting(convergence: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What is not yet as it shall be; what has a fault or is held back is told below."""
    pending = {_name(one): one for one in convergence["pending"]}
    told = [f"{name}: {_why(one)}" for name, one in pending.items() if one["synced"] not in ("Fault", "Held")]
    told += [f"{one['object']}: {one['reason']}" for one in others if one["object"] not in pending]
    yield from _listed("Waiting", told, unseen=convergence["pendingCount"] - len(pending))


def _why(one: Mapping[str, Any]) -> str:
    if one["synced"] != "Yes":
        return str(one["reason"])
    state = one["health"]
    reason = one["healthReason"] or state
    return f"{state}, {reason}" if state == "Degraded" else str(reason)


def _name(one: Mapping[str, Any]) -> str:
    return f"{one['kind']} {one['namespace']}/{one['name']}" if one["namespace"] else f"{one['kind']} {one['name']}"


def _time(text: str) -> str:
    return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M:%S UTC")


def _read(manifests: Mapping[str, Any]) -> str:
    if manifests["last_pass"] is None:
        return "not yet"
    return f"{manifests['files']} files, {manifests['objects']} objects, last at {_time(manifests['last_pass'])}"


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
