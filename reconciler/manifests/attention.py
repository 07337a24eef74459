"""Which objects have to be looked at again, for what happens to the live ones.

Drift is put back, what waited for a Namespace or another object is made, and what was refused is asked for again once
admission may say otherwise. All that is held can be found out again from ledger and view.
"""

from reconciler.health import health
from reconciler.manifests.ledger import Ledger
from reconciler.manifests.ownership import differs, owned_fields
from reconciler.manifests.waiting import Waiting
from reconciler.store.view import Event, View
from schemas.kinds import KINDS
from schemas.meta import Object, Ref, ref_of

_ADMITTING = frozenset({"LimitRange", "PriorityClass", "ResourceQuota", "Service", "ServiceAccount"})
"""What admission goes by: when it changes, or something goes, what was refused may come in."""


class Attention:
    """`dirty`: what is to be looked at, and the revision at which it drifted (0: it did not).

    `owned` are live objects of the folder's, `undeclared` those of them that no file names any more. `homeless` wait
    for their Namespace, `refused` for admission. `awaited` have to be gone before others go.
    """

    def __init__(self, ledger: Ledger, waiting: Waiting, view: View) -> None:
        self._ledger, self._waiting, self._view = ledger, waiting, view
        self.dirty: dict[Ref, int] = {}
        self.owned: set[Ref] = set()
        self.undeclared: set[Ref] = set()
        self.homeless: dict[Ref, set[Ref]] = {}
        self.refused: set[Ref] = set()
        self.awaited: frozenset[Ref] = frozenset()

    def begin(self) -> None:
        """Learns what there is of the folder's, of which no file is known yet."""
        for kind in KINDS:
            self.owned.update(ref_of(live) for live in self._view.list(kind.type) if owned_fields(live) is not None)
        self.undeclared = set(self.owned)

    def see(self, event: Event) -> None:
        ref = ref_of(event.object)
        old, new = event.old, event.new
        if self.refused and (new is None or ref.kind in _ADMITTING):
            self.dirty.update(dict.fromkeys(self.refused, 0))
            self.refused.clear()
        if new is None and ref in self.awaited:
            self.dirty[ref] = 0
        if new is None or old is None or new.metadata.managed_fields is not old.metadata.managed_fields:
            self._owns(ref)
        if self._waiting.open:
            self._wake(ref, new)
        others = (self.owned, self.homeless, self._waiting.dependents)
        if ref not in self._ledger.declared and not any(ref in some for some in others):
            return
        if old is None or new is None or old.metadata.uid != new.metadata.uid or differs(old, new):
            self.touch(ref, event.revision)

    def _wake(self, ref: Ref, new: Object | None) -> None:
        """Whoever waits for this object is looked at again once it is healthy."""
        waiting = self._waiting
        if ref.kind == "StorageClass":  # claims fare by their class
            self.dirty.update(dict.fromkeys(waiting.open, 0))
        elif (found := waiting.waiting_for(ref)) and health(new, self._view).is_healthy:
            self.dirty.update(dict.fromkeys(found, 0))

    def _owns(self, ref: Ref) -> None:
        live = self._view.find(ref)
        if live is not None and owned_fields(live) is not None:
            self.owned.add(ref)
        else:
            self.owned.discard(ref)
        self._reckon(ref)

    def touch(self, ref: Ref, revision: int) -> None:
        """The object has to be looked at again, and with a Namespace all that waits for it."""
        self.dirty[ref] = revision
        self._reckon(ref)
        for waiting in (*self.homeless.pop(ref, ()), *self._waiting.dependents.get(ref, ())):
            self.dirty[waiting] = 0

    def _reckon(self, ref: Ref) -> None:
        """Whether a live object of the folder's is named by no file any more."""
        if ref in self.owned and not self._ledger.is_claimed(ref):
            self.undeclared.add(ref)
        else:
            self.undeclared.discard(ref)
