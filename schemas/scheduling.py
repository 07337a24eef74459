"""PriorityClass: which pods come first."""

from msgspec import field

from schemas.meta import Object


class PriorityClass(Object, frozen=True, kw_only=True):
    api_version: str = field(default_factory=lambda: "scheduling.k8s.io/v1")
    kind: str = field(default_factory=lambda: "PriorityClass")
    description: str = ""
    global_default: bool = False
    preemption_policy: str = ""
    value: int = 0
