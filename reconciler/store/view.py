"""The cluster as the deciding parts see it: read only, in memory, all at one store revision."""

from collections.abc import Callable, Sequence
from typing import Literal, Protocol, TypeVar

import msgspec

from reconciler.store.labels import Labels, Selecting
from schemas.core.pod import Pod
from schemas.meta import Object, Ref

AnyObject = TypeVar("AnyObject", bound=Object)
AnySelecting = TypeVar("AnySelecting", bound=Selecting)


class Event(msgspec.Struct, frozen=True, gc=False):
    """One object of one commit: `old` is None when it was added, `new` when it was deleted.

    Every object carries its revision in `metadata.resourceVersion`; a deleted one (`old`) the revision of its
    last version, `revision` that of the deletion.
    """

    revision: int
    old: Object | None
    new: Object | None

    @property
    def type(self) -> Literal["ADDED", "MODIFIED", "DELETED"]:
        return "ADDED" if self.old is None else "DELETED" if self.new is None else "MODIFIED"

    @property
    def object(self) -> Object:
        found = self.new or self.old
        assert found is not None
        return found


class View(Protocol):
    """What may be asked of the cluster without waiting. Indexed: no call walks over objects it does not return."""

    @property
    def revision(self) -> int: ...

    def find(self, ref: Ref) -> Object | None: ...

    def get(self, type_: type[AnyObject], namespace: str, name: str) -> AnyObject | None: ...

    def list(self, type_: type[AnyObject], namespace: str | None = None) -> Sequence[AnyObject]:
        """All objects of the type (in the namespace), by namespace and name."""

    def owned_by(self, type_: type[AnyObject], uid: str) -> Sequence[AnyObject]:
        """Those with an owner reference (controller or not) to this uid; for an empty uid those without an owner."""

    def by_uid(self, uid: str) -> Object | None: ...

    def pods_on(self, node: str) -> Sequence[Pod]:
        """Pods bound to the node, ended and ending ones included."""

    def pods_with(self, namespace: str, labels: Labels) -> Sequence[Pod]:
        """Pods of the namespace that bear all of the labels, by name; for no labels all of them."""

    def orphans(self, namespace: str, labels: Labels) -> Sequence[Pod]:
        """Of `pods_with` those that nobody owns."""

    def pods_claiming(self, namespace: str, claim: str) -> Sequence[Pod]:
        """Pods of the namespace of which a volume is the claim of this name, by name."""

    def selecting(self, type_: type[AnySelecting], namespace: str, labels: Labels) -> Sequence[AnySelecting]:
        """Those of the namespace whose selector may match these labels, by name: all that do, and some that do not."""

    def holder(self, claim: str) -> Ref | None:
        """The Service that has this address or node port; see `reconciler.store.claims`."""


class Feed(Protocol):
    """A view that also tells when it changes."""

    def subscribe(self, listener: Callable[[Sequence[Event]], None]) -> Callable[[], None]:
        """Calls the listener, in the event loop and in order, with the events of each commit. Returns how to end it.

        The view is already at the revision of the events. A listener must be quick and must not raise.
        """

    def since(self, revision: int) -> Sequence[Event]:
        """All events after this revision. Raises `Compacted` where they are no longer kept."""
