"""Nobody grants what they may not do themselves: what a role or a binding may be made to say, and by whom.

Pure (https://kubernetes.io/docs/reference/access-authn-authz/rbac/#privilege-escalation-prevention-and-bootstrapping).
Whoever may `escalate` the role, or `bind` it, is trusted with it.
"""

from collections.abc import Iterable, Iterator

import msgspec

from reconciler.api.attributes import Attributes
from reconciler.api.authorization import ALL, Authorizer, Rules, resource_covers, url_covers
from reconciler.api.status import StatusError, forbidden
from reconciler.api.users import User
from schemas.kinds import BY_NAME
from schemas.meta import Object
from schemas.rbac import ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding

_GROUP = "rbac.authorization.k8s.io"
_EVERYTHING: Rules = (
    PolicyRule(verbs=(ALL,), api_groups=(ALL,), resources=(ALL,)),
    PolicyRule(verbs=(ALL,), non_resource_urls=(ALL,)),
)


def check(authorizer: Authorizer, user: User, new: Object, old: Object | None) -> None:
    """Raises the 403 where the user may not give what the new object gives. Any other kind passes."""
    if user.is_master:
        return
    if isinstance(new, Role | ClusterRole):
        _check_role(authorizer, user, new, old)
    elif isinstance(new, RoleBinding | ClusterRoleBinding):
        _check_binding(authorizer, user, new, old)


def _check_role(authorizer: Authorizer, user: User, new: Role | ClusterRole, old: Object | None) -> None:
    was = old if isinstance(old, Role | ClusterRole) else None
    if _may(authorizer, user, "escalate", new.kind, new.metadata.namespace, new.metadata.name):
        return
    if isinstance(new, ClusterRole) and new.aggregation_rule is not None:
        same = isinstance(was, ClusterRole) and was.aggregation_rule == new.aggregation_rule
        if not same and _uncovered(tuple(authorizer.rules(user, "")), _EVERYTHING):
            why = "must have cluster-admin privileges to use the aggregationRule"
            raise forbidden(BY_NAME[new.kind], new.metadata.name, why)
    if was is None or was.rules != new.rules:
        _check_rules(authorizer, user, new, new.rules)


def _check_binding(
    authorizer: Authorizer, user: User, new: RoleBinding | ClusterRoleBinding, old: Object | None
) -> None:
    if isinstance(old, RoleBinding | ClusterRoleBinding) and (old.role_ref, old.subjects) == (
        new.role_ref,
        new.subjects,
    ):
        return
    ref, namespace = new.role_ref, new.metadata.namespace
    if _may(authorizer, user, "bind", ref.kind, namespace, ref.name):
        return
    rules = authorizer.policy.rules_of(ref.kind, namespace, ref.name)
    if rules is None:
        plural = "clusterroles" if ref.kind == "ClusterRole" else "roles"
        message = f'{plural}.{_GROUP} "{ref.name}" not found'
        raise StatusError(404, "NotFound", message, details={"name": ref.name, "group": _GROUP, "kind": plural})
    _check_rules(authorizer, user, new, rules)


def _may(authorizer: Authorizer, user: User, verb: str, kind: str, namespace: str, name: str) -> bool:
    plural = "clusterroles" if kind == "ClusterRole" else "roles"
    asked = Attributes(verb, _GROUP, "v1", plural, namespace=namespace, name=name)
    return authorizer.authorize(user, asked).allowed


def _check_rules(authorizer: Authorizer, user: User, new: Object, rules: Rules) -> None:
    missing = _uncovered(tuple(authorizer.rules(user, new.metadata.namespace)), rules)
    if missing:
        groups = " ".join(_quoted(group) for group in user.groups)
        told = "\n".join(sorted(_told(rule) for rule in _compact(missing)))
        why = (
            f"user {_quoted(user.name)} (groups=[{groups}]) is attempting to grant RBAC permissions not currently held"
        )
        raise forbidden(BY_NAME[new.kind], new.metadata.name, f"{why}:\n{told}")


def _uncovered(held: Rules, asked: Rules) -> list[PolicyRule]:
    """What is asked for and not held, in rules of one verb and one thing each."""
    simple = (part for rule in asked for part in _parts(rule))
    return [part for part in simple if not any(_covers(rule, part) for rule in held)]


def _parts(rule: PolicyRule) -> Iterator[PolicyRule]:
    for verb in rule.verbs:
        for group in rule.api_groups:
            for resource in rule.resources:
                for name in rule.resource_names or (None,):
                    names = () if name is None else (name,)
                    yield PolicyRule((verb,), api_groups=(group,), resources=(resource,), resource_names=names)
        for url in rule.non_resource_urls:
            yield PolicyRule((verb,), non_resource_urls=(url,))


def _covers(held: PolicyRule, part: PolicyRule) -> bool:
    if ALL not in held.verbs and part.verbs[0] not in held.verbs:
        return False
    if part.non_resource_urls:
        return any(url_covers(url, part.non_resource_urls[0]) for url in held.non_resource_urls)
    if ALL not in held.api_groups and part.api_groups[0] not in held.api_groups:
        return False
    if held.resource_names and not (part.resource_names and part.resource_names[0] in held.resource_names):
        return False
    resource, _, subresource = part.resources[0].partition("/")
    return any(resource_covers(one, resource, subresource) for one in held.resources)


def _compact(parts: Iterable[PolicyRule]) -> list[PolicyRule]:
    """The parts with the verbs on one and the same thing together."""
    verbs: dict[PolicyRule, dict[str, None]] = {}
    for part in parts:
        verbs.setdefault(msgspec.structs.replace(part, verbs=()), {})[part.verbs[0]] = None
    return [msgspec.structs.replace(thing, verbs=tuple(found)) for thing, found in verbs.items()]


def _told(rule: PolicyRule) -> str:
    lists = {
        "APIGroups": rule.api_groups,
        "Resources": rule.resources,
        "NonResourceURLs": rule.non_resource_urls,
        "ResourceNames": rule.resource_names,
        "Verbs": rule.verbs,
    }
    return (
        "{" + ", ".join(f"{name}:[{' '.join(map(_quoted, listed))}]" for name, listed in lists.items() if listed) + "}"
    )


def _quoted(text: str) -> str:
    """As Go quotes it, which for these texts is as JSON does."""
    return msgspec.json.encode(text).decode()
