"""What one look at a Deployment has decided so far.

The steps of the Deployment controller read what earlier steps of the same pass have changed; here they are gathered,
to go out as one commit.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec import structs

from reconciler.controllers import progress, revision, rollback
from reconciler.controllers.interface import Plan
from reconciler.controllers.replicacounts import new_set_size, size
from reconciler.store.changes import Change, Create, Delete, Emit, Update, UpdateStatus
from reconciler.store.view import View
from schemas import conditions
from schemas.apps import Deployment, DeploymentStatus, ReplicaSet
from schemas.meta import Ref, ref_of

COMPONENT = "deployment-controller"


class Rollout:
    """A Deployment and its ReplicaSets as they will be; `plan` says what that takes."""

    def __init__(
        self, deployment: Deployment, sets: Sequence[ReplicaSet], adoptions: Iterable[Change], view: View, now: datetime
    ) -> None:
        self.deployment = deployment
        self._before = deployment
        self._sets_before = {one.metadata.name: one for one in sets}
        self._sets = dict(self._sets_before)
        self._claims = {ref_of(one.object): one for one in adoptions if isinstance(one, Update)}
        self._new = ""
        self._failed = ""
        self._deleted: list[ReplicaSet] = []
        self._events: list[Emit] = []
        self._view = view
        self._now = now

    @property
    def sets(self) -> list[ReplicaSet]:
        return list(self._sets.values())

    @property
    def new(self) -> ReplicaSet | None:
        """The set to roll to, once `find_revision` has looked for it: of the present template, or a healthy one."""
        return self._sets.get(self._new)

    @property
    def old(self) -> list[ReplicaSet]:
        return [one for name, one in self._sets.items() if name != self._new]

    def tell_pause(self) -> None:
        self._set_status(progress.paused_told(self.deployment, self._now))

    def find_revision(self, *, create: bool = False) -> None:
        """Finds the set of the present template and gives it the newest number; creates it if asked to.

        Where that one has failed, it is the last healthy set that is rolled to.
        """
        found = revision.of_template(self.deployment, self._sets.values())
        self._new = found.metadata.name if found is not None else ""
        newest = revision.next_number(self.old)
        if found is not None:
            self._take_up(revision.renewed(found, self.deployment, newest))
        elif create:
            self._create(newest)
        self._turn_back()

    def _turn_back(self) -> None:
        """Away from a set that has failed; what failed for an earlier template may be tried again."""
        for one in self.old:
            self._sets[one.metadata.name] = rollback.as_untried(one)
        found, healthy = self.new, rollback.last_healthy(self.old)
        if found is not None and healthy is not None and rollback.has_failed(found) and rollback.asked(self.deployment):
            self._failed, self._new = found.metadata.name, healthy.metadata.name

    def _take_up(self, found: ReplicaSet) -> None:
        self._sets[self._new] = found
        self._number_deployment(revision.number(found.metadata.annotations))
        status = self.deployment.status
        if conditions.find(status.conditions, progress.PROGRESSING) is None:
            self._tell_progressing("FoundNewReplicaSet", f'Found new replica set "{self._new}"')

    def _create(self, number: int) -> None:
        new = revision.new_set(self.deployment, number)
        name = new.metadata.name
        if self._view.find(Ref("ReplicaSet", new.metadata.namespace, name)) is not None:
            collisions = (self.deployment.status.collision_count or 0) + 1
            self._set_status(structs.replace(self.deployment.status, collision_count=collisions))
            return
        replicas = new_set_size(self.deployment, [*self._sets.values(), new], new)
        self._new = name
        self._sets[name] = revision.sized(new, self.deployment, replicas)
        if replicas > 0:
            self._tell(f"Scaled up replica set {name} from 0 to {replicas}")
        self._number_deployment(number)
        self._tell_progressing("NewReplicaSetCreated", f'Created new replica set "{name}"')

    def _number_deployment(self, number: int) -> None:
        annotations = {**self.deployment.metadata.annotations, revision.REVISION: str(number)}
        metadata = structs.replace(self.deployment.metadata, annotations=annotations)
        self.deployment = structs.replace(self.deployment, metadata=metadata)

    def _tell_progressing(self, reason: str, message: str) -> None:
        if progress.deadline(self.deployment) is not None:
            status = self.deployment.status
            told = progress.with_condition(status, progress.PROGRESSING, "True", reason, message, self._now)
            self._set_status(told)

    def resize(self, name: str, replicas: int, *, only_on_change: bool = False) -> bool:
        """Sizes a set; without `only_on_change` also renews what it tells of the Deployment's size."""
        before = size(self._sets[name])
        if before == replicas and only_on_change:
            return False
        self._sets[name] = revision.sized(self._sets[name], self.deployment, replicas)
        if before != replicas:
            direction = "up" if replicas > before else "down"
            self._tell(f"Scaled {direction} replica set {name} from {before} to {replicas}")
        return before != replicas

    def _tell(self, message: str) -> None:
        self._events.append(Emit(self._before, "Normal", "ScalingReplicaSet", message, COMPONENT))

    def tell_all(self, events: Iterable[Emit]) -> None:
        self._events += events

    def clean_up(self) -> None:
        """Forgets revisions beyond the history limit."""
        for one in revision.expendable(self.deployment, self.old):
            if one.metadata.name == self._failed:
                continue  # What it says is not to be forgotten: it would be tried again.
            if self._sets_before.get(one.metadata.name) == one:
                self._deleted.append(one)

    def count(self) -> None:
        """Status without a word on progress: while paused, scaled or deleted."""
        if not self._tell_held():
            self._set_status(progress.counted(self.deployment, self.sets, self.new, self._now))

    def tell_progress(self) -> None:
        if self._tell_held():
            return
        status = progress.rolled(self.deployment, self.sets, self.new, self._now)
        self._set_status(progress.without(status, rollback.ROLLED_BACK))
        if self.new is not None and rollback.asked(self.deployment):
            self._judge(self.new)

    def _tell_held(self) -> bool:
        failed, healthy = self._sets.get(self._failed), self.new
        if failed is None or healthy is None:
            return False
        self._set_status(rollback.held(self.deployment, self.sets, failed, healthy, self._now))
        return True

    def _judge(self, new: ReplicaSet) -> None:
        """Remembers how the rollout has ended; one that has failed is turned back in the next pass."""
        found = conditions.find(self.deployment.status.conditions, progress.PROGRESSING)
        if progress.complete(self.deployment, self.deployment.status):
            self._sets[self._new] = rollback.as_healthy(new)
        elif found is not None and found.reason == progress.TIMED_OUT:
            healthy = rollback.last_healthy(self.old)
            if healthy is not None and not rollback.has_failed(new):
                self._sets[self._new] = rollback.as_failed(new)
                text = rollback.told(new, healthy, self.deployment)
                self._events.append(Emit(self._before, "Warning", rollback.ROLLED_BACK, text, COMPONENT))

    def _set_status(self, status: DeploymentStatus) -> None:
        self.deployment = structs.replace(self.deployment, status=status)

    def plan(self) -> Plan:
        """Everything decided, and when to look again."""
        changes: list[Change] = []
        for name, one in self._sets.items():
            before = self._sets_before.get(name)
            if before is None:
                changes.append(Create(one))
            elif one != before or ref_of(one) in self._claims:
                changes.append(Update(one))
            self._claims.pop(ref_of(one), None)
        changes += self._claims.values()  # What was let go.
        changes += (Delete(ref_of(one), uid=one.metadata.uid) for one in self._deleted)
        if self.deployment.metadata != self._before.metadata:
            changes.append(Update(self.deployment))
        if self.deployment.status != self._before.status:
            changes.append(UpdateStatus(self.deployment, durable=self._turning_point()))
        wait = progress.look_again_in(self.deployment, self.deployment.status, self._now)
        return Plan((*changes, *self._events), wait)

    def _turning_point(self) -> bool:
        """Counts follow from the pods at any time; what the conditions say of the rollout's history does not."""

        def said(status: DeploymentStatus) -> list[tuple[str, str, str]]:
            return [(one.type, one.status, one.reason) for one in status.conditions]

        before, after = self._before.status, self.deployment.status
        return said(before) != said(after) or before.collision_count != after.collision_count
