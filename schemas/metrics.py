"""`metrics.k8s.io/v1beta1`: what nodes and pods use, as a metrics server tells it. Nothing of it is ever stored.

https://kubernetes.io/docs/reference/external-api/metrics.v1beta1/
"""

from datetime import datetime

from msgspec import field

from schemas.kinds import Kind
from schemas.meta import Object, Quantity, Record

GROUP, VERSION = "metrics.k8s.io", "v1beta1"


class ContainerMetrics(Record, frozen=True):
    """Usage of CPU (cores, averaged over the window) and memory (working set)."""

    name: str
    usage: dict[str, Quantity]


class NodeMetrics(Object, frozen=True, kw_only=True):
    """`timestamp` ends the window, a duration such as `30s`."""

    api_version: str = field(default_factory=lambda: f"{GROUP}/{VERSION}")
    kind: str = field(default_factory=lambda: "NodeMetrics")
    timestamp: datetime
    window: str
    usage: dict[str, Quantity]


class PodMetrics(Object, frozen=True, kw_only=True):
    api_version: str = field(default_factory=lambda: f"{GROUP}/{VERSION}")
    kind: str = field(default_factory=lambda: "PodMetrics")
    timestamp: datetime
    window: str
    containers: tuple[ContainerMetrics, ...]


NODES = Kind(name="NodeMetrics", group=GROUP, version=VERSION, plural="nodes", namespaced=False, type=NodeMetrics)
PODS = Kind(name="PodMetrics", group=GROUP, version=VERSION, plural="pods", type=PodMetrics)
KINDS = (NODES, PODS)
