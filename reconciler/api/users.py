"""Who asks: a name, groups, and what else is known of them; and the names that Kubernetes gives to service accounts.

Pure (https://kubernetes.io/docs/reference/access-authn-authz/authentication/).
"""

from typing import Any

import msgspec
from msgspec import field

MASTERS = "system:masters"
AUTHENTICATED = "system:authenticated"
UNAUTHENTICATED = "system:unauthenticated"
SERVICE_ACCOUNTS = "system:serviceaccounts"
_SERVICE_ACCOUNT = "system:serviceaccount:"


class User(msgspec.Struct, frozen=True):
    """A caller, as its credentials (or who impersonates it) name it."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def is_master(self) -> bool:
        """May do everything, whatever the roles say."""
        return MASTERS in self.groups

    def document(self) -> dict[str, Any]:
        """As a `UserInfo`."""
        found = {"username": self.name, "uid": self.uid, "groups": list(self.groups), "extra": self.extra}
        return {key: value for key, value in found.items() if value}


ADMIN = User("kubernetes-admin", groups=(MASTERS, AUTHENTICATED))
"""Who bears the cluster's own token."""
ANONYMOUS = User("system:anonymous", groups=(UNAUTHENTICATED,))


def service_account_name(namespace: str, name: str) -> str:
    """The user that a ServiceAccount is."""
    return f"{_SERVICE_ACCOUNT}{namespace}:{name}"


def service_account_of(user: str) -> tuple[str, str] | None:
    """Namespace and name of the ServiceAccount that the user is, or None."""
    namespace, _, name = user.removeprefix(_SERVICE_ACCOUNT).partition(":")
    if not user.startswith(_SERVICE_ACCOUNT) or not namespace or not name or ":" in name:
        return None
    return namespace, name


def service_account_groups(namespace: str) -> tuple[str, ...]:
    """What every ServiceAccount of the namespace is in."""
    return SERVICE_ACCOUNTS, f"{SERVICE_ACCOUNTS}:{namespace}"
