"""The columns of who may do what and how much: roles, bindings, LimitRange, ResourceQuota, Lease."""

from collections.abc import Iterator
from datetime import datetime

from reconciler.api.tables.column import AGE, CREATED_AT, NAME, Cell, Column, Layout, age, created_at, wide
from schemas.coordination import Lease
from schemas.core.quota import ResourceQuota
from schemas.meta import Object
from schemas.quantity import canonical
from schemas.rbac import ClusterRoleBinding, RoleBinding


def _name_and_moment(object_: Object, _: datetime) -> tuple[Cell, ...]:
    return object_.metadata.name, created_at(object_)


def _binding(binding: RoleBinding | ClusterRoleBinding, now: datetime) -> tuple[Cell, ...]:
    def names(kind: str) -> str:
        return ", ".join(subject.name for subject in binding.subjects if subject.kind == kind)

    accounts = (f"{one.namespace}/{one.name}" for one in binding.subjects if one.kind == "ServiceAccount")
    return (
        binding.metadata.name,
        f"{binding.role_ref.kind}/{binding.role_ref.name}",
        age(binding, now),
        names("User"),
        names("Group"),
        ", ".join(accounts),
    )


def _amounts(quota: ResourceQuota, of_limits: bool) -> Iterator[str]:
    hard, used = quota.status.hard or {}, quota.status.used or {}
    for resource in sorted(hard):
        if resource.startswith("limits") == of_limits:
            yield f"{resource}: {canonical(used.get(resource, '0'))}/{canonical(hard[resource])}"


def _quota(quota: ResourceQuota, now: datetime) -> tuple[Cell, ...]:
    return quota.metadata.name, ", ".join(_amounts(quota, False)), ", ".join(_amounts(quota, True)), age(quota, now)


def _lease(lease: Lease, now: datetime) -> tuple[Cell, ...]:
    return lease.metadata.name, (lease.spec.holder_identity if lease.spec else None) or "", age(lease, now)


ROLE = Layout((NAME, CREATED_AT), _name_and_moment)
LIMIT_RANGE = ROLE
BINDING = Layout(
    (
        NAME,
        Column("Role", description="The role it grants"),
        AGE,
        wide("Users", description="Users it grants it to"),
        wide("Groups", description="Groups it grants it to"),
        wide("ServiceAccounts", description="Service accounts it grants it to"),
    ),
    _binding,
)
RESOURCE_QUOTA = Layout(
    (
        NAME,
        Column("Request", description="Used and allowed, but for limits"),
        Column("Limit", description="Limits used and allowed"),
        AGE,
    ),
    _quota,
)
LEASE = Layout((NAME, Column("Holder", description="Who holds it"), AGE), _lease)
