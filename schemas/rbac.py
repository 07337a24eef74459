"""Who may do what: roles and their bindings."""

from msgspec import field

from schemas.meta import LabelSelector, Object, Record


class PolicyRule(Record, frozen=True):
    verbs: tuple[str, ...]
    api_groups: tuple[str, ...] = ()
    non_resource_urls: tuple[str, ...] = field(default=(), name="nonResourceURLs")
    resource_names: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()


class Role(Object, frozen=True, kw_only=True):
    api_version: str = field(default_factory=lambda: "rbac.authorization.k8s.io/v1")
    kind: str = field(default_factory=lambda: "Role")
    rules: tuple[PolicyRule, ...] = ()


class RoleRef(Record, frozen=True):
    kind: str
    name: str
    api_group: str = ""


class Subject(Record, frozen=True):
    kind: str
    name: str
    api_group: str = ""
    namespace: str = ""


class RoleBinding(Object, frozen=True, kw_only=True):
    api_version: str = field(default_factory=lambda: "rbac.authorization.k8s.io/v1")
    kind: str = field(default_factory=lambda: "RoleBinding")
    role_ref: RoleRef
    subjects: tuple[Subject, ...] = ()


class AggregationRule(Record, frozen=True):
    cluster_role_selectors: tuple[LabelSelector, ...] = ()


class ClusterRole(Object, frozen=True, kw_only=True):
    api_version: str = field(default_factory=lambda: "rbac.authorization.k8s.io/v1")
    kind: str = field(default_factory=lambda: "ClusterRole")
    aggregation_rule: AggregationRule | None = None
    rules: tuple[PolicyRule, ...] = ()


class ClusterRoleBinding(Object, frozen=True, kw_only=True):
    api_version: str = field(default_factory=lambda: "rbac.authorization.k8s.io/v1")
    kind: str = field(default_factory=lambda: "ClusterRoleBinding")
    role_ref: RoleRef
    subjects: tuple[Subject, ...] = ()
