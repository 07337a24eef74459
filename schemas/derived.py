"""What the API tells and nobody stores: APIServices, which follow from what is served, and ComponentStatuses.

https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/api-service-v1/ and `…/component-status-v1/`.
"""

from datetime import datetime

from msgspec import field

from schemas.kinds import Kind
from schemas.meta import Object, Record

REGISTRATION, VERSION = "apiregistration.k8s.io", "v1"


class APIServiceSpec(Record, frozen=True):
    """`service` would name who else answers; here nobody does."""

    group_priority_minimum: int
    version: str
    version_priority: int
    group: str = ""


class APIServiceCondition(Record, frozen=True):
    status: str
    type: str
    last_transition_time: datetime | None = None
    message: str = ""
    reason: str = ""


class APIServiceStatus(Record, frozen=True):
    conditions: tuple[APIServiceCondition, ...] = ()


class APIService(Object, frozen=True, kw_only=True):
    api_version: str = field(default_factory=lambda: f"{REGISTRATION}/{VERSION}")
    kind: str = field(default_factory=lambda: "APIService")
    spec: APIServiceSpec
    status: APIServiceStatus


class ComponentCondition(Record, frozen=True):
    status: str
    type: str
    error: str = ""
    message: str = ""


class ComponentStatus(Object, frozen=True, kw_only=True):
    api_version: str = field(default_factory=lambda: "v1")
    kind: str = field(default_factory=lambda: "ComponentStatus")
    conditions: tuple[ComponentCondition, ...] = ()


API_SERVICES = Kind(
    name="APIService",
    group=REGISTRATION,
    plural="apiservices",
    categories=("api-extensions",),
    namespaced=False,
    type=APIService,
)
COMPONENT_STATUSES = Kind(
    name="ComponentStatus", plural="componentstatuses", short_names=("cs",), namespaced=False, type=ComponentStatus
)
KINDS = (API_SERVICES, COMPONENT_STATUSES)
