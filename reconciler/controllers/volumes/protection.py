"""What is in use does not go: finalizers of claims and volumes, set when they are made and taken off when unused.

A claim is in use while a pod that is bound to a node names it, ended or not; a volume while it is bound
(https://kubernetes.io/docs/concepts/storage/persistent-volumes/#storage-object-in-use-protection).
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from msgspec import structs

from reconciler.admission.storage import CLAIM_PROTECTION, VOLUME_PROTECTION
from reconciler.controllers.interface import NOTHING, Controller, Plan
from reconciler.controllers.volumes.claims import users
from reconciler.store.changes import Change, Update
from reconciler.store.view import Event, View
from schemas.core.persistence import PersistentVolume, PersistentVolumeClaim
from schemas.core.pod import Pod
from schemas.meta import Object, Ref, ref_of
from schemas.podclaims import claim_names


def _claim_concerns(event: Event, view: View) -> Iterable[Ref]:
    """A claim itself; the claims of a pod that has gone."""
    if isinstance(event.new, PersistentVolumeClaim):
        return (ref_of(event.new),)
    if event.new is None and isinstance(event.old, Pod):
        namespace = event.old.metadata.namespace
        return [Ref("PersistentVolumeClaim", namespace, name) for name in claim_names(event.old)]
    return ()


def _claim(ref: Ref, view: View, now: datetime) -> Plan:
    claim = view.get(PersistentVolumeClaim, ref.namespace, ref.name)
    if claim is None:
        return NOTHING
    return Plan(tuple(_protected(claim, CLAIM_PROTECTION, lambda: _is_mounted(claim, view))))


def _is_mounted(claim: PersistentVolumeClaim, view: View) -> bool:
    return any(pod.spec.node_name for pod in users(claim, view))


def _volume_concerns(event: Event, view: View) -> Iterable[Ref]:
    return (ref_of(event.new),) if isinstance(event.new, PersistentVolume) else ()


def _volume(ref: Ref, view: View, now: datetime) -> Plan:
    volume = view.get(PersistentVolume, "", ref.name)
    if volume is None:
        return NOTHING
    return Plan(tuple(_protected(volume, VOLUME_PROTECTION, lambda: volume.status.phase == "Bound")))


def _protected(object_: Object, finalizer: str, is_used: Callable[[], bool]) -> Iterator[Change]:
    metadata = object_.metadata
    if metadata.deletion_timestamp is None:
        if finalizer not in metadata.finalizers:  # it was made before there was this protection
            yield _with(object_, (*metadata.finalizers, finalizer))
    elif finalizer in metadata.finalizers and not is_used():
        yield _with(object_, tuple(one for one in metadata.finalizers if one != finalizer))


def _with(object_: Object, finalizers: tuple[str, ...]) -> Update:
    return Update(structs.replace(object_, metadata=structs.replace(object_.metadata, finalizers=finalizers)))


CLAIMS = Controller("pvc-protection", _claim_concerns, _claim)
VOLUMES = Controller("pv-protection", _volume_concerns, _volume)
