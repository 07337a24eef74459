"""Statuses as a kubelet reports them."""

from datetime import timedelta
from typing import Any

import pytest

from nodeagent.pods.actions import Decision, Failure
from nodeagent.pods.fieldpaths import PodFacts
from nodeagent.pods.lifecycle import decide, remember
from nodeagent.pods.memory import PodMemory, Verdict
from nodeagent.pods.node import NodeFacts
from nodeagent.pods.observed import observed
from nodeagent.pods.situation import Situation
from nodeagent.pods.status import Story, status_of
from nodeagent.runtime.interface import Container, Sandbox, State
from schemas.core.pod import Pod
from schemas.core.podstatus import PodStatus
from tests.unit.nodeagent.pods.builders import pod
from tests.unit.nodeagent.pods.virtual import START

NODE = NodeFacts(name="node-1", addresses=("10.0.0.1",))
INITS = [{"name": "prep", "image": "p:1"}, {"name": "car", "image": "c:1", "restartPolicy": "Always"}]


def one(name: str, state: State, code: int = 0, attempt: int = 0, **fields: Any) -> Container:  # noqa: ANN401
    return Container(
        id=f"{name}{attempt}",
        sandbox_id="s",
        name=name,
        attempt=attempt,
        state=state,
        image=f"{name}:1",
        image_id="sha256:1",
        created_at=START,
        started_at=START,
        exit_code=code,
        **fields,
    )


def tell(of: Pod, *containers: Container, before: PodStatus | None = None, **changes: Any) -> PodStatus:  # noqa: ANN401
    sandbox = Sandbox(
        id="s", uid="u1", namespace="default", name="web", attempt=0, ready=True, created_at=START, ips=("10.1.0.5",)
    )
    seconds = changes.pop("seconds", 0)
    situation = Situation(
        pod=of, observed=observed([sandbox], containers), memory=PodMemory(volumes_ready=True), now=0.0, **changes
    )
    situation = Situation(
        **{name: getattr(situation, name) for name in situation.__struct_fields__} | {"memory": remember(situation)}
    )
    story = Story(
        decision=decide(situation),
        facts=PodFacts(of, NODE, ("10.1.0.5",)),
        now=START + timedelta(seconds=seconds),
        start_time=START,
        before=before or PodStatus(),
    )
    return status_of(situation, story)


def conditions(status: PodStatus) -> dict[str, tuple[str, str, str]]:
    return {one.type: (one.status, one.reason, one.message) for one in status.conditions}


RUNNING, EXITED, CREATED = State.RUNNING, State.EXITED, State.CREATED


@pytest.mark.parametrize(
    ("spec", "containers", "phase"),
    [
        pytest.param({}, [], "Pending", id="nothing yet"),
        pytest.param({}, [one("main", CREATED)], "Pending", id="only made"),
        pytest.param({}, [one("main", RUNNING)], "Running", id="running"),
        pytest.param({}, [one("main", EXITED, 1)], "Running", id="crashed, always again"),
        pytest.param(
            {"restartPolicy": "OnFailure"}, [one("main", EXITED, 1)], "Running", id="crashed, again on failure"
        ),
        pytest.param({"restartPolicy": "Never"}, [one("main", EXITED, 1)], "Failed", id="failed"),
        pytest.param({"restartPolicy": "Never"}, [one("main", EXITED)], "Succeeded", id="succeeded"),
        pytest.param({"restartPolicy": "OnFailure"}, [one("main", EXITED)], "Succeeded", id="succeeded on failure"),
        pytest.param({"initContainers": INITS[:1]}, [one("prep", RUNNING)], "Pending", id="initialising"),
        pytest.param(
            {"initContainers": INITS[:1], "restartPolicy": "Never"},
            [one("prep", EXITED, 1)],
            "Failed",
            id="init failed",
        ),
        pytest.param({"initContainers": INITS[:1]}, [one("prep", EXITED, 1)], "Pending", id="init failed, tried again"),
        pytest.param(
            {"initContainers": INITS[1:], "restartPolicy": "Never"},
            [one("car", RUNNING), one("main", EXITED)],
            "Running",
            id="a sidecar still runs",
        ),
        pytest.param(
            {"initContainers": INITS[1:], "restartPolicy": "Never"},
            [one("car", EXITED, 137), one("main", EXITED)],
            "Succeeded",
            id="how a sidecar ended does not count",
        ),
    ],
)
def test_the_phase_follows_from_the_containers(spec: dict[str, Any], containers: list[Container], phase: str) -> None:
    assert tell(pod(**spec), *containers).phase == phase


def test_a_running_pod_has_every_condition() -> None:
    status = tell(pod(), one("main", RUNNING))
    assert [each.type for each in status.conditions] == [
        "PodReadyToStartContainers",
        "Initialized",
        "Ready",
        "ContainersReady",
        "PodScheduled",
    ]
    assert all(each.status == "True" and each.observed_generation == 1 for each in status.conditions)
    assert (status.pod_ip, status.host_ip, status.qos_class) == ("10.1.0.5", "10.0.0.1", "BestEffort")
    main = status.container_statuses[0]
    assert (main.ready, main.started, main.restart_count, main.container_id) == (True, True, 0, "containerd://main0")


def test_a_pod_that_was_not_begun_waits_in_the_kubelets_words() -> None:
    plain = tell(pod()).container_statuses[0].state
    behind = tell(pod(initContainers=INITS)).container_statuses[0].state
    assert plain
    assert behind
    assert plain.waiting
    assert behind.waiting
    assert (plain.waiting.reason, behind.waiting.reason) == ("ContainerCreating", "PodInitializing")
    assert conditions(tell(pod(initContainers=INITS)))["Initialized"] == (
        "False",
        "ContainersNotInitialized",
        "containers with incomplete status: [prep car]",
    )


def test_an_unready_container_is_named() -> None:
    status = tell(pod(), one("main", RUNNING), verdicts={"main0": Verdict(ready=False)})
    told = ("False", "ContainersNotReady", "containers with unready status: [main]")
    assert conditions(status)["Ready"] == told
    assert conditions(status)["ContainersReady"] == told


def test_a_pod_that_succeeded_is_completed() -> None:
    status = tell(pod(restartPolicy="Never"), one("main", EXITED))
    assert conditions(status)["Ready"] == ("False", "PodCompleted", "")
    assert conditions(status)["Initialized"] == ("True", "PodCompleted", "")
    assert status.container_statuses[0].state
    assert status.container_statuses[0].state.terminated
    assert status.container_statuses[0].state.terminated.reason == "Completed"


def test_a_readiness_gate_that_nobody_opens_is_said() -> None:
    status = tell(pod(readinessGates=[{"conditionType": "x/y"}]), one("main", RUNNING))
    assert conditions(status)["Ready"] == (
        "False",
        "ReadinessGatesNotReady",
        'corresponding condition of pod readiness gate "x/y" does not exist.',
    )
    assert conditions(status)["ContainersReady"][0] == "True"


def test_a_container_that_runs_again_shows_how_it_ended_before() -> None:
    status = tell(pod(), one("main", EXITED, 3), one("main", RUNNING, attempt=1)).container_statuses[0]
    assert status.restart_count == 1
    assert status.last_state
    assert status.last_state.terminated
    assert (status.last_state.terminated.exit_code, status.last_state.terminated.reason) == (3, "Error")


def test_conditions_keep_their_times_until_their_status_changes() -> None:
    first = tell(pod(), one("main", RUNNING))
    later = tell(pod(), one("main", RUNNING), before=first, seconds=60)
    assert later.conditions == first.conditions
    unready = tell(pod(), one("main", RUNNING), before=first, seconds=60, verdicts={"main0": Verdict(ready=False)})
    times = {each.type: each.last_transition_time for each in unready.conditions}
    assert times["Ready"] == START + timedelta(seconds=60)
    assert times["Initialized"] == START


def test_a_pod_past_its_deadline_fails_with_the_reason() -> None:
    memory = PodMemory(volumes_ready=True, failure=Failure("DeadlineExceeded", "too long"))
    situation = Situation(pod=pod(), observed=observed([], []), memory=memory, now=0.0)
    decision = decide(situation)
    assert isinstance(decision, Decision)
    status = status_of(situation, Story(decision=decision, facts=PodFacts(pod(), NODE), now=START, start_time=START))
    assert (status.phase, status.reason, status.message) == ("Failed", "DeadlineExceeded", "too long")
