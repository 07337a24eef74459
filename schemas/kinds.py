"""The kinds that Wherry serves: group, version, names, scope and type."""

from schemas.apps import Deployment, ReplicaSet
from schemas.core.config import ConfigMap, Namespace, Secret, ServiceAccount
from schemas.core.event import Event
from schemas.core.node import Node
from schemas.core.pod import Pod
from schemas.core.service import Service
from schemas.meta import Object, Record


class Kind(Record, frozen=True, kw_only=True):
    """One kind of object, as API discovery describes it."""

    name: str
    group: str = ""
    version: str = "v1"
    plural: str
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    namespaced: bool = True
    type: type[Object]

    @property
    def api_version(self) -> str:
        """`v1` for the core group, `group/version` for the others."""
        return f"{self.group}/{self.version}" if self.group else self.version


KINDS: tuple[Kind, ...] = (
    Kind(name="ConfigMap", plural="configmaps", short_names=("cm",), type=ConfigMap),
    Kind(name="Event", plural="events", short_names=("ev",), type=Event),
    Kind(name="Namespace", plural="namespaces", short_names=("ns",), namespaced=False, type=Namespace),
    Kind(name="Node", plural="nodes", short_names=("no",), namespaced=False, type=Node),
    Kind(name="Pod", plural="pods", short_names=("po",), categories=("all",), type=Pod),
    Kind(name="Secret", plural="secrets", type=Secret),
    Kind(name="Service", plural="services", short_names=("svc",), categories=("all",), type=Service),
    Kind(name="ServiceAccount", plural="serviceaccounts", short_names=("sa",), type=ServiceAccount),
    Kind(
        name="Deployment",
        group="apps",
        plural="deployments",
        short_names=("deploy",),
        categories=("all",),
        type=Deployment,
    ),
    Kind(
        name="ReplicaSet", group="apps", plural="replicasets", short_names=("rs",), categories=("all",), type=ReplicaSet
    ),
)

BY_NAME: dict[str, Kind] = {kind.name: kind for kind in KINDS}
BY_GROUP_VERSION_KIND: dict[tuple[str, str], Kind] = {(kind.api_version, kind.name): kind for kind in KINDS}


def find(word: str) -> Kind | None:
    """The kind that a person means by `pods`, `pod`, `po` or `Pod` (in any case), also with `.group` behind it."""
    word, _, group = word.lower().partition(".")
    for kind in KINDS:
        if word in (kind.plural, kind.name.lower(), *kind.short_names) and (not group or group == kind.group):
            return kind
    return None
