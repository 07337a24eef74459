"""PersistentVolume binding: whose turn it is when something happens; `claims` and `reclaiming` say what is done.

A claim that waits is looked at again when a volume becomes free, when its class appears, and when a pod that uses it
is made. Two claims that reach for one volume are told apart by the store: the second commit has seen an older
version of the volume, is refused and tries again.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime

from reconciler.controllers.interface import NOTHING, Controller, Plan
from reconciler.controllers.volumes import claims, reclaiming
from reconciler.controllers.volumes.facts import class_name, names_a_class
from reconciler.store.view import Event, View
from schemas.core.persistence import PersistentVolume, PersistentVolumeClaim
from schemas.core.pod import Pod
from schemas.meta import Ref, ref_of
from schemas.podclaims import claim_names
from schemas.storage import StorageClass

CLAIM, VOLUME = "PersistentVolumeClaim", "PersistentVolume"


def concerns(event: Event, view: View) -> Iterable[Ref]:
    """The claim or volume itself, and those on the other side that it may concern."""
    match event.object:
        case PersistentVolumeClaim():
            return _of_claim(event, view)
        case PersistentVolume():
            return _of_volume(event, view)
        case StorageClass():
            return () if event.new is None else _of_class(event.new, view)
        case Pod() as pod if event.old is None and not pod.spec.node_name:
            return [ref for name in claim_names(pod) if (ref := _unbound(pod.metadata.namespace, name, view))]
    return ()


def _of_claim(event: Event, view: View) -> Iterator[Ref]:
    old, new = event.old, event.new
    if new is not None:
        yield ref_of(new)
    names = {one.spec.volume_name for one in (old, new) if isinstance(one, PersistentVolumeClaim)}
    for name in names - {""}:
        yield Ref(VOLUME, "", name)
    if old is not None and (new is None or len(names) > 1):  # another volume may have been made for it
        uid = old.metadata.uid
        for volume in view.list(PersistentVolume):
            kept = volume.spec.claim_ref
            if kept is not None and kept.uid == uid:
                yield ref_of(volume)


def _of_volume(event: Event, view: View) -> Iterator[Ref]:
    seen = [one for one in (event.old, event.new) if isinstance(one, PersistentVolume)]
    if event.new is not None:
        yield ref_of(event.new)
    kept = [one.spec.claim_ref for one in seen if one.spec.claim_ref is not None]
    for one in kept:
        yield Ref(CLAIM, one.namespace, one.name)
    last = seen[-1]
    if event.new is None or any(one.spec.claim_ref is None or not one.spec.claim_ref.uid for one in seen):
        yield from _waiting_for(last, view)  # it is free, or was until now: whoever asked for it is to be told


def _waiting_for(volume: PersistentVolume, view: View) -> Iterator[Ref]:
    """Claims that name the volume, and those without one that it might do for."""
    name, class_ = volume.metadata.name, class_name(volume)
    for claim in view.list(PersistentVolumeClaim):
        asked = claim.spec.volume_name
        if asked == name or (not asked and class_name(claim) == class_):
            yield ref_of(claim)


def _of_class(found: object, view: View) -> Iterator[Ref]:
    assert isinstance(found, StorageClass)
    for claim in view.list(PersistentVolumeClaim):
        if not claim.spec.volume_name and (class_name(claim) == found.metadata.name or not names_a_class(claim)):
            yield ref_of(claim)


def _unbound(namespace: str, name: str, view: View) -> Ref | None:
    claim = view.get(PersistentVolumeClaim, namespace, name)
    return ref_of(claim) if claim is not None and not claim.spec.volume_name else None


def reconcile(ref: Ref, view: View, now: datetime) -> Plan:
    found = view.find(ref)
    if isinstance(found, PersistentVolumeClaim):
        return Plan(tuple(claims.sync(found, view, now)))
    if isinstance(found, PersistentVolume):
        return Plan(tuple(reclaiming.sync(found, view, now)))
    return NOTHING


CONTROLLER = Controller("persistentvolume-binder", concerns, reconcile)
