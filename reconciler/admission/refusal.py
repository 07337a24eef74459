"""How a refusal is told. Pure."""

from reconciler.store.changes import Refused
from schemas.kinds import BY_NAME
from schemas.meta import Object, ref_of


def refused(object_: Object, why: str) -> Refused:
    """`pods "web" is forbidden: exceeded quota: …`"""
    kind, ref = BY_NAME[object_.kind], ref_of(object_)
    resource = f"{kind.plural}.{kind.group}" if kind.group else kind.plural
    return Refused(ref, f'{resource} "{ref.name}" is forbidden: {why}')
