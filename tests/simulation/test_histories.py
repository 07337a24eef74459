"""All kinds of workloads at once, over generated histories: whatever happens, the promises hold and it ends well.

People edit and delete, pods fail, nodes vanish, come back or are scrapped, events are lost or come twice, and the
reconciler starts anew between any two commits. `make soak` plays many more and longer ones.
"""

import os
from typing import Any

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec import structs

from reconciler.controllers.budgets import Blocked, taken
from reconciler.controllers.jobend import outcome
from reconciler.controllers.podstate import active, ended, ready
from reconciler.controllers.statefulpods import ordinal
from reconciler.store.changes import Create, Delete, Update
from schemas.apps import DaemonSet, Deployment, StatefulSet
from schemas.batch import Job, JobSpec
from schemas.core.config import Namespace
from schemas.core.node import Node
from schemas.core.pod import Pod
from schemas.core.service import Service, ServicePort, ServiceSpec
from schemas.defaults import defaulted
from schemas.discovery import EndpointSlice
from schemas.meta import LabelSelector, ObjectMeta, ref_of
from schemas.policy import PodDisruptionBudget, PodDisruptionBudgetSpec
from tests.simulation.played import NODES, Played, kept
from tests.unit.reconciler.controllers.builders import LABELS, deployment, node, template
from tests.unit.reconciler.controllers.jobs import a_job, job_template
from tests.unit.reconciler.controllers.setbuilders import daemon_set, stateful_set

EXAMPLES = int(os.environ.get("WHERRY_EXAMPLES", "12"))
"""Histories played; where they are many, they are twice as long, too."""
NUMBERS = st.integers(0, 9)
ROUNDS = 400
"""In which agents that do their part bring any fleet to rest."""


class Histories(RuleBasedStateMachine):
    @initialize(
        replicas=st.integers(1, 4),
        surge=st.integers(0, 2),
        unavailable=st.integers(0, 2),
        strategy=st.sampled_from(("RollingUpdate", "RollingUpdate", "RollingUpdate", "Recreate")),
        parallel=st.booleans(),
        seconds=st.sampled_from((0, 5)),
        daemon_surge=st.integers(0, 1),
        jobs=st.tuples(st.integers(1, 3), st.integers(1, 4)),
        runs=st.booleans(),
    )
    def begin(
        self,
        replicas: int,
        surge: int,
        unavailable: int,
        strategy: str,
        parallel: bool,
        seconds: int,
        daemon_surge: int,
        jobs: tuple[int, int],
        runs: bool,
    ) -> None:
        self.world = world = Played()
        self.has_lost = False
        world.create(Namespace(metadata=ObjectMeta(name="default")), *map(node, NODES))
        web = deployment(replicas, surge=surge, unavailable=unavailable, strategy=strategy, min_ready_seconds=seconds)
        each = daemon_set(surge=daemon_surge, unavailable=1 - daemon_surge)
        labels = {"app": "each"}
        spec = structs.replace(
            each.spec, selector=LabelSelector(match_labels=labels), template=template("each:1", labels)
        )
        meta = {name: ObjectMeta(name=name, namespace="default") for name in ("web", "each")}
        budget = PodDisruptionBudgetSpec(max_unavailable=1, selector=LabelSelector(match_labels=LABELS))
        world.create(
            web,
            stateful_set(replicas, parallel=parallel, min_ready_seconds=seconds),
            structs.replace(each, metadata=meta["each"], spec=spec),
            a_job(JobSpec(job_template(), parallelism=jobs[0], completions=jobs[1], backoff_limit=20)),
            Service(metadata=meta["web"], spec=ServiceSpec(ports=(ServicePort(80),), selector=LABELS)),
            PodDisruptionBudget(metadata=meta["web"], spec=budget),
        )
        if runs:
            self.all_do_their_part(4)

    def _disturb(self) -> None:
        self.world.calm = False

    def _pod(self, number: int) -> list[Pod]:
        """One of those that an agent can say something of."""
        found = [pod for pod in self.world.reachable() if not ended(pod)]
        return [found[number % len(found)]] if found else []

    # people

    @rule(kind=st.sampled_from((Deployment, StatefulSet, DaemonSet)), number=NUMBERS)
    def edit_the_image(self, kind: type[Any], number: int) -> None:
        for found in self.world.cache.list(kind):
            labels = found.spec.template.metadata.labels
            spec = structs.replace(found.spec, template=template(f"image:{number % 3}", labels))
            self.world.apply((Update(defaulted(structs.replace(found, spec=spec))),))

    @rule(kind=st.sampled_from((Deployment, StatefulSet)), replicas=st.integers(0, 4))
    def scale(self, kind: type[Any], replicas: int) -> None:
        for found in self.world.cache.list(kind):
            spec = structs.replace(found.spec, replicas=replicas)
            self.world.apply((Update(structs.replace(found, spec=spec)),))

    @rule(paused=st.booleans())
    def pause(self, paused: bool) -> None:
        for found in self.world.cache.list(Deployment):
            spec = structs.replace(found.spec, paused=paused)
            self.world.apply((Update(structs.replace(found, spec=spec)),))

    @rule(kind=st.sampled_from((Deployment, StatefulSet, DaemonSet)), orphan=st.booleans())
    def delete_and_declare_again(self, kind: type[Any], orphan: bool) -> None:
        """As the folder does: what was deleted is made anew, and takes its orphans back."""
        self._disturb()
        for found in self.world.cache.list(kind):
            self.world.apply((Delete(ref_of(found), orphan=orphan),))
            for _ in range(50):
                if self.world.cache.find(ref_of(found)) is None or not self.world.step():
                    break
            metadata = ObjectMeta(name=found.metadata.name, namespace=found.metadata.namespace)
            if self.world.cache.find(ref_of(found)) is None:
                status = type(found.status)()
                self.world.apply((Create(structs.replace(found, metadata=metadata, status=status)),))

    @rule(number=NUMBERS, grace=st.sampled_from((None, 0)))
    def delete_a_pod(self, number: int, grace: int | None) -> None:
        self._disturb()
        for pod in self._pod(number):
            if grace != 0 or _may_be_forced(pod):
                self.world.try_to(Delete(ref_of(pod), grace_seconds=grace))

    @rule(number=NUMBERS)
    def evict_a_pod(self, number: int) -> None:
        """Within the budget, which is right as soon as the controllers are at rest."""
        self.world.settle()
        for pod in self._pod(number):
            price = taken(pod, self.world.cache, self.world.now)
            if isinstance(price, Blocked):
                continue
            self._disturb()
            self.world.apply((*price, Delete(ref_of(pod), uid=pod.metadata.uid)))
            if price:
                (budget,) = self.world.cache.list(PodDisruptionBudget)
                chosen = [one for one in self.world.pods() if one.metadata.labels.get("app") == LABELS["app"]]
                assert sum(ready(one) and active(one) for one in chosen) >= budget.status.desired_healthy

    # agents and machines

    @rule(number=NUMBERS)
    def place_and_serve_one(self, number: int) -> None:
        waiting = [pod for pod in self.world.pods() if not pod.spec.node_name]
        self.world.place(waiting[number % len(waiting) :][:1] if waiting else ())
        self.world.serve(self._pod(number))

    @rule()
    def place_and_serve_all(self) -> None:
        self.world.place(self.world.pods())
        self.world.serve(self.world.reachable())

    @rule(rounds=st.integers(1, 4))
    def all_do_their_part(self, rounds: int) -> None:
        """Else there would hardly ever be a fleet that runs, and could break."""
        for _ in range(rounds):
            self.world.settle()
            self.place_and_serve_all()
            self.world.end()
            self.world.settle()
            self.world.advance(2)

    @rule(name=st.sampled_from(NODES))
    def lose_a_node_for_long(self, name: str) -> None:
        self._disturb()
        self.world.connect(name, up=False)
        self.world.settle()
        self.world.advance(700)

    @rule(number=NUMBERS, phase=st.sampled_from(("Running", "Failed", "Succeeded")))
    def get_worse(self, number: int, phase: str) -> None:
        """Running: and no longer ready."""
        self._disturb()
        for pod in self._pod(number):
            if phase != "Succeeded" or pod.spec.restart_policy == "Never":
                self.world.report(pod, phase)

    @rule()
    def end_what_is_to_end(self) -> None:
        self.world.end()

    @rule(name=st.sampled_from(NODES), up=st.booleans())
    def cut_off_or_return(self, name: str, up: bool) -> None:
        self._disturb()
        self.world.connect(name, up=up)

    @rule(name=st.sampled_from(NODES))
    def scrap_a_node(self, name: str) -> None:
        self._disturb()
        self.world.scrap(name)

    @rule(name=st.sampled_from(NODES))
    def add_a_node(self, name: str) -> None:
        self._disturb()
        if self.world.cache.get(Node, "", name) is None:
            self.world.create(node(name))

    # the reconciler

    @rule(number=NUMBERS)
    def one_commit(self, number: int) -> None:
        self.world.step(lambda keys: keys[number % len(keys)])

    @rule(number=st.integers(1, 30))
    def some_commits(self, number: int) -> None:
        for _ in range(number):
            self.world.step()

    @rule()
    def settle(self) -> None:
        self.world.settle()

    @rule(seconds=st.sampled_from((1, 6, 45, 700)))
    def time_passes(self, seconds: int) -> None:
        self.world.advance(seconds)

    @rule()
    def start_anew(self) -> None:
        self.world.start_anew()
        self.has_lost = False

    @precondition(lambda self: self.world.queued)
    @rule(number=st.integers(1, 5))
    def lose_events(self, number: int) -> None:
        self.world.lose(number)
        self.has_lost = True

    @rule(number=st.integers(0, 99))
    def hear_an_event_twice(self, number: int) -> None:
        found = [*self.world.objects()]
        self.world.hear_again(found[number % len(found)])

    @invariant()
    def jobs_keep_to_their_parallelism(self) -> None:
        if hasattr(self, "world"):
            self.world.judge_jobs()

    # the end

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        world = self.world
        for name in NODES:
            if world.cache.get(Node, "", name) is None:
                world.create(node(name))
            world.connect(name, up=True)
        self.pause(False)
        if self.has_lost:
            world.start_anew()
        self._come_to_rest()
        self._assert_as_declared()
        assert world.orphans() == []
        commits = world.commits
        world.start_anew()
        world.settle()
        assert world.commits == commits, "a second pass over a converged state writes"

    def _come_to_rest(self) -> None:
        world = self.world
        for number in range(ROUNDS):
            world.settle()
            before = world.commits
            world.place(world.pods())
            world.serve(pod for pod in world.reachable() if not _works(pod))
            for pod in filter(_works, world.reachable()):
                if active(pod):
                    world.report(pod, "Succeeded")
            world.end()
            world.settle()
            world.advance(1 if number % 2 else 900)
            if world.commits == before and not world.queued:
                return
        raise AssertionError("does not come to rest")

    def _assert_as_declared(self) -> None:
        world = self.world
        for web in world.cache.list(Deployment):
            self._assert_kept(web, [web.spec.replicas or 0])
            assert web.status.updated_replicas == web.status.available_replicas == web.spec.replicas
        for db in world.cache.list(StatefulSet):
            self._assert_kept(db, [db.spec.replicas or 0])
            assert sorted(ordinal(db, pod) or 0 for pod in kept(world, db)) == [*range(db.spec.replicas or 0)]
            assert db.status.ready_replicas == db.spec.replicas
        for each in world.cache.list(DaemonSet):
            self._assert_kept(each, [len(NODES)])
            assert {pod.spec.node_name for pod in kept(world, each)} == set(NODES)
        for job in world.cache.list(Job):
            assert outcome(job) is not None
        serving = {pod.metadata.uid for web in world.cache.list(Deployment) for pod in kept(world, web)}
        endpoints = [each for one in world.cache.list(EndpointSlice) for each in one.endpoints]
        assert {each.target_ref.uid for each in endpoints if each.target_ref is not None} == serving

    def _assert_kept(self, owner: Any, numbers: list[int]) -> None:  # noqa: ANN401 - one of three kinds
        pods = kept(self.world, owner)
        assert len(pods) in numbers, f"{len(pods)} pods of {owner.kind} {owner.metadata.name}, not {numbers}"
        assert {_image(pod) for pod in pods} <= {owner.spec.template.spec.containers[0].image}


def _image(pod: Pod) -> str:
    return pod.spec.containers[0].image


def _works(pod: Pod) -> bool:
    """Of the Job."""
    return pod.spec.restart_policy == "Never"


def _may_be_forced(pod: Pod) -> bool:
    """Who removes a pod by force vouches that it does not run: nobody does so here for a name that must run once."""
    return "statefulset.kubernetes.io/pod-name" not in pod.metadata.labels


TestHistories = Histories.TestCase
TestHistories.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=60 if EXAMPLES > 100 else 30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],  # That is the machine's affair.
)
