"""The roles and bindings that every cluster begins with, as Kubernetes has them.

Pure: (view) → changes. A start brings them up to date: rules and subjects that are missing come back, what people have
added stays, and one that says `rbac.authorization.kubernetes.io/autoupdate: "false"` is left alone
(https://kubernetes.io/docs/reference/access-authn-authz/rbac/#default-roles-and-role-bindings). The roles of
Kubernetes' own components are not among them: nothing here asks by their names.
"""

from collections.abc import Iterator

from msgspec import structs

from reconciler.controllers.roleaggregation import aggregated
from reconciler.store.changes import Change, Create, Update
from reconciler.store.view import View
from schemas.meta import LabelSelector, ObjectMeta
from schemas.rbac import AggregationRule, ClusterRole, ClusterRoleBinding, PolicyRule, RoleRef, Subject

_GROUP = "rbac.authorization.k8s.io"
_AUTOUPDATE = "rbac.authorization.kubernetes.io/autoupdate"
_LABELS = {"kubernetes.io/bootstrapping": "rbac-defaults"}

_READ = "get list watch"
_WRITE = "create delete deletecollection patch update"
_ALL = "create delete deletecollection get list patch update watch"

_WORKLOADS = "daemonsets deployments deployments/scale replicasets replicasets/scale"
_WITH_STATUS = "daemonsets daemonsets/status deployments deployments/scale deployments/status"
_SETS_WITH_STATUS = "replicasets replicasets/scale replicasets/status"


def _rule(verbs: str, groups: str, resources: str) -> PolicyRule:
    """Of words; the core group is `core`."""
    api_groups = tuple("" if group == "core" else group for group in groups.split())
    return PolicyRule(tuple(verbs.split()), api_groups=api_groups, resources=tuple(resources.split()))


def _urls(urls: str, verbs: str = "get") -> PolicyRule:
    return PolicyRule((verbs,), non_resource_urls=tuple(urls.split()))


_TO_VIEW = (
    _rule(
        _READ,
        "core",
        "configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods replicationcontrollers "
        "replicationcontrollers/scale serviceaccounts services services/status",
    ),
    _rule(
        _READ,
        "core",
        "bindings limitranges namespaces/status pods/log pods/status replicationcontrollers/status resourcequotas "
        "resourcequotas/status",
    ),
    _rule(_READ, "core", "namespaces"),
    _rule(_READ, "core events.k8s.io", "events"),
    _rule(_READ, "discovery.k8s.io", "endpointslices"),
    _rule(
        _READ,
        "apps",
        f"controllerrevisions {_WITH_STATUS} {_SETS_WITH_STATUS} statefulsets statefulsets/scale statefulsets/status",
    ),
    _rule(_READ, "autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status"),
    _rule(_READ, "batch", "cronjobs cronjobs/status jobs jobs/status"),
    _rule(
        _READ,
        "extensions",
        f"{_WITH_STATUS} ingresses ingresses/status networkpolicies {_SETS_WITH_STATUS} replicationcontrollers/scale",
    ),
    _rule(_READ, "policy", "poddisruptionbudgets poddisruptionbudgets/status"),
    _rule(_READ, "networking.k8s.io", "ingresses ingresses/status networkpolicies"),
    _rule(_READ, "resource.k8s.io", "resourceclaims resourceclaims/status resourceclaimtemplates"),
)

_TO_EDIT = (
    _rule(_READ, "core", "pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy"),
    _rule("impersonate", "core", "serviceaccounts"),
    _rule(_WRITE, "core", "pods pods/attach pods/exec pods/portforward pods/proxy"),
    _rule("create", "core", "pods/eviction"),
    _rule(
        _WRITE,
        "core",
        "configmaps events persistentvolumeclaims replicationcontrollers replicationcontrollers/scale secrets "
        "serviceaccounts services services/proxy",
    ),
    _rule("create", "core", "serviceaccounts/token"),
    _rule(_WRITE, "apps", f"{_WORKLOADS} deployments/rollback statefulsets statefulsets/scale"),
    _rule(_WRITE, "autoscaling", "horizontalpodautoscalers"),
    _rule(_WRITE, "batch", "cronjobs jobs"),
    _rule(
        _WRITE,
        "extensions",
        f"{_WORKLOADS} deployments/rollback ingresses networkpolicies replicationcontrollers/scale",
    ),
    _rule(_WRITE, "policy", "poddisruptionbudgets"),
    _rule(_WRITE, "networking.k8s.io", "ingresses networkpolicies"),
    _rule(_WRITE, "events.k8s.io", "events"),
    _rule(_ALL, "coordination.k8s.io", "leases"),
    _rule(_WRITE, "resource.k8s.io", "resourceclaims resourceclaimtemplates"),
)

_TO_ADMIN = (
    _rule("create", "authorization.k8s.io", "localsubjectaccessreviews"),
    _rule(_ALL, _GROUP, "rolebindings roles"),
)


def _role(name: str, *rules: PolicyRule, into: str = "", of: str = "") -> ClusterRole:
    """`into`: the role that takes its rules in; `of`: it is put together from those that go into this one."""
    labels = _LABELS | ({f"{_GROUP}/aggregate-to-{into}": "true"} if into else {})
    selector = LabelSelector(match_labels={f"{_GROUP}/aggregate-to-{of}": "true"})
    return ClusterRole(
        metadata=ObjectMeta(name=name, labels=labels, annotations={_AUTOUPDATE: "true"}),
        rules=rules,
        aggregation_rule=AggregationRule((selector,)) if of else None,
    )


ROLES: tuple[ClusterRole, ...] = (
    _role("cluster-admin", _rule("*", "*", "*"), _urls("*", "*")),
    _role("system:aggregate-to-view", *_TO_VIEW, into="view"),
    _role("system:aggregate-to-edit", *_TO_EDIT, into="edit"),
    _role("system:aggregate-to-admin", *_TO_ADMIN, into="admin"),
    _role("view", into="edit", of="view"),
    _role("edit", into="admin", of="edit"),
    _role("admin", of="admin"),
    _role(
        "system:basic-user",
        _rule("create", "authorization.k8s.io", "selfsubjectaccessreviews selfsubjectrulesreviews"),
        _rule("create", "authentication.k8s.io", "selfsubjectreviews"),
    ),
    _role(
        "system:discovery",
        _urls("/api /api/* /apis /apis/* /healthz /livez /openapi /openapi/* /readyz /version /version/"),
    ),
    _role("system:public-info-viewer", _urls("/healthz /livez /readyz /version /version/")),
    _role("system:monitoring", _urls("/healthz /healthz/* /livez /livez/* /metrics /metrics/slis /readyz /readyz/*")),
    _role(
        "system:auth-delegator",
        _rule("create", "authentication.k8s.io", "tokenreviews"),
        _rule("create", "authorization.k8s.io", "subjectaccessreviews"),
    ),
    _role(
        "system:certificates.k8s.io:kube-apiserver-client-approver",
        PolicyRule(
            ("approve",),
            api_groups=("certificates.k8s.io",),
            resource_names=("kubernetes.io/kube-apiserver-client",),
            resources=("signers",),
        ),
    ),
    _role(
        "system:service-account-issuer-discovery",
        _urls("/.well-known/openid-configuration /.well-known/openid-configuration/ /openid/v1/jwks /openid/v1/jwks/"),
    ),
)


def _binding(role: str, *groups: str) -> ClusterRoleBinding:
    return ClusterRoleBinding(
        metadata=ObjectMeta(name=role, labels=_LABELS, annotations={_AUTOUPDATE: "true"}),
        role_ref=RoleRef("ClusterRole", role, _GROUP),
        subjects=tuple(Subject("Group", group, _GROUP) for group in groups),
    )


BINDINGS: tuple[ClusterRoleBinding, ...] = (
    _binding("cluster-admin", "system:masters"),
    _binding("system:basic-user", "system:authenticated"),
    _binding("system:discovery", "system:authenticated"),
    _binding("system:monitoring", "system:monitoring"),
    _binding("system:public-info-viewer", "system:authenticated", "system:unauthenticated"),
    _binding("system:service-account-issuer-discovery", "system:serviceaccounts"),
)


def changes(view: View) -> tuple[Change, ...]:
    """What brings the roles and bindings of the view up to date; nothing where they are."""
    return (*_role_changes(view), *_binding_changes(view))


def _role_changes(view: View) -> Iterator[Change]:
    """Roles that are put together come after those that they are put together from, and get their rules at once."""
    known = {role.metadata.name: role for role in view.list(ClusterRole)}
    for wanted in ROLES:
        present = known.get(wanted.metadata.name)
        role = wanted if present is None else _with_role(present, wanted)
        if role.aggregation_rule is not None:
            in_order = [known[name] for name in sorted(known)]
            role = structs.replace(role, rules=aggregated(role, in_order))
        known[wanted.metadata.name] = role
        if present is None:
            yield Create(role)
        elif role != present:
            yield Update(role)


def _binding_changes(view: View) -> Iterator[Change]:
    for wanted in BINDINGS:
        present = view.get(ClusterRoleBinding, "", wanted.metadata.name)
        if present is None:
            yield Create(wanted)
        elif _is_kept_up(present.metadata) and present.role_ref == wanted.role_ref:
            missing = tuple(subject for subject in wanted.subjects if subject not in present.subjects)
            metadata = _with_metadata(present.metadata, wanted.metadata)
            if missing or metadata != present.metadata:
                yield Update(structs.replace(present, metadata=metadata, subjects=(*present.subjects, *missing)))


def _with_role(present: ClusterRole, wanted: ClusterRole) -> ClusterRole:
    if not _is_kept_up(present.metadata):
        return present
    missing = tuple(rule for rule in wanted.rules if rule not in present.rules)
    return structs.replace(
        present,
        metadata=_with_metadata(present.metadata, wanted.metadata),
        rules=(*present.rules, *missing),
        aggregation_rule=present.aggregation_rule or wanted.aggregation_rule,
    )


def _with_metadata(present: ObjectMeta, wanted: ObjectMeta) -> ObjectMeta:
    return structs.replace(
        present, labels=wanted.labels | present.labels, annotations=wanted.annotations | present.annotations
    )


def _is_kept_up(metadata: ObjectMeta) -> bool:
    return metadata.annotations.get(_AUTOUPDATE) != "false"
