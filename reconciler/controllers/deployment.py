"""Deployment: ReplicaSets for the revisions of a template, moved from one to the next within stated bounds.

One call decides as far as the view reaches and asks for it in one commit. Availability is read from the pods at the
same revision, so that a pod which has just failed is never counted on. Follows the Kubernetes Deployment controller
(https://kubernetes.io/docs/concepts/workloads/controllers/deployment/).
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from msgspec import structs

from reconciler.controllers import imagewait, podstate, progress, replicacounts, revision
from reconciler.controllers.interface import NOTHING, Controller, Plan
from reconciler.controllers.ownership import claim
from reconciler.controllers.replicacounts import size, wanted
from reconciler.controllers.replicaset import current
from reconciler.controllers.rollout import Rollout
from reconciler.store.changes import Emit, UpdateStatus
from reconciler.store.view import Event, View
from schemas import selectors
from schemas.apps import Deployment, ReplicaSet
from schemas.core.node import Node
from schemas.core.pod import Pod
from schemas.meta import LabelSelector, Object, Ref, controller_of, ref_of

COMPONENT = "deployment-controller"


def concerns(event: Event, view: View) -> Iterable[Ref]:
    """The Deployment itself; of a ReplicaSet or a pod the one that it belongs to or might be adopted by.

    Of a node whose images stand otherwise those of its pods.
    """
    if isinstance(event.object, Deployment):
        return () if event.new is None else (ref_of(event.new),)
    if isinstance(event.object, ReplicaSet):
        found = _controlling(event.old) | _controlling(event.new)
        return found or _adopters(event.new, view)
    if isinstance(event.object, Pod):
        return _of_pod(event.object, view)
    if isinstance(event.object, Node):
        sets = (view.get(ReplicaSet, ref.namespace, ref.name) for ref in imagewait.owners(event, "ReplicaSet", view))
        return {ref for one in sets for ref in _controlling(one)}
    return ()


def _controlling(dependent: Object | None) -> set[Ref]:
    owner = controller_of(dependent) if dependent is not None else None
    if dependent is None or owner is None or owner.kind != "Deployment":
        return set()
    return {Ref("Deployment", dependent.metadata.namespace, owner.name)}


def _adopters(orphan: Object | None, view: View) -> set[Ref]:
    if orphan is None or controller_of(orphan) is not None or not orphan.metadata.labels:
        return set()
    return {
        ref_of(candidate)
        for candidate in view.selecting(Deployment, orphan.metadata.namespace, orphan.metadata.labels)
        if selectors.matches(candidate.spec.selector, orphan.metadata.labels)
    }


def _of_pod(pod: Pod, view: View) -> set[Ref]:
    owner = controller_of(pod)
    if owner is None or owner.kind != "ReplicaSet":
        return set()
    return _controlling(view.get(ReplicaSet, pod.metadata.namespace, owner.name))


def reconcile(ref: Ref, view: View, now: datetime) -> Plan:
    deployment = view.get(Deployment, ref.namespace, ref.name)
    if deployment is None:
        return NOTHING
    if deployment.spec.selector == LabelSelector():
        return _selects_all(deployment)
    claimed = claim(deployment, deployment.spec.selector, ReplicaSet, view)
    rollout = Rollout(deployment, [current(one, view, now) for one in claimed.owned], claimed.changes, view, now)
    if deployment.metadata.deletion_timestamp is not None:
        rollout.count()
        return rollout.plan()
    rollout.tell_pause()
    if deployment.spec.paused or _being_scaled(deployment, rollout.sets):
        _scale(rollout)
    elif replicacounts.rolls(deployment):
        _roll(rollout, view)
    else:
        _recreate(rollout, view)
    return rollout.plan()


def _selects_all(deployment: Deployment) -> Plan:
    if deployment.status.observed_generation >= deployment.metadata.generation:
        return NOTHING
    status = structs.replace(deployment.status, observed_generation=deployment.metadata.generation)
    text = "This deployment is selecting all pods. A non-empty selector is required."
    return Plan(
        (
            UpdateStatus(structs.replace(deployment, status=status)),
            Emit(deployment, "Warning", "SelectingAll", text, COMPONENT),
        )
    )


def _being_scaled(deployment: Deployment, sets: Sequence[ReplicaSet]) -> bool:
    """Whether `replicas` was changed since the running sets were last sized."""
    told = (revision.annotated(one, revision.DESIRED) for one in sets if size(one) > 0)
    return any(desired is not None and desired != wanted(deployment) for desired in told)


def _scale(rollout: Rollout) -> None:
    """Sizes the sets by `replicas` without starting a new revision."""
    deployment = rollout.deployment
    rollout.find_revision()
    old, new = rollout.old, rollout.new
    only = _active_or_latest(old, new)
    if only is not None:
        rollout.resize(only.metadata.name, wanted(deployment), only_on_change=True)
    elif new is not None and _saturated(deployment, new):
        for one in old:
            if size(one) > 0:
                rollout.resize(one.metadata.name, 0)
    elif replicacounts.rolls(deployment):
        _scale_proportionally(rollout)
    if deployment.spec.paused:
        rollout.clean_up()
    rollout.count()


def _active_or_latest(old: Sequence[ReplicaSet], new: ReplicaSet | None) -> ReplicaSet | None:
    """The only set that runs; where none does the newest; None where several do."""
    every = [*revision.by_age(old), *([new] if new is not None else [])]
    running = [one for one in every if size(one) > 0]
    if len(running) > 1:
        return None
    return running[0] if running else every[-1] if every else None


def _saturated(deployment: Deployment, new: ReplicaSet) -> bool:
    return size(new) == wanted(deployment) == new.status.available_replicas and revision.annotated(
        new, revision.DESIRED
    ) == wanted(deployment)


def _scale_proportionally(rollout: Rollout) -> None:
    deployment = rollout.deployment
    running = [one for one in rollout.sets if size(one) > 0]
    surge = replicacounts.max_surge(deployment)
    growing = wanted(deployment) + surge > replicacounts.total(running) and wanted(deployment) > 0
    aged = revision.by_age(running)
    served = sorted(reversed(aged) if growing else aged, key=size, reverse=True)
    shares = [
        replicacounts.Share(
            one.metadata.name, size(one), revision.annotated(one, revision.MAX) or deployment.status.replicas
        )
        for one in served
    ]
    for name, replicas in replicacounts.proportional_sizes(shares, replicas=wanted(deployment), surge=surge).items():
        rollout.resize(name, replicas)


def _roll(rollout: Rollout, view: View) -> None:
    """One step of a rolling update: the new set up, or else the old ones down.

    While a node of an old pod awaits the new image, no old pod goes but for a new one that is available.
    """
    deployment = rollout.deployment
    rollout.find_revision(create=True)
    new = rollout.new
    if new is None:  # Its name is taken; the next pass tries another.
        return
    target = wanted(deployment)
    if size(new) < target:
        target = replicacounts.new_set_size(deployment, rollout.sets, new)
    if rollout.resize(new.metadata.name, target, only_on_change=True):
        rollout.tell_progress()
        return
    running = revision.by_age(one for one in rollout.old if size(one) > 0)
    sizes = replicacounts.old_set_sizes(deployment, running, new)
    if replicacounts.max_unavailable(deployment) and _awaits_images(rollout, view):
        surges = replicacounts.max_surge(deployment) > 0
        sizes = replicacounts.old_set_sizes(deployment, running, new, unavailable=0) if surges else {}
    resized = [rollout.resize(name, replicas, only_on_change=True) for name, replicas in sizes.items()]
    if not any(resized) and progress.complete(deployment, deployment.status):
        rollout.clean_up()
    rollout.tell_progress()


def _recreate(rollout: Rollout, view: View) -> None:
    """All old pods down and gone, then the new set up."""
    deployment = rollout.deployment
    rollout.find_revision()
    running = [one for one in rollout.old if size(one) > 0]
    if _awaits_images(rollout, view):
        rollout.tell_progress()
        return
    for one in running:
        rollout.tell_all(_images_given_up(rollout, one, view))
        rollout.resize(one.metadata.name, 0)
    if not running and not _old_pods_left(rollout, view):
        rollout.find_revision(create=True)
        if rollout.new is None:  # Its name is taken; the next pass tries another.
            return
        rollout.resize(rollout.new.metadata.name, wanted(deployment), only_on_change=True)
        if progress.complete(deployment, deployment.status):
            rollout.clean_up()
    rollout.tell_progress()


def _awaits_images(rollout: Rollout, view: View) -> bool:
    """Whether a pod of an old set does its work on a node that is still fetching an image of the template.

    Where the sets are turned back to a healthy one, it is another template, of which no node was told.
    """
    template = rollout.deployment.spec.template
    if rollout.new is not None and revision.of_template(rollout.deployment, rollout.sets) is not rollout.new:
        return False
    needed = imagewait.images_of(template)
    for one in rollout.old:
        images = needed - imagewait.images_of(one.spec.template)
        if images and size(one) > 0:
            pods = view.owned_by(Pod, one.metadata.uid)
            nodes = {pod.spec.node_name for pod in pods if not pod.metadata.deletion_timestamp and podstate.ready(pod)}
            if any(imagewait.awaited_on(node, images, view) for node in nodes):
                return True
    return False


def _images_given_up(rollout: Rollout, old: ReplicaSet, view: View) -> Iterator[Emit]:
    template = rollout.deployment.spec.template
    for pod in view.owned_by(Pod, old.metadata.uid):
        yield from imagewait.given_up(rollout.deployment, pod, template, view, COMPONENT)


def _old_pods_left(rollout: Rollout, view: View) -> bool:
    """Ending pods count: their ports and volumes are still taken."""
    return any(not podstate.ended(pod) for one in rollout.old for pod in view.owned_by(Pod, one.metadata.uid))


CONTROLLER = Controller("deployment", concerns, reconcile)
