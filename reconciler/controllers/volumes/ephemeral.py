"""Generic ephemeral volumes: a claim for each, made for its pod, owned by it, and collected with it.

https://kubernetes.io/docs/concepts/storage/ephemeral-volumes/#generic-ephemeral-volumes. A claim of that name that is
somebody else's is left alone, and the scheduler tells the pod so.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime

from reconciler.controllers.interface import NOTHING, Controller, Plan
from reconciler.controllers.ownership import controller_reference
from reconciler.store.changes import Change, Create
from reconciler.store.view import Event, View
from schemas.core.persistence import PersistentVolumeClaim
from schemas.core.pod import Pod
from schemas.meta import ObjectMeta, Ref, ref_of
from schemas.podclaims import claim_name


def concerns(event: Event, view: View) -> Iterable[Ref]:
    """A pod with such volumes; of a claim that has gone the pods that one of its name may be made for."""
    if isinstance(event.new, Pod):
        return (ref_of(event.new),) if _asks(event.new) else ()
    if event.new is None and isinstance(event.old, PersistentVolumeClaim):
        metadata = event.old.metadata
        ends = (at for at, letter in enumerate(metadata.name) if letter == "-")
        return [Ref("Pod", metadata.namespace, metadata.name[:at]) for at in ends]
    return ()


def _asks(pod: Pod) -> bool:
    return pod.metadata.deletion_timestamp is None and any(one.ephemeral is not None for one in pod.spec.volumes)


def reconcile(ref: Ref, view: View, now: datetime) -> Plan:
    pod = view.get(Pod, ref.namespace, ref.name)
    return Plan(tuple(_made(pod, view))) if pod is not None and _asks(pod) else NOTHING


def _made(pod: Pod, view: View) -> Iterator[Change]:
    for volume in pod.spec.volumes:
        template = volume.ephemeral.volume_claim_template if volume.ephemeral is not None else None
        name = claim_name(pod, volume)
        if template is None or view.get(PersistentVolumeClaim, pod.metadata.namespace, name) is not None:
            continue
        metadata = ObjectMeta(
            name=name,
            namespace=pod.metadata.namespace,
            labels=template.metadata.labels,
            annotations=template.metadata.annotations,
            owner_references=(controller_reference(pod),),
        )
        yield Create(PersistentVolumeClaim(metadata=metadata, spec=template.spec))


CONTROLLER = Controller("ephemeral-volume", concerns, reconcile)
