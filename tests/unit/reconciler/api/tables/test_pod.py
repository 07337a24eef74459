from typing import Any

import pytest

from reconciler.api.tables import LAYOUTS
from reconciler.api.tables.pod import summarise
from tests.unit.reconciler.api.builders import NOW, ago, object_of

RUNNING = {"running": {"startedAt": ago(minutes=1)}}


def waiting(reason: str) -> dict[str, Any]:
    return {"waiting": {"reason": reason}}


def ended(code: int = 0, reason: str = "", signal: int = 0) -> dict[str, Any]:
    return {"terminated": {"exitCode": code, "reason": reason, "signal": signal, "finishedAt": ago(seconds=30)}}


def container(state: dict[str, Any], *, ready: bool = False, restarts: int = 0, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"image": "i", "imageID": "", "name": "c", "state": state, "ready": ready, "restartCount": restarts} | more


def pod(
    *containers: dict[str, Any],
    init: tuple[dict[str, Any], ...] = (),
    phase: str = "Running",
    sidecar: bool = False,
    spec: dict[str, Any] | None = None,
    **status: Any,  # noqa: ANN401
) -> Any:  # noqa: ANN401
    init_spec = [{"name": f"i{n}", "restartPolicy": "Always" if sidecar else ""} for n in range(len(init))]
    named = [entry | {"name": f"i{n}"} for n, entry in enumerate(init)]
    return object_of(
        {
            "kind": "Pod",
            "metadata": {"name": "p", "creationTimestamp": ago(hours=1)},
            "spec": {"containers": [{"name": "c"}] * max(len(containers), 1), "initContainers": init_spec}
            | (spec or {}),
            "status": {"phase": phase, "containerStatuses": containers, "initContainerStatuses": named} | status,
        }
    )


READY = {"type": "Ready", "status": "True"}
INITIALISED = {"type": "Initialized", "status": "True"}


@pytest.mark.parametrize(
    ("subject", "status", "ready"),
    [
        pytest.param(pod(phase="Pending"), "Pending", "0/1", id="not yet bound"),
        pytest.param(pod(container(RUNNING, ready=True)), "Running", "1/1", id="running"),
        pytest.param(pod(container(waiting("ContainerCreating"))), "ContainerCreating", "0/1", id="creating"),
        pytest.param(pod(container(waiting("CrashLoopBackOff"))), "CrashLoopBackOff", "0/1", id="crash loop"),
        pytest.param(pod(container(waiting("ImagePullBackOff"))), "ImagePullBackOff", "0/1", id="no image"),
        pytest.param(pod(container(ended(1, "Error"))), "Error", "0/1", id="failed"),
        pytest.param(pod(container(ended(3))), "ExitCode:3", "0/1", id="failed without a reason"),
        pytest.param(pod(container(ended(0, "", 9))), "Signal:9", "0/1", id="killed"),
        pytest.param(pod(container(ended(0, "Completed")), phase="Succeeded"), "Completed", "0/1", id="completed"),
        pytest.param(
            pod(container(ended(0, "Completed")), container(RUNNING, ready=True)),
            "NotReady",
            "1/2",
            id="half completed",
        ),
        pytest.param(
            pod(container(ended(0, "Completed")), container(RUNNING, ready=True), conditions=[READY]),
            "Running",
            "1/2",
            id="half completed and ready",
        ),
        pytest.param(pod(phase="Failed", reason="Evicted"), "Evicted", "0/1", id="evicted"),
        pytest.param(
            pod(phase="Pending", conditions=[{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]),
            "SchedulingGated",
            "0/1",
            id="gated",
        ),
        pytest.param(
            pod(init=(container(waiting("PodInitializing")), container(waiting("")))),
            "Init:0/2",
            "0/1",
            id="first init",
        ),
        pytest.param(
            pod(init=(container(ended(0, "Completed")), container(RUNNING))), "Init:1/2", "0/1", id="second init"
        ),
        pytest.param(
            pod(init=(container(waiting("CrashLoopBackOff")),)), "Init:CrashLoopBackOff", "0/1", id="init crash loop"
        ),
        pytest.param(pod(init=(container(ended(1, "Error")),)), "Init:Error", "0/1", id="init failed"),
        pytest.param(pod(init=(container(ended(2)),)), "Init:ExitCode:2", "0/1", id="init failed without a reason"),
        pytest.param(pod(init=(container(ended(1, "", 15)),)), "Init:Signal:15", "0/1", id="init killed"),
        pytest.param(
            pod(container(RUNNING, ready=True), init=(container(RUNNING, ready=True, started=True),), sidecar=True),
            "Running",
            "2/2",
            id="with a sidecar",
        ),
    ],
)
def test_the_status_column_sums_up_a_pod(subject: Any, status: str, ready: str) -> None:  # noqa: ANN401
    summary = summarise(subject)
    assert (summary.status, f"{summary.ready}/{summary.total}") == (status, ready)


@pytest.mark.parametrize(
    ("status", "shown"),
    [
        pytest.param({"phase": "Running"}, "Terminating", id="ending"),
        pytest.param({"phase": "Running", "reason": "NodeLost"}, "Unknown", id="on a lost node"),
        pytest.param({"phase": "Succeeded"}, "Succeeded", id="already ended"),
    ],
)
def test_a_pod_that_is_deleted_is_terminating(status: dict[str, str], shown: str) -> None:
    metadata = {"name": "p", "deletionTimestamp": ago(seconds=1)}
    subject = object_of(
        {"kind": "Pod", "metadata": metadata, "spec": {"containers": [{"name": "c"}]}, "status": status}
    )
    assert summarise(subject).status == shown


def test_restarts_of_init_containers_no_longer_count_once_the_pod_is_initialised() -> None:
    init = (container(ended(0, "Completed"), restarts=3),)
    running = container(RUNNING, ready=True, restarts=1, lastState=ended(1, "Error"))
    assert summarise(pod(running, init=init, conditions=[INITIALISED])).restarts == 1
    assert summarise(pod(init=(container(waiting("CrashLoopBackOff"), restarts=3),))).restarts == 3


def test_a_row_says_when_the_last_restart_was() -> None:
    subject = pod(container(RUNNING, ready=True, restarts=2, lastState=ended(1, "Error")), podIP="10.0.0.7")
    cells = LAYOUTS["Pod"].cells(subject, NOW)
    assert cells == ("p", "1/1", "Running", "2 (30s ago)", "60m", "10.0.0.7", "<none>", "<none>", "<none>")


def test_readiness_gates_are_counted() -> None:
    gates = {"readinessGates": [{"conditionType": "a"}, {"conditionType": "b"}], "nodeName": "n"}
    subject = pod(container(RUNNING), spec=gates, conditions=[{"type": "a", "status": "True"}])
    assert LAYOUTS["Pod"].cells(subject, NOW)[-1] == "1/2"
