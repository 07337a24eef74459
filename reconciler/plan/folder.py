"""Carries a folder into a copy of the cluster, by the rules of `reconciler.manifests`.

Pure. What the daemon's `Carrier` does over time and against others is here done at once: all that is declared in one
commit, what is declared no more with it, and then again whatever had to wait or has drifted.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from reconciler.health import health
from reconciler.manifests.dependencies import missing_fault, ring_fault
from reconciler.manifests.documents import FileState, SourceFault
from reconciler.manifests.ledger import Declared, Ledger
from reconciler.manifests.ownership import differs, owned_fields, source_of
from reconciler.manifests.planning import look_after, ordered, ordered_deletes
from reconciler.manifests.prune import HeldBack, Limits, prune
from reconciler.manifests.waiting import Waiting, first_to_go
from reconciler.plan.world import World
from reconciler.store.changes import Change, ChangeError, Create, Delete, Update
from reconciler.store.view import Event, View
from schemas.dependson import needed
from schemas.kinds import KINDS
from schemas.meta import Object, Ref, ref_of

_MOST_TRIES = 20


class Folder:
    """What the files declare, and what came of it in the world."""

    def __init__(
        self, world: World, files: Mapping[str, FileState], admit: Callable[[Object, View], Object], limits: Limits
    ) -> None:
        self.ledger = Ledger()
        self.held_back: tuple[HeldBack, ...] = ()
        self.written: dict[Ref, tuple[Object | None, Object]] = {}
        """The objects that were made or changed: before, and as first written."""
        self._world, self._limits = world, limits
        self._complete: Callable[[Object], Object] = lambda object_: admit(object_, world.cache)
        self._faults: dict[Ref, tuple[SourceFault, ...]] = {}
        self._states = files
        self.ledger.take(files, lambda ref: source_of(world.cache.find(ref)))
        self.waiting = Waiting()
        for ref, declared in self.ledger.declared.items():
            self.waiting.follow(ref, needed(ref, declared.data))
        self.waiting.entangle()
        self._open: set[Ref] = set(self.ledger.declared)
        """Those that may not be as declared."""
        self._undeclared: tuple[Ref, ...] | None = None
        self._owned = 0
        world.subscribe(self._see)

    @property
    def faults(self) -> tuple[SourceFault, ...]:
        """All of the files, and of their objects in this cluster, by place."""
        found: list[SourceFault] = [fault for state in self._states.values() for fault in state.faults]
        for some in (self.ledger.duplicates, self._faults):
            found += [fault for faults in some.values() for fault in faults]
        return tuple(sorted(found, key=lambda fault: (fault.file, fault.line, fault.field)))

    def carry(self) -> bool:
        """Brings to the world what it lacks. Whether anything was written."""
        for _ in range(_MOST_TRIES):
            writes, deletes = self._writes(), self._deletes()
            changes: list[Change] = [*ordered(writes), *ordered_deletes(deletes)]
            before = {ref_of(one.object): self._world.cache.find(ref_of(one.object)) for one in writes}
            try:
                self._done(before, self._world.apply(changes))
            except ChangeError as error:
                self._refused(error)
                continue
            return bool(changes)
        return False

    def _writes(self) -> list[Create | Update]:
        view, writes = self._world.cache, list[Create | Update]()
        for ref in self.waiting.in_order(sorted(self._open)):
            declared = self.ledger.declared[ref]
            self.waiting.open.pop(ref, None)
            outcome = look_after(declared, self.ledger, view, self._complete, "", self._world.now)
            faults = (*self._dependency_faults(declared), *outcome.faults)
            self._faults.pop(ref, None)
            if faults:
                self._faults[ref] = faults
            live = view.find(ref)
            if outcome.change is None:
                if live is not None and live.metadata.deletion_timestamp is None:
                    self._open.discard(ref)
            elif not self.waiting.wait(ref, self._is_well):
                writes.append(outcome.change)
        return writes

    def _dependency_faults(self, declared: Declared) -> tuple[SourceFault, ...]:
        ring = self.waiting.rings.get(declared.ref)
        missing = (
            missing_fault(declared, other)
            for other in self.waiting.needs.get(declared.ref, ())
            if not self.ledger.is_claimed(other) and self._world.cache.find(other) is None
        )
        return (*((ring_fault(declared, ring),) if ring else ()), *missing)

    def _is_well(self, ref: Ref) -> bool:
        """Whether the object is as the folder says by now, and healthy."""
        live = self._world.cache.find(ref)
        return live is not None and ref not in self._open and health(live, self._world.cache).is_healthy

    def _done(self, before: Mapping[Ref, Object | None], after: Iterable[Object | None]) -> None:
        for object_ in after:
            if object_ is not None and (ref := ref_of(object_)) in before:
                self._open.discard(ref)
                self.written[ref] = (self.written[ref][0] if ref in self.written else before[ref], object_)

    def _refused(self, error: ChangeError) -> None:
        """What cannot be is a fault of its declaration; the others go on."""
        declared = self.ledger.declared.get(error.ref)
        self._open.discard(error.ref)
        if declared is not None:
            label = f"{error.ref.kind}/{error.ref.name}"
            self._faults[error.ref] = (SourceFault(declared.file, declared.line, label, "", str(error)),)

    def _deletes(self) -> Sequence[Delete]:
        """Of what is declared no more, all for which it is time."""
        view = self._world.cache
        if self._undeclared is None:
            owned = [live for kind in KINDS for live in view.list(kind.type) if owned_fields(live) is not None]
            self._undeclared = tuple(sorted(ref for one in owned if not self.ledger.is_claimed(ref := ref_of(one))))
            self._owned = len(owned)
        if not self._undeclared:
            return ()
        found = [live for ref in self._undeclared if (live := view.find(ref)) is not None]
        pruning = prune(
            found,
            owned=self._owned,
            is_empty=not self.ledger.files,
            hidden_in=self.ledger.hidden_in,
            limits=self._limits,
        )
        self.held_back = pruning.held_back
        refs = {delete.ref for delete in pruning.deletes}
        going = [one for one in found if ref_of(one) in refs or one.metadata.deletion_timestamp is not None]
        return first_to_go(pruning.deletes, going)[0]

    def _see(self, events: Sequence[Event]) -> None:
        for event in events:
            old, new = event.old, event.new
            if (ref := ref_of(event.object)) in self.ledger.declared and (
                old is None or new is None or old.metadata.uid != new.metadata.uid or differs(old, new)
            ):
                self._open.add(ref)
