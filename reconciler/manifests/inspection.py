"""How all objects of the folder stand, and in what the cluster differs from it: for `wherry status` and `wherry diff`.

Decides nothing: asks `standing` and `ownership` about one object after the other, and lets others run in between, for
there may be thousands.
"""

from collections.abc import Mapping, Sequence

from reconciler.health import health
from reconciler.manifests.breath import Breath
from reconciler.manifests.carrying import Carrier
from reconciler.manifests.documents import SourceFault
from reconciler.manifests.ledger import Declared
from reconciler.manifests.standing import Standing, Synced, first_fault, standing, waits_for
from schemas.meta import Object

_Faults = Mapping[str, Sequence[SourceFault]]


async def standings(carrier: Carrier) -> list[Standing]:
    """Of every object that the folder declares, tries to declare, or has declared and still owns; by name."""
    breath, found = Breath(), list[Standing]()
    view, ledger = carrier.view, carrier.ledger
    faults: dict[str, list[SourceFault]] = {}
    for fault in carrier.faults:
        faults.setdefault(fault.file, []).append(fault)
    for ref, declared in tuple(ledger.declared.items()):
        live = view.find(ref)
        synced, reason = _synced(carrier, declared, live, faults)
        found.append(standing(ref, live, view, synced, reason, f"{declared.file}:{declared.line}"))
        await breath.take()
    for ref, file, line in tuple(ledger.never_good()):
        why = first_fault(ref, faults.get(file, ()))
        found.append(standing(ref, view.find(ref), view, "Fault", why, f"{file}:{line}"))
    held = {one.ref: one.reason for one in carrier.held_back}
    for ref in tuple(carrier.to_go):
        if (live := view.find(ref)) is not None:
            goes: Synced = "Held" if ref in held else "No"
            why = held.get(ref, "declared no more, and about to go")
            found.append(standing(ref, live, view, goes, why, ""))
    found.sort(key=lambda one: (one.kind, one.namespace, one.name))
    return found


def _synced(carrier: Carrier, declared: Declared, live: Object | None, faults: _Faults) -> tuple[Synced, str]:
    ref = declared.ref
    if own := [fault for fault in carrier.object_faults.get(ref, ()) if fault.severity == "error"]:
        return "Fault", str(own[0])
    if carrier.ledger.is_outlasting(ref):
        return "Fault", first_fault(ref, faults.get(declared.file, ()))
    if unmet := carrier.waiting.open.get(ref):
        return "Waiting", waits_for(unmet, health(carrier.view.find(unmet[0]), carrier.view))
    if live is None:
        return "No", "not made yet"
    if live.metadata.deletion_timestamp is not None:
        return "No", "being deleted; made again once it has gone"
    return ("Yes", "") if carrier.is_settled(ref) else ("No", "about to be put as declared")
