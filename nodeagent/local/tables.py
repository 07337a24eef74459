"""What the agent tells of itself, as text for people. Pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from nodeagent.local.views import ContainerView, NodeView, PodView

GAP = "   "


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Columns as wide as they must be."""
    everything = [header, *rows]
    widths = [max(len(row[column]) for row in everything) for column in range(len(header))]
    lines = (GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in everything)
    return "".join(f"{line.rstrip()}\n" for line in lines)


def pods_table(pods: Sequence[PodView], now: datetime) -> str:
    """As `kubectl get pods --all-namespaces -o wide` shows them."""
    if not pods:
        return "No pods on this node.\n"
    rows = [_row(pod, now) for pod in sorted(pods, key=lambda pod: (pod.namespace, pod.name))]
    return table(("NAMESPACE", "NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP"), rows)


def _row(pod: PodView, now: datetime) -> tuple[str, ...]:
    mains = [one for one in pod.containers if not one.init]
    ready = f"{sum(one.ready for one in mains)}/{len(mains)}"
    restarts = str(sum(one.restarts for one in mains))
    age = duration((now - pod.started).total_seconds())
    return (pod.namespace, pod.name, ready, pod_status(pod), restarts, age, pod.ip or "<none>")


def pod_status(pod: PodView) -> str:
    """The one word that says most."""
    if pod.ending:
        return "Terminating"
    inits = [one for one in pod.containers if one.init]
    for number, one in enumerate(inits):
        if one.state == "waiting" and one.reason not in ("", "PodInitializing", "ContainerCreating"):
            return f"Init:{one.reason}"
        if one.state == "terminated" and one.exit_code:
            return f"Init:{one.reason or 'Error'}"
        if pod.phase == "Pending" and one.state != "terminated" and not one.ready:
            return f"Init:{number}/{len(inits)}"
    if pod.reason:
        return pod.reason
    troubled = [one.reason for one in pod.containers if not one.init and _is_troubled(one, pod.phase)]
    return troubled[-1] if troubled else pod.phase


def _is_troubled(one: ContainerView, phase: str) -> bool:
    if one.state == "waiting":
        return bool(one.reason)
    return one.state == "terminated" and bool(one.reason) and phase != "Running"


def status_text(view: NodeView, now: datetime) -> str:
    """One fact a line."""
    since = f"for {duration((now - view.link.since).total_seconds())} ({view.link.url})"
    link = f"connected {since}" if view.link.connected else f"no link {since}: pods run on with what was accepted"
    accepted = f"revision {view.accepted.revision}" if view.accepted.store else "nothing yet"
    if view.accepted.store and not view.accepted.complete:
        accepted += " (parts of it are still to come)"
    phases = ", ".join(f"{count} {phase}" for phase, count in view.pods.items()) or "none"
    age = duration((now - view.since).total_seconds())
    rows = [
        ("Node", f"{view.node} of cluster {view.cluster}"),
        ("Agent", f"wherry {view.version}, pid {view.pid}, for {age}, {size(view.resident)} of memory"),
        ("Runtime", view.runtime or "does not answer: no pod can be started"),
        ("Link", link),
        ("Accepted", accepted),
        ("Pods", phases),
        *((f"  {type_}", status) for type_, status in view.conditions.items()),
        ("Written", ", ".join(f"{name} {size(count)}" for name, count in view.written.items()) or "nothing"),
    ]
    width = max(len(name) for name, _ in rows) + 3  # a colon, and two of a gap
    return "".join(f"{name + ':':<{width}}{text}\n" for name, text in rows)


def size(count: int) -> str:
    """Bytes for people."""
    amount = float(count)
    for unit in ("B", "KiB", "MiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} GiB"


def duration(seconds: float) -> str:
    """As kubectl shows ages: two units at most."""
    whole = max(0, int(seconds))
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if whole < 120:
        return f"{whole}s"
    if minutes < 10:
        return f"{minutes}m{whole % 60}s" if whole % 60 else f"{minutes}m"
    if hours < 3:
        return f"{minutes}m"
    if hours < 8:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    return f"{hours}h" if hours < 48 else f"{days}d"
