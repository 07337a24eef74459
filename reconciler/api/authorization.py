"""Who may do what: roles and bindings, compiled, and the answer to one question.

Pure: (user, attributes, view) → allowed or not, and why
(https://kubernetes.io/docs/reference/access-authn-authz/rbac/). What is compiled stands until a role or a binding
changes.
"""

from collections.abc import Iterator, Sequence

import msgspec

from reconciler.api.attributes import Attributes
from reconciler.api.users import User, service_account_name
from reconciler.store.view import Event, View
from schemas.rbac import ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, Subject

ALL = "*"
_KINDS = frozenset({"ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"})

Rules = tuple[PolicyRule, ...]


class Decision(msgspec.Struct, frozen=True):
    allowed: bool
    reason: str = ""


class Grant(msgspec.Struct, frozen=True):
    """One subject of one binding. `missing` says that its role does not exist, and there are no rules."""

    binding: int
    subject: int
    rules: Rules
    reason: str
    missing: str = ""


_Index = dict[tuple[str, str], list[Grant]]


class Policy:
    """All roles and bindings at one moment, by whom they concern."""

    def __init__(self, view: View) -> None:
        self._roles = {(r.metadata.namespace, r.metadata.name): r.rules for r in view.list(Role)}
        self._cluster_roles = {role.metadata.name: role.rules for role in view.list(ClusterRole)}
        self._everywhere: _Index = {}
        self._inside: dict[str, _Index] = {}
        order = 0
        for everywhere in sorted(view.list(ClusterRoleBinding), key=_age):
            self._add(order, everywhere, self._everywhere)
            order += 1
        for inside in sorted(view.list(RoleBinding), key=_age):
            self._add(order, inside, self._inside.setdefault(inside.metadata.namespace, {}))
            order += 1

    def grants(self, user: User, namespace: str) -> Sequence[Grant]:
        """What bindings give the user, in the namespace or everywhere; each binding once, in order."""
        found = list[Grant]()
        subjects = [("User", user.name), *(("Group", group) for group in user.groups)]
        for index in (self._everywhere, self._inside.get(namespace, {})):
            for subject in subjects:
                found.extend(index.get(subject, ()))
        found.sort(key=lambda grant: (grant.binding, grant.subject))
        return [grant for at, grant in enumerate(found) if not at or found[at - 1].binding != grant.binding]

    def rules_of(self, kind: str, namespace: str, name: str) -> Rules | None:
        """The rules of a role, or None where there is none."""
        return self._cluster_roles.get(name) if kind == "ClusterRole" else self._roles.get((namespace, name))

    def _add(self, order: int, binding: ClusterRoleBinding | RoleBinding, index: _Index) -> None:
        metadata, ref = binding.metadata, binding.role_ref
        rules = self.rules_of(ref.kind, metadata.namespace, ref.name)
        missing = "" if rules is not None else f'{ref.kind.lower()}.{ref.api_group} "{ref.name}" not found'
        named = f"{metadata.name}/{metadata.namespace}" if metadata.namespace else metadata.name
        reason = f'RBAC: allowed by {binding.kind} "{named}" of {ref.kind} "{ref.name}" to '
        for at, subject in enumerate(binding.subjects):
            grant = Grant(order, at, rules or (), reason + _said(subject, metadata.namespace), missing)
            index.setdefault(_key(subject, metadata.namespace), []).append(grant)


def _age(binding: ClusterRoleBinding | RoleBinding) -> tuple[str, str, str]:
    """Of several that allow the same the oldest is told: which one does not change for one that is added."""
    made = binding.metadata.creation_timestamp
    return made.isoformat() if made is not None else "", binding.metadata.namespace, binding.metadata.name


def _key(subject: Subject, namespace: str) -> tuple[str, str]:
    if subject.kind == "ServiceAccount":
        return "User", service_account_name(subject.namespace or namespace, subject.name)
    return subject.kind, subject.name


def _said(subject: Subject, namespace: str) -> str:
    if subject.kind == "ServiceAccount":
        return f'ServiceAccount "{subject.name}/{subject.namespace or namespace}"'
    return f'{subject.kind} "{subject.name}"'


class Authorizer:
    """Answers by what the view holds now. `changed` has to be told of every event."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._policy: Policy | None = None

    def changed(self, events: Sequence[Event]) -> None:
        """Forgets what was compiled where a role or a binding is among the events."""
        if any(event.object.kind in _KINDS for event in events):
            self._policy = None

    @property
    def policy(self) -> Policy:
        if self._policy is None:
            self._policy = Policy(self._view)
        return self._policy

    def authorize(self, user: User, asked: Attributes) -> Decision:
        if user.is_master:
            return Decision(allowed=True)
        missing = list[str]()
        for grant in self.policy.grants(user, asked.namespace):
            if grant.missing:
                missing.append(grant.missing)
            elif any(allows(rule, asked) for rule in grant.rules):
                return Decision(True, grant.reason)
        return Decision(False, f"RBAC: {_listed(missing)}" if missing else "")

    def rules(self, user: User, namespace: str) -> Iterator[PolicyRule]:
        """All that the user may do there by roles, in the order of the bindings."""
        for grant in self.policy.grants(user, namespace):
            yield from grant.rules


def _listed(errors: Sequence[str]) -> str:
    distinct = list(dict.fromkeys(errors))
    return distinct[0] if len(distinct) == 1 else f"[{', '.join(distinct)}]"


def allows(rule: PolicyRule, asked: Attributes) -> bool:
    """Whether this rule alone allows what is asked."""
    if ALL not in rule.verbs and asked.verb not in rule.verbs:
        return False
    if asked.path:
        return any(url_covers(url, asked.path) for url in rule.non_resource_urls)
    if ALL not in rule.api_groups and asked.group not in rule.api_groups:
        return False
    if rule.resource_names and asked.name not in rule.resource_names:
        return False
    return any(resource_covers(resource, asked.resource, asked.subresource) for resource in rule.resources)


def resource_covers(of_rule: str, resource: str, subresource: str) -> bool:
    """`*` is everything, `*/scale` that subresource of everything."""
    if not subresource:
        return of_rule in (ALL, resource)
    return of_rule in (ALL, f"{resource}/{subresource}", f"*/{subresource}")


def url_covers(of_rule: str, path: str) -> bool:
    """A star at the end stands for all that begins so."""
    return of_rule in (ALL, path) or (of_rule.endswith(ALL) and path.startswith(of_rule.rstrip(ALL)))
