"""What nodes and pods use."""

from datetime import datetime

from reconciler.api.tables.column import NAME, Cell, Column, Layout
from schemas.metrics import NodeMetrics, PodMetrics
from schemas.quantity import total

_COLUMNS = (
    NAME,
    Column("cpu", description="CPU used, averaged over the window"),
    Column("memory", description="Working set"),
    Column("Window", description="The time that the averages are of"),
)


def _node(metrics: NodeMetrics, _: datetime) -> tuple[Cell, ...]:
    return metrics.metadata.name, str(metrics.usage["cpu"]), str(metrics.usage["memory"]), metrics.window


def _pod(metrics: PodMetrics, _: datetime) -> tuple[Cell, ...]:
    cpu, memory = (total(each.usage[name] for each in metrics.containers) for name in ("cpu", "memory"))
    return metrics.metadata.name, cpu, memory, metrics.window


NODE_METRICS = Layout(_COLUMNS, _node)
POD_METRICS = Layout(_COLUMNS, _pod)
