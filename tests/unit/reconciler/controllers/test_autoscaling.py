"""As many replicas as the load asks for: https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from reconciler.controllers import deployment, replicaset
from reconciler.controllers.horizontalpodautoscaler import PERIOD, horizontalpodautoscaler
from reconciler.controllers.hpabehaviour import At, History, bounded
from reconciler.controllers.hpametrics import Aim, Sample, Tolerance, Unmeasurable, propose
from reconciler.store.changes import Update, UpdateStatus
from schemas.apps import Deployment
from schemas.autoscaling import (
    CrossVersionObjectReference,
    HorizontalPodAutoscaler,
    HorizontalPodAutoscalerBehavior,
    HorizontalPodAutoscalerSpec,
    HPAScalingPolicy,
    HPAScalingRules,
    MetricIdentifier,
    MetricSpec,
    MetricTarget,
    PodsMetricSource,
    ResourceMetricSource,
)
from schemas.core.event import Event
from schemas.core.pod import Pod
from schemas.messages import MetricsBatch, PodUsage, Usage
from schemas.meta import ManagedFieldsEntry, ObjectMeta
from tests.unit.reconciler.controllers import builders
from tests.unit.reconciler.controllers.world import START, World, with_phase

LONG_AGO = START - timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def ready_pod(name: str, *, ready: bool = True, phase: str = "Running") -> Pod:
    found = with_phase(builders.pod(name), phase, LONG_AGO, ready=ready)
    return structs.replace(found, status=structs.replace(found.status, start_time=LONG_AGO))


def samples(*used: int | None) -> dict[str, Sample]:
    return {f"p{index}": Sample(milli, START, MINUTE) for index, milli in enumerate(used) if milli is not None}


def replicas_for(
    used: Sequence[int | None], *, target: int = 50, request: int = 1_000, unready: int = 0, resource: str = "cpu"
) -> int:
    """Of pods that use so many thousandths of what they request; the last ones are not ready."""
    number = len(used)
    pods = [ready_pod(f"p{index}", ready=index < number - unready) for index in range(number)]
    requests = {pod.metadata.name: request for pod in pods}
    found = propose(resource, Aim(utilization=target), number, pods, samples(*used), requests, Tolerance(), START)
    return found.replicas


@pytest.mark.parametrize(
    ("used", "expected"),
    [
        pytest.param([500, 500, 500], 3, id="as aimed at"),
        pytest.param([540, 540, 540], 3, id="within a tenth above"),
        pytest.param([460, 460, 460], 3, id="within a tenth below"),
        pytest.param([900, 900, 900], 6, id="up, rounded up"),
        pytest.param([100, 100, 100], 1, id="down, rounded up"),
        pytest.param([0, 0, 0], 0, id="nothing is used"),
        pytest.param([1_000, None, None], 3, id="up: what is not known uses nothing"),
        pytest.param([1_000, 1_000, 1_000, None], 6, id="up all the same"),
        pytest.param([100, 100, 100, None], 3, id="down: what is not known uses all that it requests"),
        pytest.param([100, None, None], 3, id="down: never over the target by guesses"),
    ],
)
def test_a_percentage_of_the_requests(used: list[int | None], expected: int) -> None:
    assert replicas_for(used) == expected


def test_pods_that_are_not_ready_use_nothing_when_it_goes_up() -> None:
    pods = [ready_pod("p0"), ready_pod("p1"), ready_pod("p2", phase="Pending")]
    requests = {pod.metadata.name: 1_000 for pod in pods}
    aim = Aim(utilization=50)
    up = propose("cpu", aim, 3, pods, samples(1_000, 1_000), requests, Tolerance(), START)
    assert up.replicas == 4
    down = propose("cpu", aim, 3, pods, samples(200, 200), requests, Tolerance(), START)
    assert down.replicas == 1


def test_a_pod_that_has_just_started_tells_nothing_of_its_load() -> None:
    warm, cold = ready_pod("p0"), ready_pod("p1")
    cold = structs.replace(cold, status=structs.replace(cold.status, start_time=START - MINUTE))
    changed = structs.replace(cold.status.conditions[0], last_transition_time=START - MINUTE / 2)
    cold = structs.replace(cold, status=structs.replace(cold.status, conditions=(changed,)))
    requests = {"p0": 1_000, "p1": 1_000}
    found = propose("cpu", Aim(utilization=50), 2, [warm, cold], samples(500, 3_000), requests, Tolerance(), START)
    assert found.replicas == 2
    found = propose("memory", Aim(utilization=50), 2, [warm, cold], samples(500, 1_500), requests, Tolerance(), START)
    assert found.replicas == 4


def test_an_amount_of_each_pod() -> None:
    pods = [ready_pod(f"p{index}") for index in range(2)]
    found = propose("memory", Aim(milli=100), 2, pods, samples(300, 100), {}, Tolerance(), START)
    assert (found.replicas, found.utilization, found.average_milli) == (4, None, 200)


@pytest.mark.parametrize(
    ("pods", "used", "message"),
    [
        pytest.param([ready_pod("p0")], [], "no metrics returned from resource metrics API", id="none"),
        pytest.param([], [1], "no pods returned by selector", id="no pods"),
        pytest.param([ready_pod("p0", phase="Pending")], [1], "did not receive metrics for targeted pods", id="cold"),
    ],
)
def test_where_nothing_can_be_told(pods: list[Pod], used: list[int], message: str) -> None:
    with pytest.raises(Unmeasurable, match=message):
        propose("cpu", Aim(utilization=50), 1, pods, samples(*used), {"p0": 1}, Tolerance(), START)


def rules(*policies: tuple[str, int, int], window: int = 0, select: str = "Max") -> HPAScalingRules:
    built = tuple(HPAScalingPolicy(period_seconds=period, type=type_, value=value) for type_, value, period in policies)
    return HPAScalingRules(policies=built, select_policy=select, stabilization_window_seconds=window)


USUAL = rules(("Pods", 4, 15), ("Percent", 100, 15))


def behaviour(up: HPAScalingRules = USUAL, down: HPAScalingRules = USUAL) -> HorizontalPodAutoscalerBehavior:
    return HorizontalPodAutoscalerBehavior(scale_down=down, scale_up=up)


def ago(seconds: float, replicas: int) -> At:
    return At(START - timedelta(seconds=seconds), replicas)


@pytest.mark.parametrize(
    ("rules_", "current", "wanted", "history", "expected"),
    [
        pytest.param(None, 3, 5, History(), (5, "ReadyForNewScale", "DesiredWithinRange"), id="free"),
        pytest.param(None, 3, 20, History(), (6, "ReadyForNewScale", "ScaleUpLimit"), id="at most twice as many"),
        pytest.param(None, 1, 20, History(), (4, "ReadyForNewScale", "ScaleUpLimit"), id="or four"),
        pytest.param(None, 9, 20, History(), (10, "ReadyForNewScale", "TooManyReplicas"), id="the maximum"),
        pytest.param(None, 3, 0, History(), (2, "ReadyForNewScale", "TooFewReplicas"), id="the minimum"),
        pytest.param(
            None, 6, 2, History((ago(200, 5),)), (5, "ScaleDownStabilized", "DesiredWithinRange"), id="slowly down"
        ),
        pytest.param(None, 6, 2, History((ago(301, 5),)), (2, "ReadyForNewScale", "DesiredWithinRange"), id="at last"),
        pytest.param(behaviour(), 3, 10, History(), (7, "ReadyForNewScale", "ScaleUpLimit"), id="four more"),
        pytest.param(behaviour(), 5, 10, History(), (10, "ReadyForNewScale", "DesiredWithinRange"), id="or double"),
        pytest.param(
            behaviour(), 7, 10, History(changes=(ago(10, 4),)), (7, "ReadyForNewScale", "ScaleUpLimit"), id="spent"
        ),
        pytest.param(
            behaviour(rules(("Pods", 1, 60), ("Percent", 100, 60), select="Min")),
            4,
            10,
            History(),
            (5, "ReadyForNewScale", "ScaleUpLimit"),
            id="the least of several",
        ),
        pytest.param(
            behaviour(rules(select="Disabled")),
            4,
            10,
            History(),
            (4, "ReadyForNewScale", "ScaleUpLimit"),
            id="never up",
        ),
        pytest.param(
            behaviour(down=rules(("Pods", 1, 60))), 8, 2, History(), (7, "ReadyForNewScale", "ScaleDownLimit"), id="one"
        ),
        pytest.param(
            behaviour(down=rules(("Percent", 10, 60))),
            8,
            2,
            History(),
            (7, "ReadyForNewScale", "ScaleDownLimit"),
            id="a percentage down rounds down",
        ),
        pytest.param(
            behaviour(rules(("Pods", 9, 15), window=60)),
            3,
            9,
            History((ago(30, 5),)),
            (5, "ScaleUpStabilized", "DesiredWithinRange"),
            id="a window upwards",
        ),
    ],
)
def test_how_fast_it_may_go(
    rules_: HorizontalPodAutoscalerBehavior | None,
    current: int,
    wanted: int,
    history: History,
    expected: tuple[int, str, str],
) -> None:
    found = bounded(rules_, current, wanted, 2, 10, history, START)
    assert (found.replicas, found.able[0], found.limited[0]) == expected


@settings(max_examples=100, deadline=None)
@given(
    rules_=st.sampled_from([None, behaviour(), behaviour(rules(("Percent", 10, 60), window=30, select="Min"))]),
    current=st.integers(1, 20),
    wanted=st.integers(0, 60),
    before=st.lists(st.tuples(st.integers(0, 600), st.integers(0, 40)), max_size=5),
)
def test_it_stays_within_minimum_and_maximum_and_on_its_way(
    rules_: HorizontalPodAutoscalerBehavior | None, current: int, wanted: int, before: list[tuple[int, int]]
) -> None:
    found = bounded(rules_, current, wanted, 1, 20, History(tuple(ago(*one) for one in before)), START)
    assert 1 <= found.replicas <= 20
    assert min(current, wanted, *(one for _, one in before)) <= max(found.replicas, 1)


class Reports:
    """Plays the agents' reports: what each pod uses of cpu, in thousandths."""

    def __init__(self) -> None:
        self.batches: Mapping[str, MetricsBatch] = {}

    def __call__(self) -> Mapping[str, MetricsBatch]:
        return self.batches

    def tell(self, world: World, milli: int) -> None:
        pods = tuple(PodUsage(pod.metadata.uid, {"c": Usage(milli * 1_000_000, 1_000)}) for pod in world.pods())
        self.batches = {"n1": MetricsBatch(1, world.now, 15.0, Usage(0, 0), pods)}


def autoscaler(*metrics: MetricSpec) -> HorizontalPodAutoscaler:
    cpu = MetricSpec(
        type="Resource",
        resource=ResourceMetricSource(name="cpu", target=MetricTarget(type="Utilization", average_utilization=50)),
    )
    return HorizontalPodAutoscaler(
        metadata=ObjectMeta(name="web", namespace="default"),
        spec=HorizontalPodAutoscalerSpec(
            max_replicas=6,
            min_replicas=2,
            metrics=metrics or (cpu,),
            scale_target_ref=CrossVersionObjectReference("Deployment", "web", "apps/v1"),
        ),
    )


def world_under_load(*metrics: MetricSpec) -> tuple[World, Reports]:
    reports = Reports()
    world = World((deployment.CONTROLLER, replicaset.CONTROLLER, horizontalpodautoscaler(reports)))
    declared = builders.deployment(3)
    template = structs.replace(declared.spec.template, spec=builders.pod(requests={"cpu": "1"}).spec)
    world.create(structs.replace(declared, spec=structs.replace(declared.spec, template=template)))
    world.settle()
    run(world)
    reports.tell(world, 500)
    world.create(autoscaler(*metrics))
    world.settle()
    reports.tell(world, 500)
    world.advance(PERIOD)
    return world, reports


def run(world: World) -> None:
    for pod in world.pods():
        if not pod.spec.node_name:
            world.apply((Update(structs.replace(pod, spec=structs.replace(pod.spec, node_name="n1"))),))
            bound = world.get(Pod, "default", pod.metadata.name)
            told = with_phase(bound, "Running", LONG_AGO, ready=True)
            status = structs.replace(told.status, start_time=LONG_AGO)
            world.apply((UpdateStatus(structs.replace(told, status=status)),))
    world.settle()


def replicas(world: World) -> int | None:
    return world.get(Deployment, "default", "web").spec.replicas


def conditions(world: World) -> dict[str, tuple[str, str]]:
    found = world.get(HorizontalPodAutoscaler, "default", "web").status.conditions
    return {one.type: (one.status, one.reason) for one in found}


def look(world: World, reports: Reports, milli: int) -> int | None:
    reports.tell(world, milli)
    world.advance(PERIOD)
    run(world)
    return replicas(world)


def test_it_goes_up_at_once_and_down_after_five_minutes() -> None:
    world, reports = world_under_load()
    assert replicas(world) == 3
    assert look(world, reports, 900) == 6
    assert conditions(world)["AbleToScale"] == ("True", "SucceededRescale")
    assert look(world, reports, 100) == 6
    assert conditions(world)["AbleToScale"] == ("True", "ScaleDownStabilized")
    for _ in range(int(300 / PERIOD) + 1):
        look(world, reports, 100)
    assert replicas(world) == 2
    assert conditions(world)["ScalingLimited"] in {("True", "TooFewReplicas"), ("False", "DesiredWithinRange")}
    assert {one.reason for one in world.cache.list(Event) if one.involved_object.kind.startswith("Hor")} == {
        "SuccessfulRescale"
    }


def test_while_the_load_is_the_same_nothing_is_written() -> None:
    world, reports = world_under_load()
    look(world, reports, 500)
    before = world.commits
    for _ in range(4):
        look(world, reports, 500)
    assert world.commits == before
    assert conditions(world) == {
        "AbleToScale": ("True", "ReadyForNewScale"),
        "ScalingActive": ("True", "ValidMetricFound"),
        "ScalingLimited": ("False", "DesiredWithinRange"),
    }
    status = world.get(HorizontalPodAutoscaler, "default", "web").status
    assert status.current_metrics[0].resource is not None
    assert status.current_metrics[0].resource.current.average_utilization == 50


def test_metrics_that_nobody_serves_are_told_and_stop_only_the_way_down() -> None:
    elsewhere = MetricSpec(
        type="Pods",
        pods=PodsMetricSource(metric=MetricIdentifier("hits"), target=MetricTarget("AverageValue", average_value="1")),
    )
    world, reports = world_under_load(elsewhere)
    assert conditions(world)["ScalingActive"] == ("False", "FailedGetPodsMetric")
    cpu = autoscaler().spec.metrics[0]
    world, reports = world_under_load(elsewhere, cpu)
    assert look(world, reports, 100) == 3
    assert look(world, reports, 900) == 6


def test_reports_that_are_old_tell_nothing() -> None:
    world, _ = world_under_load()
    world.advance(3 * 60)
    assert conditions(world)["ScalingActive"] == ("False", "FailedGetResourceMetric")
    assert replicas(world) == 3


def test_replicas_that_a_manifest_declares_are_left_alone_and_that_is_said() -> None:
    world, reports = world_under_load()
    found = world.get(Deployment, "default", "web")
    entry = ManagedFieldsEntry(fields_v1={"f:spec": {"f:replicas": {}}}, manager="wherry", operation="Apply")
    annotations = {"wherry.dev/source": "apps/web.yaml:3"}
    metadata = structs.replace(found.metadata, managed_fields=(entry,), annotations=annotations)
    world.apply((Update(structs.replace(found, metadata=metadata)),))
    assert look(world, reports, 900) == 3
    assert conditions(world)["AbleToScale"] == ("False", "FailedUpdateScale")
    told = [one.message for one in world.cache.list(Event) if one.reason == "FailedRescale"]
    assert told == [
        "New size: 6; reason: cpu resource utilization (percentage of request) above target; error: spec.replicas of "
        "Deployment web is declared in apps/web.yaml:3: take it out there to leave it to the autoscaler"
    ]


def test_a_target_that_is_not_there_is_said() -> None:
    world = World((horizontalpodautoscaler(dict),))
    world.create(autoscaler())
    world.settle()
    world.advance(PERIOD)
    assert conditions(world) == {"AbleToScale": ("False", "FailedGetScale")}


def test_a_new_one_is_first_looked_at_after_a_period() -> None:
    world = World((horizontalpodautoscaler(dict),))
    world.create(autoscaler())
    world.settle()
    world.advance(PERIOD - 1)
    assert conditions(world) == {}
    world.advance(1)
    assert conditions(world)


def test_a_metric_that_cannot_be_had_and_what_follows_are_told_by_an_event_each() -> None:
    world, _ = world_under_load()
    world.advance(3 * 60)
    told = {one.reason: one.message for one in world.cache.list(Event) if one.involved_object.kind.startswith("Hor")}
    missing = "unable to get metrics for resource cpu: no metrics returned from resource metrics API"
    why = f"failed to get cpu utilization: {missing}"
    first = "invalid metrics (1 invalid out of 1), first error is: failed to get cpu resource metric value"
    assert told == {"FailedGetResourceMetric": why, "FailedComputeMetricsReplicas": f"{first}: {why}"}
