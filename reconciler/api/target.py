"""What a request is about: the path of a URL as kind, namespace, name and subresource."""

from urllib.parse import unquote

import msgspec

from reconciler.api.certificaterequests import APPROVAL
from reconciler.api.ephemeral import EPHEMERAL
from reconciler.api.resizing import RESIZE
from reconciler.api.status import no_such_resource
from schemas import views
from schemas.kinds import BY_NAME, KINDS, Kind


class Target(msgspec.Struct, frozen=True):
    """`namespace` is None for cluster-scoped kinds, and for all namespaces at once.

    `kind` is what is stored; `view` is the kind that the client sees, where that is another.
    """

    kind: Kind
    namespace: str | None = None
    name: str = ""
    subresource: str = ""
    watch: bool = False
    view: Kind | None = None

    @property
    def shown(self) -> Kind:
        """The kind as the client knows it."""
        return self.view or self.kind

    @property
    def is_of_status(self) -> bool:
        """Whether the path writes the status, or a part of it, and nothing else."""
        return self.subresource in ("status", APPROVAL)

    @property
    def place(self) -> str:
        """The namespace as it stands in a reference."""
        return self.namespace or ""


_BY_PATH: dict[tuple[str, str, str], Kind] = {(kind.group, kind.version, kind.plural): kind for kind in KINDS}
_BY_PATH |= {(kind.group, kind.version, kind.plural): kind for kind in views.KINDS}
_NAMESPACE = next(kind for kind in KINDS if kind.name == "Namespace")
_OF_NAMESPACES = frozenset({"status", "finalize"})

_SCALED = frozenset({"Deployment", "ReplicaSet", "ReplicationController", "StatefulSet"})
_POD_ACTIONS = ("binding", "eviction")
BINDINGS = "bindings"
"""The older path to bind a pod: `POST /api/v1/namespaces/NAMESPACE/bindings`."""


def subresources(kind: Kind) -> tuple[str, ...]:
    """What lies under each object of the kind."""
    found = ["scale"] if kind.name in _SCALED else []
    if "status" in kind.type.__struct_fields__:
        found.append("status")
    if kind.name == "CertificateSigningRequest":
        found.append(APPROVAL)
    if kind.name == "Pod":
        found += [EPHEMERAL, RESIZE]
    return tuple(found)


def actions(kind: Kind) -> tuple[str, ...]:
    """What lies under each object of the kind and can only be posted to."""
    return _POD_ACTIONS if kind.name == "Pod" else ()


FINALIZE = "finalize"
"""What a namespace still waits for is written apart from everything else: `PUT /api/v1/namespaces/NAME/finalize`."""


def parse(group: str, version: str, tail: str) -> Target:
    """The rest of the path behind `/api/v1/` or `/apis/GROUP/VERSION/`.

    Raises the 404 for what is not served.
    """
    parts = [unquote(part) for part in tail.strip("/").split("/")]
    if "" in parts:
        raise no_such_resource()
    watch = parts[0] == "watch" and len(parts) > 1
    if watch:
        parts = parts[1:]
    namespace = None
    if parts[0] == "namespaces" and len(parts) > 2 and not (len(parts) == 3 and parts[2] in _OF_NAMESPACES):
        namespace, parts = parts[1], parts[2:]
    if (group, version, parts[0]) == ("", "v1", BINDINGS) and len(parts) == 1 and namespace is not None:
        return Target(BY_NAME["Pod"], namespace, subresource=BINDINGS)
    kind = _BY_PATH.get((group, version, parts[0]))
    if kind is None or len(parts) > 3 or (namespace is not None and not kind.namespaced):
        raise no_such_resource()
    name = parts[1] if len(parts) > 1 else ""
    subresource = parts[2] if len(parts) > 2 else ""
    if (
        subresource
        and subresource not in (*subresources(kind), *actions(kind))
        and (kind.name, subresource) != (_NAMESPACE.name, FINALIZE)
    ):
        raise no_such_resource()
    if name and kind.namespaced and namespace is None:
        raise no_such_resource()
    stored = BY_NAME[kind.name]
    return Target(stored, namespace, name, subresource, watch, view=None if stored is kind else kind)
