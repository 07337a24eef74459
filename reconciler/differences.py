"""In what one object of the cluster differs from what the folder declares: for `wherry diff`. Pure."""

from collections.abc import Callable
from typing import Literal

import msgspec

from reconciler.manifests.ledger import Declared
from reconciler.manifests.ownership import merged
from reconciler.manifests.standing import Standing
from reconciler.plan.fields import changed_fields
from reconciler.plan.outcome import FieldChange
from schemas.meta import Object


class Difference(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One object. `fields` tell what the cluster has (`before`) and what the folder declares (`after`).

    `missing`: the folder declares it, the cluster lacks it; `changed`: fields differ; `fault`: what the folder
    declares is broken, and cannot be compared; `undeclared`: the folder declared it once, and does no more. `reason`
    says why that is so just now. A Secret's values are never told.
    """

    what: Literal["missing", "changed", "fault", "undeclared"]
    kind: str
    namespace: str
    name: str
    place: str = ""
    reason: str = ""
    fields: tuple[FieldChange, ...] = ()

    @property
    def title(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


def difference(
    stands: Standing, declared: Declared | None, live: Object | None, complete: Callable[[Object], Object]
) -> Difference | None:
    """None where there is none. `complete` fills in what the cluster does on an object's way in."""
    if stands.synced == "Yes":
        return None
    fields: tuple[FieldChange, ...] = ()
    what: Literal["missing", "changed", "fault", "undeclared"]
    if stands.synced == "Held" or (declared is None and stands.synced != "Fault"):
        what = "undeclared"
    elif declared is not None and live is None:
        what = "missing"
    elif declared is not None and live is not None and (fields := _fields(declared, live, complete)):
        what = "changed"
    elif stands.synced == "Fault":
        what = "fault"
    else:
        return None  # about to be looked at, and as declared
    return Difference(
        what=what,
        kind=stands.kind,
        namespace=stands.namespace,
        name=stands.name,
        place=f"{stands.file}:{stands.line}" if stands.file else "",
        reason=stands.reason,
        fields=fields,
    )


def _fields(declared: Declared, live: Object, complete: Callable[[Object], Object]) -> tuple[FieldChange, ...]:
    try:
        return changed_fields(live, merged(declared, live, complete)[0])
    except ValueError:  # which is a fault, and told as the reason
        return ()
