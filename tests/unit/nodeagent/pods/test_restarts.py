"""Which containers run again, by their own policy, their pod's, and their rules by exit code."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from msgspec import structs

from nodeagent.pods.observed import observed
from nodeagent.pods.situation import has_run_out, restarts
from nodeagent.runtime.interface import Sandbox, State
from tests.unit.nodeagent.pods.builders import Node, pod
from tests.unit.nodeagent.pods.test_status import one
from tests.unit.nodeagent.pods.virtual import START, until

Play = Callable[..., None]


def rule(action: str, operator: str, *values: int) -> dict[str, Any]:
    return {"action": action, "exitCodes": {"operator": operator, "values": list(values)}}


RETRIABLE = {"restartPolicy": "Never", "restartPolicyRules": [rule("Restart", "In", 42, 43)]}


@pytest.mark.parametrize(
    ("of_pod", "of_container", "code", "again"),
    [
        pytest.param("Always", {}, 0, True, id="the pod's policy"),
        pytest.param("Always", {"restartPolicy": "Never"}, 1, False, id="its own goes before"),
        pytest.param("Never", {"restartPolicy": "Always"}, 0, True, id="its own, always"),
        pytest.param("Never", {"restartPolicy": "OnFailure"}, 0, False, id="its own, on failure, success"),
        pytest.param("Never", {"restartPolicy": "OnFailure"}, 3, True, id="its own, on failure, failure"),
        pytest.param("Never", RETRIABLE, 42, True, id="a rule speaks of the code"),
        pytest.param("Never", RETRIABLE, 1, False, id="no rule does"),
        pytest.param(
            "Never",
            {"restartPolicy": "Never", "restartPolicyRules": [rule("Restart", "NotIn", 0, 1)]},
            137,
            True,
            id="a rule of what it is not",
        ),
    ],
)
def test_a_main_container_runs_again_as_policy_and_rules_say(
    of_pod: str, of_container: dict[str, Any], code: int, again: bool
) -> None:
    told = pod(restartPolicy=of_pod, containers=[{"name": "main", "image": "app:1", **of_container}])
    assert restarts(told, told.spec.containers[0], one("main", State.EXITED, code)) is again


@pytest.mark.parametrize(
    ("of_pod", "of_container", "code", "again"),
    [
        pytest.param("Always", {}, 0, False, id="success is final"),
        pytest.param("Always", {}, 1, True, id="failure is tried again"),
        pytest.param("Always", {"restartPolicy": "Never"}, 1, False, id="its own policy"),
        pytest.param("Never", {"restartPolicy": "OnFailure"}, 1, True, id="its own, on failure"),
        pytest.param("Never", RETRIABLE, 43, True, id="a rule"),
        pytest.param(
            "Never",
            {"restartPolicy": "Never", "restartPolicyRules": [rule("Restart", "In", 0)]},
            0,
            False,
            id="no rule repeats success",
        ),
    ],
)
def test_an_init_container_runs_again_as_policy_and_rules_say(
    of_pod: str, of_container: dict[str, Any], code: int, again: bool
) -> None:
    told = pod(restartPolicy=of_pod, initContainers=[{"name": "prep", "image": "p:1", **of_container}])
    assert restarts(told, told.spec.init_containers[0], one("prep", State.EXITED, code)) is again


def test_a_pod_ends_when_the_last_container_that_shall_not_run_again_has(play: Play) -> None:
    containers = [{"name": "main", "image": "app:1", **RETRIABLE}, {"name": "side", "image": "s:1"}]

    async def scene(node: Node) -> None:
        node.accept(pod(restartPolicy="Never", containers=containers))
        await until(node.is_ready)
        node.runtime.crash((await node.running("main"))[0].id, 42)
        await until(lambda: node.container("main").restart_count == 1 and node.is_ready())
        node.runtime.crash((await node.running("side"))[0].id, 0)
        node.runtime.crash((await node.running("main"))[0].id, 7)
        await until(lambda: node.status().phase == "Failed")

    play(scene)


def test_a_rule_may_ask_that_all_containers_begin_anew(play: Play) -> None:
    inits = [{"name": "prep", "image": "p:1"}, {"name": "car", "image": "c:1", "restartPolicy": "Always"}]
    asking = {"restartPolicy": "Never", "restartPolicyRules": [rule("RestartAllContainers", "In", 88)]}
    containers = [{"name": "main", "image": "app:1", **asking}, {"name": "side", "image": "s:1"}]

    async def begun(node: Node, count: int) -> None:
        await until(lambda: node.status().init_container_statuses != () and _runs(node, "prep"), 60)
        node.runtime.crash((await node.running("prep"))[0].id, 0)
        await until(node.is_ready)
        assert [node.container(name).restart_count for name in ("prep", "car", "main", "side")] == [count] * 4

    async def scene(node: Node) -> None:
        node.accept(pod(restartPolicy="Never", initContainers=inits, containers=containers))
        await begun(node, 0)
        sandboxes = [sandbox.id for sandbox in await node.runtime.list_sandboxes()]
        before = {container.id for container in await node.containers()}
        node.runtime.crash((await node.running("main"))[0].id, 88)
        await begun(node, 1)
        assert not before & {container.id for container in await node.containers()}
        assert [sandbox.id for sandbox in await node.runtime.list_sandboxes()] == sandboxes
        told = [status for _, status in node.reporter.history]
        first = next(i for i, status in enumerate(told) if _is_restarting(status))
        assert {status.phase for status in told[first:]} == {"Running"}
        assert not _is_restarting(told[-1])
        last = node.container("main").last_state
        assert last
        assert last.terminated
        assert last.terminated.exit_code == 88
        node.runtime.crash((await node.running("main"))[0].id, 88)
        asked = node.clock.monotonic()
        await begun(node, 2)
        assert node.clock.monotonic() - asked >= 10  # a pod that keeps asking waits, as a crashing container does

    play(scene)


def _runs(node: Node, name: str) -> bool:
    state = node.container(name).state
    return state is not None and state.running is not None


def _is_restarting(status: Any) -> bool:  # noqa: ANN401
    return any(one.type == "AllContainersRestarting" for one in status.conditions)


def test_a_pod_is_not_over_before_it_is_told_why_its_container_ended() -> None:
    told = pod(restartPolicy="Never", initContainers=[{"name": "prep", "image": "p:1"}])
    sandbox = Sandbox(id="s", uid="u1", namespace="d", name="web", attempt=0, ready=True, created_at=START)
    for name in ("main", "prep"):
        ended = one(name, State.EXITED, 1)
        assert has_run_out(told, observed([sandbox], [ended]))
        assert not has_run_out(told, observed([sandbox], [structs.replace(ended, provisional=True)]))


@pytest.mark.parametrize("years", [10, -10])
def test_a_clock_that_jumps_changes_no_wait(play: Play, monkeypatch: pytest.MonkeyPatch, years: int) -> None:
    async def scene(node: Node) -> None:
        true = node.clock.now
        node.accept(pod(activeDeadlineSeconds=3600))
        await until(node.is_ready)
        monkeypatch.setattr(node.clock, "now", lambda: true() + timedelta(days=365 * years))
        waited = []
        for attempt in range(1, 4):
            node.runtime.crash((await node.running())[0].id)
            begun = node.clock.monotonic()
            await until(lambda attempt=attempt: node.container().restart_count == attempt and node.is_ready())  # type: ignore[misc]
            waited.append(round(node.clock.monotonic() - begun))
        assert waited == [0, 10, 20]
        assert node.status().phase == "Running"

    play(scene)
