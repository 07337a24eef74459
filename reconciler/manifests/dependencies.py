"""Which declared objects wait for which others, and what is wrong with that across files. Pure.

An object of a ring waits for itself, so that none of the ring could ever be made: all of them are faults. What is
declared nowhere is an error where the cluster is known not to have it, else a warning.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from reconciler.manifests.documents import SourceFault
from reconciler.manifests.ledger import Declared
from schemas.dependson import PATH, needed
from schemas.faults import field_name
from schemas.meta import Ref

_FIELD = field_name(PATH)


def faults(declared: Iterable[Declared], is_live: Callable[[Ref], bool] | None = None) -> tuple[SourceFault, ...]:
    """What is wrong with the dependencies of a whole folder; without a cluster `is_live` is None."""
    by_ref = {one.ref: one for one in declared}
    needs = {ref: others for ref, one in by_ref.items() if (others := needed(ref, one.data))}
    found = [ring_fault(by_ref[ref], ring) for ring in rings(needs) for ref in ring]
    found += (
        missing_fault(by_ref[ref], other, is_certain=is_live is not None)
        for ref, others in needs.items()
        for other in others
        if other not in by_ref and not (is_live is not None and is_live(other))
    )
    return tuple(sorted(found, key=lambda fault: (fault.file, fault.line, fault.message)))


def ring_fault(declared: Declared, ring: Sequence[Ref]) -> SourceFault:
    """The fault of one object of the ring, told from its own place in it."""
    at = ring.index(declared.ref)
    way = " -> ".join(map(str, (*ring[at:], *ring[: at + 1])))
    return _at(declared, f"waits for itself: {way}; take out one of these dependencies")


def missing_fault(declared: Declared, needed: Ref, *, is_certain: bool = True) -> SourceFault:
    if is_certain:
        return _at(declared, f"{needed} is declared nowhere and not in the cluster; add it, or take it out here")
    fault = _at(declared, f"{needed} is not declared in these files; it has to be in the cluster")
    return SourceFault(fault.file, fault.line, fault.object, fault.field, fault.message, "warning")


def _at(declared: Declared, message: str) -> SourceFault:
    label = f"{declared.ref.kind}/{declared.ref.name}"
    return SourceFault(declared.file, declared.depends_line or declared.line, label, _FIELD, message)


def rings(needs: Mapping[Ref, Iterable[Ref]]) -> tuple[tuple[Ref, ...], ...]:
    """Rings of objects that wait for one another, in the order of waiting; each such object is in one at least.

    An object that only waits for a ring is in none.
    """
    left = _tangled({ref: frozenset(others) for ref, others in needs.items()})
    told: set[Ref] = set()
    found: list[tuple[Ref, ...]] = []
    for ref in sorted(left):
        if ref not in told and (ring := _way_back(ref, left)):
            told.update(ring)
            found.append(ring)
    return tuple(found)


def _tangled(needs: Mapping[Ref, frozenset[Ref]]) -> dict[Ref, frozenset[Ref]]:
    """What is left when those who wait for nobody that is left are taken away, again and again."""
    dependents: dict[Ref, list[Ref]] = {}
    for ref, others in needs.items():
        for other in others:
            dependents.setdefault(other, []).append(ref)
    open_needs = {ref: sum(other in needs for other in others) for ref, others in needs.items()}
    free = [ref for ref, count in open_needs.items() if not count]
    while free:
        ref = free.pop()
        del open_needs[ref]
        for dependent in dependents.get(ref, ()):
            open_needs[dependent] -= 1
            if not open_needs[dependent]:
                free.append(dependent)
    return {ref: needs[ref] & open_needs.keys() for ref in open_needs}


def _way_back(start: Ref, needs: Mapping[Ref, frozenset[Ref]]) -> tuple[Ref, ...]:
    """The shortest way from an object back to itself; empty where there is none."""
    came: dict[Ref, Ref] = {}
    edge = [start]
    while edge and start not in came:
        following: list[Ref] = []
        for ref in edge:
            for other in sorted(needs[ref] - came.keys()):
                came[other] = ref
                following.append(other)
        edge = following
    if start not in came:
        return ()
    way = [came[start]]
    while way[-1] != start:
        way.append(came[way[-1]])
    return tuple(reversed(way))
