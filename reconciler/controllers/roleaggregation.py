"""ClusterRoles that are put together from others: `aggregationRule` picks them by label, and their rules are filled in.

As the clusterrole-aggregation controller does it
(https://kubernetes.io/docs/reference/access-authn-authz/rbac/#aggregated-clusterroles). One that is picked may be put
together itself: each change calls for the next, until nothing differs.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec import structs

from reconciler.controllers.interface import NOTHING, Controller, Plan
from reconciler.store.changes import Update
from reconciler.store.view import Event, View
from schemas.meta import Ref, ref_of
from schemas.rbac import ClusterRole, PolicyRule
from schemas.selectors import matches


def concerns(event: Event, view: View) -> Iterable[Ref]:
    """The role itself, and those that pick it, or did."""
    if not isinstance(event.object, ClusterRole):
        return ()
    versions = [role for role in (event.old, event.new) if isinstance(role, ClusterRole)]
    return [
        ref_of(role)
        for role in view.list(ClusterRole)
        if role.aggregation_rule is not None and (role is event.new or any(picks(role, one) for one in versions))
    ]


def reconcile(ref: Ref, view: View, now: datetime) -> Plan:
    role = view.get(ClusterRole, "", ref.name)
    if role is None or role.aggregation_rule is None or role.metadata.deletion_timestamp is not None:
        return NOTHING
    rules = aggregated(role, view.list(ClusterRole))
    return NOTHING if rules == role.rules else Plan((Update(structs.replace(role, rules=rules)),))


def aggregated(role: ClusterRole, roles: Sequence[ClusterRole]) -> tuple[PolicyRule, ...]:
    """The rules of all that the role picks, each once, in the order of their names and its selectors."""
    selectors = role.aggregation_rule.cluster_role_selectors if role.aggregation_rule else ()
    found: dict[PolicyRule, None] = {}
    for selector in selectors:
        for one in roles:
            if one.metadata.name != role.metadata.name and matches(selector, one.metadata.labels):
                found |= dict.fromkeys(one.rules)
    return tuple(found)


def picks(role: ClusterRole, other: ClusterRole) -> bool:
    selectors = role.aggregation_rule.cluster_role_selectors if role.aggregation_rule else ()
    return other.metadata.name != role.metadata.name and any(matches(s, other.metadata.labels) for s in selectors)


CONTROLLER = Controller("roleaggregation", concerns, reconcile)
