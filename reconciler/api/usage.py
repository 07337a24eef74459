"""`metrics.k8s.io`: what nodes and pods use, from the newest report of each node; for `kubectl top` and its like.

Pure. A node that is away has none: what it used when it was last heard of says nothing of now.
"""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from reconciler.api import reads
from reconciler.api.status import not_found
from reconciler.api.target import Target
from reconciler.store.view import View
from schemas import metrics
from schemas.core.node import Node
from schemas.core.pod import Pod
from schemas.kinds import BY_NAME, Kind
from schemas.messages import MetricsBatch, Usage
from schemas.meta import Object, ObjectMeta, Quantity
from schemas.metrics import ContainerMetrics, NodeMetrics, PodMetrics

Reports = Mapping[str, MetricsBatch]
"""The newest of each node, by its name."""


def nodes(view: View, reports: Reports) -> Sequence[NodeMetrics]:
    """Of each node that is Ready and has reported."""
    found = ((node, reports.get(node.metadata.name)) for node in view.list(Node) if _is_ready(node))
    return [of_node(node, report) for node, report in found if report is not None]


def measured(view: View, reports: Reports, kind: Kind) -> Sequence[Object]:
    """All of the kind."""
    return pods(view, reports) if kind is metrics.PODS else nodes(view, reports)


def pods(view: View, reports: Reports) -> Sequence[PodMetrics]:
    """Of each pod that its node reported, by namespace and name."""
    found = [metrics_ for node in view.list(Node) if _is_ready(node) for metrics_ in _of_pods(view, node, reports)]
    return sorted(found, key=lambda each: (each.metadata.namespace, each.metadata.name))


def of_node(node: Node, report: MetricsBatch) -> NodeMetrics:
    return NodeMetrics(
        metadata=_metadata(node, report),
        timestamp=report.taken_at,
        window=window(report),
        usage=_quantities(report.node),
    )


def _of_pods(view: View, node: Node, reports: Reports) -> Iterator[PodMetrics]:
    report = reports.get(node.metadata.name)
    for usage in report.pods if report else ():
        pod = view.by_uid(usage.uid)
        if isinstance(pod, Pod) and report and usage.containers:
            yield PodMetrics(
                metadata=_metadata(pod, report),
                timestamp=report.taken_at,
                window=window(report),
                containers=tuple(ContainerMetrics(name, _quantities(used)) for name, used in usage.containers.items()),
            )


def find(view: View, reports: Reports, kind: Kind, namespace: str, name: str) -> Object:
    """Of one node or pod. Raises the 404: of the object itself, or of what it uses."""
    observed = "Pod" if kind is metrics.PODS else "Node"
    reads.get(view, Target(BY_NAME[observed], namespace or None, name))
    for each in measured(view, reports, kind):
        if (each.metadata.namespace, each.metadata.name) == (namespace, name):
            return each
    # The name of the resource that a metrics server gives here is that of the kind.
    missing = msgspec.structs.replace(kind, plural=kind.name.lower())
    raise not_found(missing, f"{namespace}/{name}" if namespace else name)


def _is_ready(node: Node) -> bool:
    return any((each.type, each.status) == ("Ready", "True") for each in node.status.conditions)


def _metadata(of: Object, report: MetricsBatch) -> ObjectMeta:
    meta = of.metadata
    return ObjectMeta(name=meta.name, namespace=meta.namespace, labels=meta.labels, creation_timestamp=report.taken_at)


def _quantities(usage: Usage) -> dict[str, Quantity]:
    return {"cpu": f"{usage.cpu_nanocores}n", "memory": f"{usage.memory_bytes // 1024}Ki"}


def window(report: MetricsBatch) -> str:
    """As Go writes a duration."""
    minutes, seconds = divmod(round(report.window_seconds, 3), 60)
    return f"{minutes:.0f}m{seconds:g}s" if minutes else f"{seconds:g}s"
