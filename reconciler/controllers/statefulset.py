"""StatefulSet: pods with names that last, made and ended in order.

All is worked out anew from the view; what a plan makes and ends is one commit with the status that follows. The
pass itself is in `statefulpass`, what a pod is in `statefulpods`, its claims in `statefulclaims`.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from msgspec import structs

from reconciler.controllers import imagewait, podstate
from reconciler.controllers.history import History, forgotten, history, template_of
from reconciler.controllers.interface import NOTHING, Controller, Plan
from reconciler.controllers.ownership import claim, keepers
from reconciler.controllers.replicaset import REFUSED_SECONDS
from reconciler.controllers.statefulpass import Pass, Version
from reconciler.controllers.statefulpods import ordinal, revision_of, running_and_ready
from reconciler.store.changes import Change, UpdateStatus
from reconciler.store.view import Event, View
from schemas import selectors
from schemas.apps import ControllerRevision, StatefulSet, StatefulSetStatus
from schemas.core.node import Node
from schemas.core.persistence import PersistentVolumeClaim
from schemas.core.pod import Pod
from schemas.meta import Ref, ref_of

_REVISION_LABEL = "controller.kubernetes.io/hash"


def concerns(event: Event, view: View) -> Iterable[Ref]:
    """The set itself; for a pod or revision its set, or those that might adopt it; for a lost claim its set.

    For a node whose images stand otherwise those of its pods.
    """
    if isinstance(event.object, StatefulSet):
        return () if event.new is None else (ref_of(event.new),)
    if isinstance(event.object, Node):
        return imagewait.owners(event, "StatefulSet", view)
    if isinstance(event.object, PersistentVolumeClaim):
        return tuple(_of_claim(event.object, view)) if event.new is None else ()
    if not isinstance(event.object, Pod | ControllerRevision):
        return ()
    return keepers(event, StatefulSet, view, lambda one, labels: selectors.matches(one.spec.selector, labels))


def _of_claim(lost: PersistentVolumeClaim, view: View) -> Iterator[Ref]:
    for candidate in view.list(StatefulSet, lost.metadata.namespace):
        for template in candidate.spec.volume_claim_templates:
            if lost.metadata.name.startswith(f"{template.metadata.name}-{candidate.metadata.name}-"):
                yield ref_of(candidate)


def reconcile(ref: Ref, view: View, now: datetime) -> Plan:
    owner = view.get(StatefulSet, ref.namespace, ref.name)
    if owner is None:
        return NOTHING
    claimed = claim(owner, owner.spec.selector, Pod, view, lambda pod: ordinal(owner, pod) is not None)
    pods = {number: pod for pod in claimed.owned if (number := ordinal(owner, pod)) is not None}
    if owner.metadata.deletion_timestamp is not None:
        return Plan(tuple(_told(owner, _status(owner, pods, now))))
    past = history(owner, _REVISION_LABEL, view)
    current = _current(owner, past)
    done = Pass(owner, current, Version(past.present.metadata.name, owner.spec.template), view, now)
    done.run(pods)
    status = structs.replace(
        owner.status,
        current_revision=current.name,
        update_revision=past.present.metadata.name,
        collision_count=past.collisions or 0,
    )
    status = _rolled(owner, _status(structs.replace(owner, status=status), done.left(pods), now, done.ending))
    changes = [*claimed.changes, *past.changes, *done.changes, *_forgotten(owner, current.name, past, pods)]
    if done.refusal:
        return Plan((*changes, *_told(owner, status)), REFUSED_SECONDS)
    return Plan((*changes, *_told(owner, status)), _until_next_available(owner, pods.values(), now))


def _told(owner: StatefulSet, status: StatefulSetStatus) -> Iterator[Change]:
    """Counts follow from the pods at any time; which revision is the current one has to be on disk."""
    if status != owner.status:
        yield UpdateStatus(structs.replace(owner, status=status), durable=_kept(status) != _kept(owner.status))


def _kept(status: StatefulSetStatus) -> tuple[str, str, int | None]:
    return status.current_revision, status.update_revision, status.collision_count


def _current(owner: StatefulSet, past: History) -> Version:
    """What the pods are of that an update has not reached, the present one where that cannot be found."""
    found = past.named(owner.status.current_revision)
    template = template_of(found) if found is not None else None
    if found is None or template is None or template.spec is None:
        return Version(past.present.metadata.name, owner.spec.template)
    return Version(found.metadata.name, template)


def _status(
    owner: StatefulSet, pods: Mapping[int, Pod], now: datetime, ending: Collection[str] = ()
) -> StatefulSetStatus:
    """The status that follows from the pods; `ending` are the uids of those that are being deleted just now."""
    ready = [pod for pod in pods.values() if running_and_ready(pod)]
    revisions = [
        revision_of(pod)
        for pod in pods.values()
        if pod.metadata.deletion_timestamp is None and pod.metadata.uid not in ending
    ]
    return structs.replace(
        owner.status,
        observed_generation=owner.metadata.generation,
        replicas=len(pods),
        ready_replicas=len(ready),
        available_replicas=sum(podstate.available(pod, owner.spec.min_ready_seconds, now) for pod in ready),
        current_replicas=revisions.count(owner.status.current_revision),
        updated_replicas=revisions.count(owner.status.update_revision),
    )


def _rolled(owner: StatefulSet, status: StatefulSetStatus) -> StatefulSetStatus:
    """The status when an update has reached all pods: what was the update is then what is current."""
    if owner.spec.update_strategy.type == "OnDelete":
        return status
    if not status.updated_replicas == status.replicas == status.ready_replicas:
        return status
    return structs.replace(status, current_replicas=status.updated_replicas, current_revision=status.update_revision)


def _forgotten(owner: StatefulSet, current: str, past: History, pods: Mapping[int, Pod]) -> Sequence[Change]:
    """Revisions beyond the limit; what a pod is of stays in any case."""
    limit = owner.spec.revision_history_limit
    if limit is None:
        return ()
    live = {current, past.present.metadata.name, *(revision_of(pod) for pod in pods.values())}
    return forgotten([one for one in past.revisions if one.metadata.name not in live], limit)


def _until_next_available(owner: StatefulSet, pods: Iterable[Pod], now: datetime) -> float | None:
    if owner.spec.min_ready_seconds == 0:
        return None
    waits = (podstate.available_in(pod, owner.spec.min_ready_seconds, now) for pod in pods)
    return min((wait for wait in waits if wait), default=None)


CONTROLLER = Controller("statefulset", concerns, reconcile)
