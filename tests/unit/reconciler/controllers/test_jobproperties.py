"""Jobs over generated histories: pods succeed, fail and vanish, events come twice, the reconciler starts anew."""

from collections import Counter

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec import structs

from reconciler.controllers.jobend import outcome
from reconciler.controllers.jobpods import INDEX, tracked
from reconciler.controllers.podstate import active, ended
from reconciler.store.changes import Update
from reconciler.store.view import Event
from schemas.batch import Job, JobSpec
from schemas.core.pod import Pod
from schemas.kinds import KINDS
from schemas.meta import ref_of
from tests.unit.reconciler.controllers.builders import node
from tests.unit.reconciler.controllers.jobs import CONTROLLERS, a_job, end_pods, job_template, the_job
from tests.unit.reconciler.controllers.world import World, make_ready

MOST = 4


class JobHistory(RuleBasedStateMachine):
    """What it remembers of the pods itself is compared with what the status counts."""

    @initialize(
        completions=st.none() | st.integers(1, MOST),
        parallelism=st.integers(1, MOST),
        indexed=st.booleans(),
        limit=st.integers(0, 3),
        per_index=st.none() | st.integers(0, 2),
        replacement=st.sampled_from(("TerminatingOrFailed", "Failed")),
    )
    def begin(
        self,
        completions: int | None,
        parallelism: int,
        indexed: bool,
        limit: int,
        per_index: int | None,
        replacement: str,
    ) -> None:
        self.world = World(CONTROLLERS)
        self.world.create(node("n1"))
        self.parallelism = parallelism
        self.succeeded: set[str] = set()
        self.indexes: set[str] = set()
        spec = JobSpec(job_template(), parallelism=parallelism, completions=completions, backoff_limit=limit)
        if indexed and completions is not None:
            spec = structs.replace(spec, completion_mode="Indexed")
            if per_index is not None:
                spec = structs.replace(spec, backoff_limit_per_index=per_index, backoff_limit=None)
        self.world.create(a_job(structs.replace(spec, pod_replacement_policy=replacement)))

    def _running(self) -> list[Pod]:
        return [pod for pod in self.world.pods() if not ended(pod)]

    def _one(self, number: int) -> list[Pod]:
        found = self._running()
        return [found[number % len(found)]] if found else []

    def _job(self) -> Job:
        return the_job(self.world)

    @rule(number=st.integers(0, 9), ago=st.sampled_from((0, 3600)))
    def succeed(self, number: int, ago: int) -> None:
        for pod in self._one(number):
            if tracked(pod):
                self.succeeded.add(pod.metadata.uid)
                self.indexes.add(pod.metadata.annotations.get(INDEX, ""))
            end_pods(self.world, [pod], "Succeeded", ago=ago)

    @rule(number=st.integers(0, 9), ago=st.sampled_from((0, 3600)))
    def fail(self, number: int, ago: int) -> None:
        end_pods(self.world, self._one(number), "Failed", ago=ago)

    @rule(number=st.integers(0, 9))
    def run(self, number: int) -> None:
        for pod in self._one(number):
            placed = structs.replace(pod, spec=structs.replace(pod.spec, node_name="n1"))
            self.world.apply((Update(placed),))
            make_ready(self.world, [self.world.get(Pod, "default", pod.metadata.name)])

    @rule(number=st.integers(0, 9), grace=st.sampled_from((None, 0)))
    def delete(self, number: int, grace: int | None) -> None:
        for pod in self._one(number):
            self.world.delete(ref_of(pod), grace_seconds=grace)

    @rule()
    def agents_end_what_is_to_end(self) -> None:
        for pod in self.world.pods():
            if pod.metadata.deletion_timestamp is not None:
                if not ended(pod):
                    end_pods(self.world, [pod], "Failed")
                found = self.world.cache.get(Pod, "default", pod.metadata.name)
                if found is not None:
                    self.world.delete(ref_of(found), grace_seconds=0)

    @rule(suspend=st.booleans())
    def suspend(self, suspend: bool) -> None:
        found = self._job()
        if outcome(found) is None:
            spec = structs.replace(found.spec, suspend=suspend)
            self.world.apply((Update(structs.replace(found, spec=spec)),))

    @rule(number=st.integers(0, 9))
    def step(self, number: int) -> None:
        self.world.step(lambda keys: keys[number % len(keys)])

    @rule()
    def settle(self) -> None:
        self.world.settle()

    @rule(seconds=st.integers(1, 700))
    def wait(self, seconds: int) -> None:
        self.world.advance(seconds)

    @rule()
    def restart(self) -> None:
        self.world.restart([found for kind in KINDS for found in self.world.cache.list(kind.type)])

    @rule(number=st.integers(0, 9))
    def an_event_comes_twice(self, number: int) -> None:
        found = [*self.world.pods(), self._job()]
        again = found[number % len(found)]
        self.world._spread(Event(self.world.cache.revision, again, again))

    @invariant()
    def never_more_active_than_its_parallelism(self) -> None:
        assert sum(active(pod) for pod in self.world.pods()) <= self.parallelism

    @invariant()
    def each_success_is_counted_once(self) -> None:
        found = self._job()
        waiting = [pod for pod in self.world.pods() if pod.status.phase == "Succeeded" and tracked(pod)]
        if found.spec.completion_mode == "Indexed":
            assert found.status.succeeded <= len(self.indexes)
            assert found.status.succeeded + len({pod.metadata.annotations[INDEX] for pod in waiting}) >= len(
                self.indexes
            )
        else:
            assert found.status.succeeded + len(waiting) == len(self.succeeded)

    @invariant()
    def no_two_pods_run_for_one_index(self) -> None:
        of_index = Counter(pod.metadata.annotations.get(INDEX) for pod in self.world.pods() if active(pod))
        assert all(number == 1 for index, number in of_index.items() if index is not None)

    def teardown(self) -> None:
        """Agents that do their part bring every Job to its end, and then nothing is written any more."""
        if not hasattr(self, "world"):
            return
        self.suspend(False)
        for _ in range(60):
            self.world.settle()
            if outcome(self._job()) is not None:
                break
            self.agents_end_what_is_to_end()
            self.world.settle()
            for pod in [one for one in self._running() if one.metadata.deletion_timestamp is None]:
                if tracked(pod):
                    self.succeeded.add(pod.metadata.uid)
                    self.indexes.add(pod.metadata.annotations.get(INDEX, ""))
                end_pods(self.world, [pod], "Succeeded")
            self.world.advance(700)
        assert outcome(self._job()) is not None
        self.agents_end_what_is_to_end()
        self.world.settle()
        assert not any(active(pod) or tracked(pod) for pod in self.world.pods())
        self.each_success_is_counted_once()
        commits = self.world.commits
        self.restart()
        self.world.settle()
        assert self.world.commits == commits, "a second pass over a Job that has ended writes"


TestJobHistory = JobHistory.TestCase
TestJobHistory.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
