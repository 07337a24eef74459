"""Which declared objects wait for others to be healthy, and who is woken when one of those gets well.

Pure and incremental, as the ledger: a pass costs what changed. Nothing here lasts that could not be found out again
from the declarations and the view, so that a restart forgets nothing.
"""

from collections.abc import Callable, Iterable, Sequence

from reconciler.manifests.dependencies import rings
from reconciler.store.changes import Delete
from schemas.dependson import needed_by
from schemas.meta import Object, Ref, ref_of


class Waiting:
    """`needs` and `dependents` are as declared; `open` are the objects that wait just now, and for which others."""

    def __init__(self) -> None:
        self.needs: dict[Ref, tuple[Ref, ...]] = {}
        self.dependents: dict[Ref, set[Ref]] = {}
        self.open: dict[Ref, tuple[Ref, ...]] = {}
        self.rings: dict[Ref, tuple[Ref, ...]] = {}
        self._has_changed = False

    def follow(self, ref: Ref, needs: tuple[Ref, ...]) -> None:
        """The object depends on these from now on."""
        before = self.needs.get(ref, ())
        if before == needs:
            return
        self._has_changed = True
        for other in before:
            if members := self.dependents.get(other):
                members.discard(ref)
                if not members:
                    del self.dependents[other]
        for other in needs:
            self.dependents.setdefault(other, set()).add(ref)
        if needs:
            self.needs[ref] = needs
        else:
            self.needs.pop(ref, None)
            self.open.pop(ref, None)

    def entangle(self) -> set[Ref]:
        """Finds the rings, and returns the objects for which that is news."""
        if not self._has_changed:
            return set()
        self._has_changed = False
        before, self.rings = self.rings, {}
        for ring in rings(self.needs):
            for ref in ring:
                self.rings.setdefault(ref, ring)
        refs = before.keys() | self.rings.keys()
        return {ref for ref in refs if before.get(ref) != self.rings.get(ref)}

    def in_order(self, refs: Iterable[Ref]) -> Sequence[Ref]:
        """The same objects, each behind those of them that it depends on."""
        batch = dict.fromkeys(refs)
        ordered = [ref for ref in batch if ref not in self.needs]
        seen: set[Ref] = set()
        stack = [(ref, False) for ref in batch if ref in self.needs]
        while stack:
            ref, is_below_done = stack.pop()
            if is_below_done:
                ordered.append(ref)
            elif ref not in seen:
                seen.add(ref)
                stack.append((ref, True))
                stack += [(one, False) for one in self.needs[ref] if one in self.needs and one in batch]
        return ordered

    def wait(self, ref: Ref, is_met: Callable[[Ref], bool]) -> bool:
        """Whether the object has to wait, which is noted."""
        unmet = tuple(one for one in self.needs.get(ref, ()) if not is_met(one))
        if ref in self.rings:
            unmet = unmet or self.needs[ref]
        if unmet:
            self.open[ref] = unmet
        return bool(unmet)

    def waiting_for(self, ref: Ref) -> Iterable[Ref]:
        """Those that have to be looked at again when this one has become healthy."""
        return [one for one in self.dependents.get(ref, ()) if one in self.open]


def first_to_go(deletes: Sequence[Delete], going: Sequence[Object]) -> tuple[tuple[Delete, ...], frozenset[Ref]]:
    """The deletions for which it is time, and the objects that the others wait for to be gone.

    `going` are all objects that are being deleted or are to be; what others depend on goes after them.
    """
    needs = {ref_of(one): needed_by(ref_of(one), one.metadata.annotations) for one in going}
    tangled = {ref for ring in rings(needs) for ref in ring}
    awaited: dict[Ref, set[Ref]] = {}
    for ref, others in needs.items():
        for other in others if ref not in tangled else ():  # else they would wait for ever
            awaited.setdefault(other, set()).add(ref)
    later = {delete.ref for delete in deletes if delete.ref in awaited}
    now = tuple(delete for delete in deletes if delete.ref not in later)
    return now, frozenset(dependent for ref in later for dependent in awaited[ref])
