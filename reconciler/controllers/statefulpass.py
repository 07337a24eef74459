"""One pass over the pods of a StatefulSet: which of them to make, to end, and to leave alone for now.

The order is that of the StatefulSet controller
(https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#deployment-and-scaling-guarantees): with
`OrderedReady` each pod waits for those before it, with `Parallel` none waits; an update goes from the highest ordinal
down to the partition, one pod at a time, in either case.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from reconciler.admission.ahead import ahead
from reconciler.controllers import imagewait, podstate, statefulclaims
from reconciler.controllers.statefulclaims import COMPONENT
from reconciler.controllers.statefulpods import (
    healthy,
    identified,
    new_pod,
    revision_of,
    running_and_ready,
    start,
    wanted,
)
from reconciler.store.changes import Change, Create, Delete, Emit, Update
from reconciler.store.view import View
from schemas.apps import StatefulSet
from schemas.core.pod import Pod, PodTemplateSpec
from schemas.meta import ref_of


class Version(msgspec.Struct, frozen=True):
    """A revision by name, and its template."""

    name: str
    template: PodTemplateSpec


class Pass:
    """Decides over one StatefulSet. What comes out is in `changes`; `ending` are the uids of the pods it deletes."""

    def __init__(self, owner: StatefulSet, current: Version, update: Version, view: View, now: datetime) -> None:
        self._owner, self._view, self._now = owner, view, now
        self._current, self._update = current, update
        self._ordered = owner.spec.pod_management_policy != "Parallel"
        self.changes: list[Change] = []
        self._created: dict[int, Pod] = {}
        self.ending: set[str] = set()
        self.refusal = ""
        """Why a pod was not made."""

    def run(self, pods: Mapping[int, Pod]) -> None:
        """`pods`: those that there are, by ordinal."""
        self._look(pods)
        self._make()

    def _look(self, pods: Mapping[int, Pod]) -> None:
        ordinals = wanted(self._owner)
        condemned = [pods[number] for number in sorted(pods, reverse=True) if number not in ordinals]
        if self._stops(not self._keep(number, pods.get(number)) for number in ordinals):
            return
        for pod in condemned:
            self.changes += statefulclaims.retained(self._owner, pod, self._view)
        blamed = self._first_unhealthy(pods, condemned)
        if self._stops(not self._release(pod, blamed) for pod in condemned):
            return
        if self._owner.spec.update_strategy.type != "OnDelete":
            self._roll({number: pods[number] for number in ordinals if number in pods})

    def _make(self) -> None:
        """Makes the new pods that admission will let in, and the claims that they mount before them."""
        created, refusal = ahead(tuple(self._created.values()), self._view)
        for number, pod in [*self._created.items()][len(created) :]:
            self._refuse(pod, refusal)
            del self._created[number]
        for number, pod in self._created.items():
            self.changes += statefulclaims.missing(self._owner, number, self._view)
            self.changes += statefulclaims.retained(self._owner, pod, self._view)
            self.changes.append(Create(pod))
            self._tell("SuccessfulCreate", f"Create Pod {pod.metadata.name}")

    def _refuse(self, pod: Pod, why: str) -> None:
        self.refusal = why
        text = f"Create Pod {pod.metadata.name} in StatefulSet {self._owner.metadata.name} failed error: {why}"
        self.changes.append(Emit(self._owner, "Warning", "FailedCreate", text, COMPONENT))

    def left(self, pods: Mapping[int, Pod]) -> Mapping[int, Pod]:
        """The pods by ordinal as they are after the changes, those that end included."""
        return {**pods, **self._created}

    def _stops(self, outcomes: Iterable[bool]) -> bool:
        """Takes one pod after the other. In order, the first that is not done ends the pass; else all are taken."""
        return any(stopped and self._ordered for stopped in outcomes)

    def _first_unhealthy(self, pods: Mapping[int, Pod], condemned: list[Pod]) -> Pod | None:
        """The one that may go although it is not ready: waiting for it would be waiting for ever."""
        ordinals = wanted(self._owner)
        if not all(number in pods for number in ordinals):
            return None
        candidates = (*(pods[number] for number in ordinals), *reversed(condemned))
        return next((pod for pod in candidates if not healthy(pod)), None)

    def _keep(self, number: int, pod: Pod | None) -> bool:
        """Whether the pod of a wanted ordinal is as it should be, so that those after it may come."""
        if pod is None:
            self._create(number)
            return False
        if podstate.ended(pod):
            if pod.metadata.deletion_timestamp is None:
                self._delete(pod)
            return False
        if pod.status.phase in ("", "Pending"):
            self.changes += statefulclaims.missing(self._owner, number, self._view)
        seconds = self._owner.spec.min_ready_seconds
        ready = running_and_ready(pod) and podstate.available(pod, seconds, self._now)
        if self._ordered and (pod.metadata.deletion_timestamp is not None or not ready):
            return False
        named = identified(pod)
        if named != pod:
            self.changes.append(Update(named))
        self.changes += statefulclaims.retained(self._owner, pod, self._view)
        return True

    def _create(self, number: int) -> None:
        if statefulclaims.stale(self._owner, number, self._view):
            return
        version = self._current if self._is_held_back(number) else self._update
        pod = new_pod(self._owner, version.template, version.name, number)
        if self._view.find(ref_of(pod)) is None:
            self._created[number] = pod
        else:  # Somebody else's, as one that was let go.
            self._refuse(pod, f'pods "{pod.metadata.name}" already exists')

    def _is_held_back(self, number: int) -> bool:
        """Whether a new pod is still to be of the current revision."""
        strategy = self._owner.spec.update_strategy
        if strategy.type == "OnDelete":
            return False
        return number < start(self._owner) + self._partition()

    def _partition(self) -> int:
        rolling = self._owner.spec.update_strategy.rolling_update
        return (rolling.partition or 0) if rolling is not None else 0

    def _release(self, pod: Pod, blamed: Pod | None) -> bool:
        """Ends a pod that is not wanted any more. Whether the next may go too."""
        if pod.metadata.deletion_timestamp is not None:
            return False
        ready = running_and_ready(pod) and podstate.available(pod, self._owner.spec.min_ready_seconds, self._now)
        if self._ordered and not ready and pod is not blamed:
            return False
        self._delete(pod)
        return False

    def _roll(self, pods: Mapping[int, Pod]) -> None:
        """Ends the highest pod of an old revision, once all above it are well."""
        lowest = start(self._owner) + self._partition()
        for number in reversed(wanted(self._owner)):
            if number < lowest:
                return
            pod = pods.get(number)
            if pod is None or pod.metadata.uid in self.ending:
                return
            if revision_of(pod) != self._update.name and pod.metadata.deletion_timestamp is None:
                self._replace(pod)
                return
            if not healthy(pod):
                return

    def _replace(self, pod: Pod) -> None:
        """Ends it for an update; one that does its work not before its node has the new image."""
        template = self._update.template
        if not (healthy(pod) and imagewait.awaited(pod, template, self._view)):
            self.changes += imagewait.given_up(self._owner, pod, template, self._view, COMPONENT)
            self._delete(pod)

    def _delete(self, pod: Pod) -> None:
        self.changes.append(Delete(ref_of(pod), uid=pod.metadata.uid))
        self.ending.add(pod.metadata.uid)
        self._tell("SuccessfulDelete", f"Delete Pod {pod.metadata.name}")

    def _tell(self, reason: str, done: str) -> None:
        text = f"{done} in StatefulSet {self._owner.metadata.name} successful"
        self.changes.append(Emit(self._owner, "Normal", reason, text, COMPONENT))
