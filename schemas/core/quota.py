"""What a namespace may use: ResourceQuota, LimitRange."""

from msgspec import field

from schemas.meta import Object, Quantity, Record


class ScopedResourceSelectorRequirement(Record, frozen=True):
    operator: str
    scope_name: str
    values: tuple[str, ...] = ()


class ScopeSelector(Record, frozen=True):
    match_expressions: tuple[ScopedResourceSelectorRequirement, ...] = ()


class ResourceQuotaSpec(Record, frozen=True):
    hard: dict[str, Quantity] = field(default_factory=dict)
    scope_selector: ScopeSelector | None = None
    scopes: tuple[str, ...] = ()


class ResourceQuotaStatus(Record, frozen=True):
    hard: dict[str, Quantity] = field(default_factory=dict)
    used: dict[str, Quantity] = field(default_factory=dict)


class ResourceQuota(Object, frozen=True, kw_only=True):
    api_version: str = field(default_factory=lambda: "v1")
    kind: str = field(default_factory=lambda: "ResourceQuota")
    spec: ResourceQuotaSpec = field(default_factory=ResourceQuotaSpec)
    status: ResourceQuotaStatus = field(default_factory=ResourceQuotaStatus)


class LimitRangeItem(Record, frozen=True):
    type: str
    default: dict[str, Quantity] = field(default_factory=dict)
    default_request: dict[str, Quantity] = field(default_factory=dict)
    max: dict[str, Quantity] = field(default_factory=dict)
    max_limit_request_ratio: dict[str, Quantity] = field(default_factory=dict)
    min: dict[str, Quantity] = field(default_factory=dict)


class LimitRangeSpec(Record, frozen=True):
    limits: tuple[LimitRangeItem, ...]


class LimitRange(Object, frozen=True, kw_only=True):
    api_version: str = field(default_factory=lambda: "v1")
    kind: str = field(default_factory=lambda: "LimitRange")
    spec: LimitRangeSpec = field(default_factory=lambda: LimitRangeSpec(limits=()))
