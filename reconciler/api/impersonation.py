"""Asking in another's name (`kubectl --as`): who is meant, and whether the caller may.

Pure (https://kubernetes.io/docs/reference/access-authn-authz/user-impersonation/). One may who holds `impersonate` on
the user, each group, uid and extra; or, for a single kind of request, `impersonate-on:user-info:VERB` on what is asked
for and `impersonate:user-info` on whom. Service accounts have a pair of verbs of their own.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import unquote

import msgspec

from reconciler.api.attributes import Attributes, forbidden
from reconciler.api.authorization import Authorizer
from reconciler.api.status import bad_request
from reconciler.api.users import (
    ANONYMOUS,
    AUTHENTICATED,
    UNAUTHENTICATED,
    User,
    service_account_groups,
    service_account_of,
)

_GROUP = "authentication.k8s.io"
_PREFIX = "impersonate-"
_EXTRA = "extra-"


def asked_for(headers: Iterable[tuple[str, str]]) -> User | None:
    """Whom the headers name, just as they do; None where they name nobody. Raises the 400."""
    name, uid = "", ""
    groups, extra = list[str](), dict[str, tuple[str, ...]]()
    for header, value in headers:
        lowered = header.lower()
        if not lowered.startswith(_PREFIX):
            continue
        match lowered.removeprefix(_PREFIX):
            case "user":
                name = value
            case "uid":
                uid = value
            case "group":
                groups.append(value)
            case other if other.startswith(_EXTRA):
                key = unquote(other.removeprefix(_EXTRA))
                extra[key] = (*extra.get(key, ()), value)
            case _:
                raise bad_request(f"{header}: no such header: Impersonate-User, -Group, -Uid and -Extra-KEY are")
    if not name and (uid or groups or extra):
        raise bad_request(f"requested {_in_go(uid, groups, extra)} without impersonating a user name")
    return User(name, uid, tuple(groups), extra) if name else None


def _in_go(uid: str, groups: list[str], extra: Mapping[str, tuple[str, ...]]) -> str:
    """Who is meant as Kubernetes shows it: a value of Go."""
    told = {key: f"[]string{_listed(values)}" for key, values in sorted(extra.items())}
    shown = "{" + ", ".join(f"{json.dumps(key)}:{values}" for key, values in told.items()) + "}" if told else "(nil)"
    listed = _listed(groups) if groups else "(nil)"
    return (
        f'&user.DefaultInfo{{Name:"", UID:{json.dumps(uid)}, Groups:[]string{listed}, '
        f"Extra:map[string][]string{shown}}}"
    )


def _listed(words: Iterable[str]) -> str:
    return "{" + ", ".join(map(json.dumps, words)) + "}"


def impersonated(meant: User) -> User:
    """Who then asks: with the groups that everybody of that name is in."""
    groups = meant.groups
    account = service_account_of(meant.name)
    if account is not None and not groups:
        groups = service_account_groups(account[0])
    usual = UNAUTHENTICATED if meant.name == ANONYMOUS.name else AUTHENTICATED
    if AUTHENTICATED not in groups and UNAUTHENTICATED not in groups:
        groups = (*groups, usual)
    return msgspec.structs.replace(meant, groups=groups)


def check(authorizer: Authorizer, user: User, meant: User, asked: Attributes) -> None:
    """Raises the 403 where the user may not ask this in that name."""

    def may(what: Attributes) -> bool:
        return authorizer.authorize(user, what).allowed

    if all(may(what) for what in _legacy(meant)):
        return
    mode = "user-info" if service_account_of(meant.name) is None else "serviceaccount"
    on = msgspec.structs.replace(asked, verb=f"impersonate-on:{mode}:{asked.verb}")
    for what in (on, *_of(meant, f"impersonate:{mode}", _GROUP)):
        if not may(what):
            raise forbidden(user.name, what)


def _legacy(meant: User) -> Iterator[Attributes]:
    return _of(meant, "impersonate", "")


def _of(meant: User, verb: str, group: str) -> Iterator[Attributes]:
    """What has to be allowed, for each part of who is meant. uid and extra have had a group from the first."""
    account = service_account_of(meant.name)
    if account is None:
        yield Attributes(verb, group, "v1", "users", name=meant.name)
    else:
        yield Attributes(verb, group, "v1", "serviceaccounts", namespace=account[0], name=account[1])
    for name in meant.groups:
        yield Attributes(verb, group, "v1", "groups", name=name)
    if meant.uid:
        yield Attributes(verb, _GROUP, "v1", "uids", name=meant.uid)
    for key, values in meant.extra.items():
        for value in values:
            yield Attributes(verb, _GROUP, "v1", "userextras", subresource=key, name=value)
