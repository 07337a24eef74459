"""Rules of roles and their bindings."""

from schemas import names
from schemas.faults import Path
from schemas.rbac import ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject
from schemas.validation.report import Faults, invalid, required, unsupported, well_formed
from schemas.validation.scheduling import label_selector

_GROUP = "rbac.authorization.k8s.io"


def role(declared: Role) -> Faults:
    yield from _rules(declared.rules, namespaced=True)


def cluster_role(declared: ClusterRole) -> Faults:
    yield from _rules(declared.rules, namespaced=False)
    if declared.aggregation_rule is None:
        return
    path = ("aggregationRule", "clusterRoleSelectors")
    selectors = declared.aggregation_rule.cluster_role_selectors
    if not selectors:
        yield required(path, "at least one clusterRoleSelector required if aggregationRule is non-nil")
    for index, selector in enumerate(selectors):
        yield from label_selector((*path, index), selector)


def _rules(rules: tuple[PolicyRule, ...], *, namespaced: bool) -> Faults:
    for index, rule in enumerate(rules):
        path = ("rules", index)
        if not rule.verbs:
            yield required((*path, "verbs"), "verbs must contain at least one value")
        if rule.non_resource_urls:
            yield from _urls((*path, "nonResourceURLs"), rule, namespaced)
            continue
        if not rule.api_groups:
            yield required((*path, "apiGroups"), "resource rules must supply at least one api group")
        if not rule.resources:
            yield required((*path, "resources"), "resource rules must supply at least one resource")


def _urls(path: Path, rule: PolicyRule, namespaced: bool) -> Faults:
    urls = rule.non_resource_urls
    if namespaced:
        yield invalid(path, urls, "namespaced rules cannot apply to non-resource URLs")
    if rule.api_groups or rule.resources or rule.resource_names:
        yield invalid(path, urls, "rules cannot apply to both regular resources and non-resource URLs")


def role_binding(declared: RoleBinding) -> Faults:
    yield from _role_ref(declared.role_ref, ("Role", "ClusterRole"))
    for index, subject in enumerate(declared.subjects):
        yield from _subject(("subjects", index), subject, namespaced=True)


def cluster_role_binding(declared: ClusterRoleBinding) -> Faults:
    yield from _role_ref(declared.role_ref, ("ClusterRole",))
    for index, subject in enumerate(declared.subjects):
        yield from _subject(("subjects", index), subject, namespaced=False)


def _role_ref(ref: RoleRef, kinds: tuple[str, ...]) -> Faults:
    path = ("roleRef",)
    if ref.api_group != _GROUP:
        yield unsupported((*path, "apiGroup"), ref.api_group, (_GROUP,))
    if ref.kind not in kinds:
        yield unsupported((*path, "kind"), ref.kind, kinds)
    if not ref.name:
        yield required((*path, "name"))
    else:
        yield from well_formed((*path, "name"), ref.name, names.path_segment)


def _subject(path: Path, subject: Subject, *, namespaced: bool) -> Faults:
    if not subject.name:
        yield required((*path, "name"))
    if subject.kind == "ServiceAccount":
        if subject.name:
            yield from well_formed((*path, "name"), subject.name, names.dns1123_subdomain)
        if subject.api_group:
            yield unsupported((*path, "apiGroup"), subject.api_group, ("",))
        if not namespaced and not subject.namespace:
            yield required((*path, "namespace"))
    elif subject.kind in ("User", "Group"):
        if not subject.name:
            yield invalid((*path, "name"), "", f"{subject.kind.lower()} name cannot be empty")
        if subject.api_group != _GROUP:
            yield unsupported((*path, "apiGroup"), subject.api_group, (_GROUP,))
    else:
        yield unsupported((*path, "kind"), subject.kind, ("ServiceAccount", "User", "Group"))


def binding_update(new: RoleBinding | ClusterRoleBinding, old: RoleBinding | ClusterRoleBinding) -> Faults:
    if new.role_ref != old.role_ref:
        ref = new.role_ref
        # Kubernetes shows its internal form of the reference.
        written = {"APIGroup": ref.api_group, "Kind": ref.kind, "Name": ref.name}
        yield invalid(("roleRef",), written, "cannot change roleRef")
