"""What a controller is."""

from collections.abc import Callable, Iterable
from datetime import datetime

import msgspec

from reconciler.store.changes import Change
from reconciler.store.view import Event, View
from schemas.meta import Ref


class Plan(msgspec.Struct, frozen=True):
    """What a controller asks for: changes (one commit), and when to be asked again even if nothing happens."""

    changes: tuple[Change, ...] = ()
    requeue_after: float | None = None
    """Seconds."""


NOTHING = Plan()


class Controller(msgspec.Struct, frozen=True):
    """One kind of desired state, kept.

    `concerns` names, for something that happened, the objects that have to be looked at again; `reconcile`
    looks at one of them and reads the world from the view, never from the event. It is called again after any
    restart, so a second call over a converged state returns `NOTHING`.
    """

    name: str
    concerns: Callable[[Event, View], Iterable[Ref]]
    reconcile: Callable[[Ref, View, datetime], Plan]
