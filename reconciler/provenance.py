"""Where an object comes from: the file and line, and the commit, as annotations that its consequences bear too. Pure.

The manifests stamp what they declare, and only when the declaration changes it. A controller gives what it creates
the provenance that its owner has at that moment, an Event that of the object it is about. So a pod names the commit
that caused it for as long as it lives, and a commit that asks nothing new of the template leaves it alone: the
annotations of a pod are no part of its template, nor of the template's hash.
"""

from collections.abc import Mapping

from schemas.meta import Object

SOURCE = "wherry.dev/source"
COMMIT = "wherry.dev/commit"


def provenance(object_: Object) -> dict[str, str]:
    """The annotations that tell it; none for what no manifest has caused."""
    annotations = object_.metadata.annotations
    return {name: annotations[name] for name in (SOURCE, COMMIT) if name in annotations}


def without_provenance(annotations: Mapping[str, str]) -> dict[str, str]:
    """The other annotations."""
    return {name: value for name, value in annotations.items() if name not in (SOURCE, COMMIT)}
