"""What a request asks for, as far as access is concerned: a verb on a resource, or on a path that is none.

Pure: method, path and query → attributes, by the rules of Kubernetes
(https://kubernetes.io/docs/reference/access-authn-authz/authorization/). They are read from the path alone, whether or
not such a resource is served, so that who may not ask learns nothing.
"""

from collections.abc import Mapping
from urllib.parse import unquote

import msgspec

from reconciler.api.status import StatusError, no_such_resource

_VERBS = {"POST": "create", "GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_OF_NAMESPACES = frozenset({"status", "finalize"})
_CONNECTING = frozenset({"exec", "attach", "portforward"})


class Attributes(msgspec.Struct, frozen=True):
    """`path` is set where the request is about no resource; then nothing else is but the verb."""

    verb: str
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""

    @property
    def combined(self) -> str:
        """The resource as a rule names it: `pods`, `pods/log`."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource

    def said(self) -> str:
        """What is asked, in the words of a refusal."""
        if self.path:
            return f'{self.verb} path "{self.path}"'
        place = f'in the namespace "{self.namespace}"' if self.namespace else "at the cluster scope"
        return f'{self.verb} resource "{self.combined}" in API group "{self.group}" {place}'


def attributes(method: str, raw_path: str, query: Mapping[str, str], *, upgrade: bool = False) -> Attributes:
    """Of a request. `raw_path` is the path as it was sent, still quoted. Raises the 404 for one that is no path.

    A part that still holds a slash or a percent sign when it is unquoted is refused: it could be read in two ways.
    """
    parts = [unquote(part) for part in raw_path.strip("/").split("/")]
    match parts:
        case ["api", version, *rest] if rest:
            return _of_resource(method, "", _plain(version), rest, query, upgrade)
        case ["apis", group, version, *rest] if rest:
            return _of_resource(method, _plain(group), _plain(version), rest, query, upgrade)
    return Attributes(method.lower(), path="/" + "/".join(map(_plain, parts)) + "/" * _ends_open(raw_path))


def _ends_open(raw_path: str) -> bool:
    return raw_path.endswith("/") and raw_path != "/"


def _plain(part: str) -> str:
    if "/" in part or "%" in part or part in (".", ".."):
        raise no_such_resource()
    return part


def _of_resource(
    method: str, group: str, version: str, parts: list[str], query: Mapping[str, str], upgrade: bool
) -> Attributes:
    verb, namespace = _VERBS.get(method, method.lower()), ""
    watched = parts[0] == "watch" and len(parts) > 1
    if watched:
        verb, parts = "watch", parts[1:]
    if "" in parts[:2]:
        raise no_such_resource()
    if parts[0] == "namespaces" and len(parts) > 1:
        namespace = parts[1]
        if len(parts) > 2 and parts[2] not in _OF_NAMESPACES:
            parts = parts[2:]
    resource, name, subresource = (*parts, "", "")[:3]  # what is behind a proxy is that one's affair
    if "" in parts[:3]:
        raise no_such_resource()
    for part in (namespace, resource, name, subresource):
        _plain(part)
    if not name and verb == "get":
        verb = "watch" if query.get("watch", "").lower() in ("1", "true", "t") else "list"
        name = _selected(query.get("fieldSelector", ""))
    elif not name and verb == "delete":
        verb = "deletecollection"
    elif upgrade and subresource in _CONNECTING:
        verb = "create"  # what a WebSocket does here begins as a GET, and is no reading
    return Attributes(verb, group, version, resource, subresource, namespace, name)


def _selected(selector: str) -> str:
    """The name of the one object that a field selector picks, if it does."""
    for requirement in selector.split(","):
        field, sign, name = requirement.partition("=")
        if sign and field == "metadata.name":
            return name.removeprefix("=")
    return ""


def forbidden(user: str, asked: Attributes, reason: str = "") -> StatusError:
    """The 403, to the letter."""
    why = f'User "{user}" cannot {asked.said()}' + (f": {reason}" if reason else "")
    if asked.path:
        return StatusError(403, "Forbidden", f"forbidden: {why}", details={})
    named = f"{asked.resource}.{asked.group}" if asked.group else asked.resource
    subject = f'{named} "{asked.name}"' if asked.name else named
    details = {"name": asked.name, "group": asked.group, "kind": asked.resource}
    kept = {key: value for key, value in details.items() if value}
    return StatusError(403, "Forbidden", f"{subject} is forbidden: {why}", details=kept)
