"""What the API server fills in where a RoleBinding or ClusterRoleBinding leaves a field out. See `schemas.defaults`."""

from msgspec import structs

from schemas.rbac import ClusterRoleBinding, RoleBinding, RoleRef, Subject

_GROUP = "rbac.authorization.k8s.io"


def role_binding(declared: RoleBinding) -> RoleBinding:
    return structs.replace(declared, role_ref=_role(declared.role_ref), subjects=_subjects(declared.subjects))


def cluster_role_binding(declared: ClusterRoleBinding) -> ClusterRoleBinding:
    return structs.replace(declared, role_ref=_role(declared.role_ref), subjects=_subjects(declared.subjects))


def _role(role: RoleRef) -> RoleRef:
    return structs.replace(role, api_group=role.api_group or _GROUP)


def _subjects(subjects: tuple[Subject, ...]) -> tuple[Subject, ...]:
    return tuple(
        structs.replace(subject, api_group=_GROUP)
        if subject.kind in ("Group", "User") and not subject.api_group
        else subject
        for subject in subjects
    )
