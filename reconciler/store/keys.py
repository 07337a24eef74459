"""Where an object lies in the store: `<group or core>/<plural>/<namespace or _>/<name>`.

A reference and its key name the same object; every kind of `schemas.kinds` has its own prefix.
"""

from schemas.kinds import BY_NAME, KINDS, Kind
from schemas.meta import Ref

_CLUSTER_SCOPED = "_"  # no namespace can be called so


def prefix_of(kind: Kind) -> str:
    """What the keys of all objects of the kind begin with."""
    return f"{kind.group or 'core'}/{kind.plural}/"


_PREFIX = {kind.name: prefix_of(kind) for kind in KINDS}
_NAME = {prefix: name for name, prefix in _PREFIX.items()}


def key_of(ref: Ref) -> str:
    """The key of an object. Raises ValueError for a kind that is not served."""
    prefix = _PREFIX.get(ref.kind)
    if prefix is None:
        raise ValueError(f"{ref}: the kind {ref.kind!r} is not served; known are {', '.join(sorted(BY_NAME))}")
    return f"{prefix}{ref.namespace or _CLUSTER_SCOPED}/{ref.name}"


def ref_of_key(key: str) -> Ref:
    """The object that lies under a key. Raises ValueError for what `key_of` does not make."""
    group, plural, namespace, name = (*key.split("/", 3), "", "", "", "")[:4]
    kind = _NAME.get(f"{group}/{plural}/")
    if kind is None or not namespace or not name:
        raise ValueError(f"{key!r} is not the key of an object, which is <group>/<plural>/<namespace or _>/<name>")
    return Ref(kind, "" if namespace == _CLUSTER_SCOPED else namespace, name)
