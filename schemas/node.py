"""RuntimeClass: by which runtime pods are run."""

from msgspec import field

from schemas.core.affinity import Toleration
from schemas.meta import Object, Quantity, Record


class Overhead(Record, frozen=True):
    pod_fixed: dict[str, Quantity] = field(default_factory=dict)


class Scheduling(Record, frozen=True):
    node_selector: dict[str, str] = field(default_factory=dict)
    tolerations: tuple[Toleration, ...] = ()


class RuntimeClass(Object, frozen=True, kw_only=True):
    api_version: str = field(default_factory=lambda: "node.k8s.io/v1")
    kind: str = field(default_factory=lambda: "RuntimeClass")
    handler: str
    overhead: Overhead | None = None
    scheduling: Scheduling | None = None
