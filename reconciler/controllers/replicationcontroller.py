"""ReplicationController: the older form of a ReplicaSet, kept by the same decisions.

It is read as a ReplicaSet of its own kind, and what comes out is written as what it is.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec
from msgspec import structs

from reconciler.controllers import replicaset
from reconciler.controllers.interface import NOTHING, Controller, Plan
from reconciler.controllers.ownership import keepers
from reconciler.store.changes import Change, Emit, UpdateStatus
from reconciler.store.view import Event, View
from schemas.apps import ReplicaSet, ReplicaSetCondition, ReplicaSetSpec, ReplicaSetStatus
from schemas.core.pod import Pod
from schemas.core.quota import ResourceQuota
from schemas.core.replication import (
    ReplicationController,
    ReplicationControllerCondition,
    ReplicationControllerStatus,
)
from schemas.meta import LabelSelector, Ref, ref_of

COMPONENT = "replication-controller"


def concerns(event: Event, view: View) -> Iterable[Ref]:
    """The object itself; for a pod the one that has it or might adopt it; for a quota those that wait for more."""
    if isinstance(event.object, ReplicationController):
        return () if event.new is None else (ref_of(event.new),)
    if isinstance(event.object, ResourceQuota):
        there = view.list(ReplicationController, event.object.metadata.namespace)
        return [ref_of(one) for one in there if one.status.conditions]
    if not isinstance(event.object, Pod):
        return ()
    return keepers(event, ReplicationController, view, lambda one, labels: _selects(one.spec.selector, labels))


def _selects(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    return bool(selector) and selector.items() <= labels.items()


def reconcile(ref: Ref, view: View, now: datetime) -> Plan:
    controller = view.get(ReplicationController, ref.namespace, ref.name)
    if controller is None or not controller.spec.selector:
        return NOTHING
    plan = replicaset.kept(_as_set(controller), view, now)
    return structs.replace(plan, changes=tuple(_written(change, controller) for change in plan.changes))


def _as_set(controller: ReplicationController) -> ReplicaSet:
    spec, status = controller.spec, controller.status
    return ReplicaSet(
        api_version=controller.api_version,
        kind=controller.kind,
        metadata=controller.metadata,
        spec=ReplicaSetSpec(
            selector=LabelSelector(match_labels=spec.selector),
            min_ready_seconds=spec.min_ready_seconds,
            replicas=spec.replicas,
            template=spec.template,
        ),
        status=ReplicaSetStatus(
            available_replicas=status.available_replicas,
            conditions=tuple(
                msgspec.convert(one, ReplicaSetCondition, from_attributes=True) for one in status.conditions
            ),
            fully_labeled_replicas=status.fully_labeled_replicas,
            observed_generation=status.observed_generation,
            ready_replicas=status.ready_replicas,
            replicas=status.replicas,
            terminating_replicas=0,
        ),
    )


def _written(change: Change, controller: ReplicationController) -> Change:
    if isinstance(change, Emit):
        return structs.replace(change, component=COMPONENT)
    if isinstance(change, UpdateStatus) and isinstance(change.object, ReplicaSet):
        return structs.replace(change, object=structs.replace(controller, status=_status(change.object.status)))
    return change


def _status(status: ReplicaSetStatus) -> ReplicationControllerStatus:
    """Pods that are ending are not counted here."""
    return ReplicationControllerStatus(
        available_replicas=status.available_replicas,
        conditions=tuple(
            msgspec.convert(one, ReplicationControllerCondition, from_attributes=True) for one in status.conditions
        ),
        fully_labeled_replicas=status.fully_labeled_replicas,
        observed_generation=status.observed_generation,
        ready_replicas=status.ready_replicas,
        replicas=status.replicas,
    )


CONTROLLER = Controller("replicationcontroller", concerns, reconcile)
