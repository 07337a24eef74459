"""What the deciding parts ask for: changes to objects, as values.

Controllers, scheduler, manifests, link and API all return or build these; `Cluster.apply` is the one place
that carries them out, one atomic commit for each sequence.
"""

from datetime import datetime
from typing import Literal

import msgspec

from schemas.core.pod import Pod
from schemas.core.reference import ObjectReference
from schemas.faults import Fault
from schemas.meta import Object, Ref


class Create(msgspec.Struct, frozen=True):
    """A new object. With `generateName` and no name, it gets one. uid, time and generation are stamped."""

    object: Object


class Update(msgspec.Struct, frozen=True):
    """All of an object but its status. A change of the spec raises its generation.

    Where `metadata.resourceVersion` is set, it must be the present one (else `Conflict`).
    """

    object: Object


class UpdateStatus(msgspec.Struct, frozen=True):
    """The status of an object alone. `durable=False` where an agent holds it and will send it again."""

    object: Object
    durable: bool = True


class Bind(msgspec.Struct, frozen=True):
    """A pod with its node, made of the very version that is there: labels, node and status in one.

    `metadata.resourceVersion` must be the present one (else `Conflict`); all else is taken as it is.
    """

    object: Pod


class Delete(msgspec.Struct, frozen=True):
    """Ends an object, as the Kubernetes API does: finalizers first, a bound pod after its grace period.

    `grace_seconds` 0 removes a pod at once, None leaves its own grace period. `uid` and `resource_version` are
    preconditions where they are not empty. What the object owned is collected in the background, unless
    `orphan`; with `foreground` the object stays until that is done. Where none of the three is said, the object's
    finalizers say it, those of an earlier delete among them.
    """

    ref: Ref
    uid: str = ""
    grace_seconds: int | None = None
    resource_version: str = ""
    orphan: bool = False
    foreground: bool = False
    background: bool = False


class Emit(msgspec.Struct, frozen=True):
    """An Event about an object, for people. Equal ones are counted up, not repeated; never durable.

    What is no stored object (a file of manifests, say) is named by a reference. With `count` (and `first` and
    `last`) the one who saw it has counted up already: the Event takes these as they are, and a repetition adds
    nothing. `commit` names the commit that caused the Event, where that is not the one of the object.
    """

    regarding: Object | ObjectReference
    type: Literal["Normal", "Warning"]
    reason: str
    message: str
    component: str
    count: int | None = None
    first: datetime | None = None
    last: datetime | None = None
    commit: str = ""


Change = Create | Update | UpdateStatus | Bind | Delete | Emit


class ChangeError(Exception):
    """Base of why changes were refused: `NotFound`, `AlreadyExists`, `Conflict`, `Refused`. Nothing was applied."""

    def __init__(self, ref: Ref, message: str) -> None:
        super().__init__(message)
        self.ref = ref


class NotFound(ChangeError):
    """There is no such object (any more)."""


class AlreadyExists(ChangeError):
    """An object of this name is there."""


class Conflict(ChangeError):
    """The object is not the one, or not the version, that the writer has seen."""


class Refused(ChangeError):
    """Admission does not let the object in: a quota, a limit, a class or an account that there is not.

    `change` is the one of those asked for that would have made it.
    """

    change: Change | None = None


class Unfit(Refused):
    """What the object asks for itself cannot be given: an address or port that is another's, or out of range."""

    def __init__(self, ref: Ref, message: str, faults: tuple[Fault, ...]) -> None:
        super().__init__(ref, message)
        self.faults = faults


class UsedUp(Refused):
    """There is none left of what the object needs."""
