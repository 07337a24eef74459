"""Whole pods on the simulated runtime, in virtual time."""

import asyncio
from collections.abc import Callable

import pytest

from nodeagent.runtime.fake import FakeRuntime
from nodeagent.runtime.interface import ExecResult, State
from schemas.messages import Config
from tests.unit.nodeagent.pods.builders import Node, deleted, pod
from tests.unit.nodeagent.pods.virtual import VirtualClock, until

Play = Callable[..., None]


def test_a_pod_that_is_accepted_runs_and_is_reported_ready(play: Play) -> None:
    async def scene(node: Node) -> None:
        node.accept(pod())
        await until(node.is_ready)
        status = node.status()
        assert status.phase == "Running"
        assert status.pod_ip
        assert node.container().container_id.startswith("containerd://")
        assert node.reporter.reasons() == ["Pulled", "Created", "Started"]

    play(scene)


def test_the_first_crash_is_followed_by_a_new_start_at_once_and_later_ones_back_off(play: Play) -> None:
    async def scene(node: Node) -> None:
        node.accept(pod())
        await until(node.is_ready)
        starts = []
        for attempt in range(1, 5):
            node.runtime.crash((await node.running())[0].id, 3)
            begun = node.clock.monotonic()
            await until(lambda attempt=attempt: node.container().restart_count == attempt)  # type: ignore[misc]
            await until(lambda: node.container().state.running is not None)  # type: ignore[union-attr]
            starts.append(round(node.clock.monotonic() - begun))
        assert starts == [0, 10, 20, 40]
        assert node.reporter.reasons().count("BackOff") == 3
        waiting = [
            one.container_statuses[0].state.waiting.message
            for _, one in node.reporter.history
            if one.container_statuses[0].state and one.container_statuses[0].state.waiting
        ]
        assert "back-off 20s restarting failed container=main pod=web_default(u1)" in waiting

    play(scene)


def test_only_the_newest_dead_container_is_kept(play: Play) -> None:
    async def scene(node: Node) -> None:
        node.accept(pod())
        await until(node.is_ready)
        for attempt in range(1, 4):
            node.runtime.crash((await node.running())[0].id)
            await until(lambda attempt=attempt: node.container().restart_count == attempt)  # type: ignore[misc]
        await asyncio.sleep(5)
        assert sorted(one.attempt for one in await node.containers()) == [2, 3]

    play(scene)


def test_a_deleted_pod_ends_and_is_reported_removed_with_its_last_states(play: Play) -> None:
    async def scene(node: Node) -> None:
        web = pod()
        node.accept(web)
        await until(node.is_ready)
        node.accept(deleted(web))
        await until(lambda: "u1" in node.reporter.removed)
        assert not await node.runtime.list_sandboxes()
        assert node.container().state.terminated is not None  # type: ignore[union-attr]
        assert not (node.directories.pods_run / "u1").exists()
        assert not list(node.directories.logs.iterdir())
        node.accept()
        await until(lambda: "u1" in node.reporter.forgotten)
        assert node.workers.statistics().workers == 0

    play(scene)


def test_a_pod_that_the_digest_names_no_more_ends_and_is_forgotten(play: Play) -> None:
    async def scene(node: Node) -> None:
        node.accept(pod(), pod("u2", "other"))
        await until(lambda: node.is_ready() and node.is_ready("u2"))
        node.accept(pod("u2", "other"))
        await until(lambda: "u1" in node.reporter.forgotten)
        assert [one.uid for one in await node.runtime.list_sandboxes()] == ["u2"]

    play(scene)


def test_a_restarted_agent_adopts_what_runs_and_restarts_nothing(play: Play) -> None:
    async def scene(node: Node) -> None:
        node.accept(pod())
        await until(node.is_ready)
        node.runtime.crash((await node.running())[0].id)
        await until(lambda: node.container().restart_count == 1 and node.is_ready())
        before = await node.containers()
        start_time = node.status().start_time
        await node.restart_agent()
        node.accept(pod())
        await until(node.is_ready)
        assert await node.containers() == before
        assert node.container().restart_count == 1
        assert node.status().start_time == start_time
        assert node.reporter.events == []

    play(scene)


def test_a_restarted_agent_ends_what_is_no_longer_wanted(play: Play) -> None:
    async def scene(node: Node) -> None:
        node.accept(pod(), pod("u2", "other"))
        await until(lambda: node.is_ready() and node.is_ready("u2"))
        await node.restart_agent()
        node.accept(pod())
        await until(lambda: "u2" in node.reporter.forgotten)
        assert [one.uid for one in await node.runtime.list_sandboxes()] == ["u1"]
        assert not (node.directories.pods_run / "u2").exists()

    play(scene)


def test_nothing_is_ended_before_anything_was_accepted(play: Play) -> None:
    async def scene(node: Node) -> None:
        node.accept(pod())
        await until(node.is_ready)
        await node.restart_agent()
        await asyncio.sleep(1000)
        assert len(await node.running()) == 1

    play(scene)


def test_after_a_reboot_a_new_sandbox_runs_with_counted_restarts(play: Play) -> None:
    async def scene(node: Node) -> None:
        node.accept(pod())
        await until(node.is_ready)
        node.runtime.reboot()
        await node.restart_agent()
        node.accept(pod())
        await until(node.is_ready)
        assert node.container().restart_count == 1
        assert [one.attempt for one in await node.runtime.list_sandboxes()] == [0, 1]

    play(scene)


def test_a_runtime_that_goes_away_and_comes_back_costs_no_restart(play: Play) -> None:
    async def scene(node: Node) -> None:
        node.accept(pod())
        await until(node.is_ready)
        before = await node.containers()
        node.runtime.set_available(False)
        node.accept(pod(), pod("u2", "other"))
        await asyncio.sleep(30)
        assert not node.status("u2").phase
        node.runtime.set_available(True)
        await until(lambda: node.is_ready("u2"))
        assert (await node.containers())[:1] == before

    play(scene)


def test_a_changed_image_replaces_only_its_container(play: Play) -> None:
    async def scene(node: Node) -> None:
        two = [{"name": "main", "image": "app:1"}, {"name": "side", "image": "side:1"}]
        node.accept(pod(containers=two))
        await until(node.is_ready)
        side = (await node.running("side"))[0]
        two[0]["image"] = "app:2"
        node.accept(pod(containers=two, generation=2))
        await until(lambda: node.container().image.endswith("app:2") and node.is_ready())
        assert (await node.running("side")) == [side]
        assert len(await node.running("main")) == 1
        messages = [event.message for event in node.reporter.events if event.reason == "Killing"]
        assert messages == ["Container main definition changed, will be restarted"]

    play(scene)


def test_a_pod_that_runs_out_keeps_its_last_status_even_when_the_runtime_forgets(play: Play) -> None:
    async def scene(node: Node) -> None:
        job = pod(restartPolicy="Never")
        node.accept(job)
        await until(node.is_ready)
        node.runtime.crash((await node.running())[0].id, 0)
        await until(lambda: node.status().phase == "Succeeded")
        assert len(await node.containers()) == 1
        for sandbox in await node.runtime.list_sandboxes():
            assert not sandbox.ready
            await node.runtime.remove_sandbox(sandbox.id)
        await node.restart_agent()
        node.accept(job)
        await until(lambda: node.status().phase == "Succeeded")
        await asyncio.sleep(600)
        assert not await node.containers()

    play(scene)


def test_a_missing_config_map_holds_the_container_until_it_comes(play: Play) -> None:
    async def scene(node: Node) -> None:
        env = [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "nosuch", "key": "a"}}}]
        web = pod(containers=[{"name": "main", "image": "app:1", "env": env}])
        node.accept(web)
        await until(lambda: bool(node.status().phase) and node.container().state.waiting.reason != "ContainerCreating")  # type: ignore[union-attr]
        waiting = node.container().state.waiting  # type: ignore[union-attr]
        assert waiting is not None
        assert (waiting.reason, waiting.message) == ("CreateContainerConfigError", 'configmap "nosuch" not found')
        assert node.status().phase == "Pending"
        node.accept(web, configs=[Config("ConfigMap", "default", "nosuch", {"a": b"1"})])
        await until(node.is_ready, limit=1)

    play(scene)


def test_an_image_that_cannot_be_pulled_backs_off(play: Play) -> None:
    async def scene(node: Node) -> None:
        node.accept(pod(containers=[{"name": "main", "image": "missing:1"}]))
        reasons: list[str] = []
        async with asyncio.timeout(60):
            while reasons[-2:] != ["ErrImagePull", "ImagePullBackOff"]:
                await asyncio.sleep(0.1)
                reasons = [
                    one.container_statuses[0].state.waiting.reason
                    for _, one in node.reporter.history
                    if one.container_statuses[0].state and one.container_statuses[0].state.waiting
                ]
        begun = len(node.reporter.history)
        await asyncio.sleep(3600)
        assert node.reporter.reasons().count("Pulling") in range(14, 18)
        assert len(node.reporter.history) - begun < 40
        node.accept()
        await until(lambda: "u1" in node.reporter.forgotten)

    play(scene)


def test_a_pull_does_not_hold_up_the_end_of_its_pod(play: Play) -> None:
    async def scene(node: Node) -> None:
        web = pod()
        node.accept(web)
        await until(lambda: "Pulling" in node.reporter.reasons())
        node.accept(deleted(web, 0))
        await until(lambda: "u1" in node.reporter.removed, limit=5)

    play(scene, FakeRuntime(pull_seconds=600, now=VirtualClock().now))


def test_init_containers_run_in_order_and_a_sidecar_stays(play: Play) -> None:
    async def scene(node: Node) -> None:
        inits = [
            {"name": "prep", "image": "prep:1"},
            {"name": "car", "image": "car:1", "restartPolicy": "Always"},
            {"name": "last", "image": "last:1"},
        ]
        node.accept(pod(initContainers=inits))
        for name in ("prep", "last"):
            await until(lambda name=name: bool(node.status().phase) and node.container(name).state.running is not None)  # type: ignore[misc, union-attr]
            assert node.status().phase == "Pending"
            assert node.container().state.waiting.reason == "PodInitializing"  # type: ignore[union-attr]
            node.runtime.crash((await node.running(name))[0].id, 0)
        await until(node.is_ready)
        order = [event.field_path for event in node.reporter.events if event.reason == "Started"]
        assert order == [
            "spec.initContainers{prep}",
            "spec.initContainers{car}",
            "spec.initContainers{last}",
            "spec.containers{main}",
        ]
        assert [one.name for one in await node.running()] == ["car", "main"]

    play(scene)


def test_a_liveness_probe_that_fails_restarts_its_container(play: Play) -> None:
    healthy = True

    async def execute(container_id: str, command: object) -> ExecResult:
        return ExecResult(0 if healthy else 1, b"down")

    async def scene(node: Node) -> None:
        nonlocal healthy
        probe = {"exec": {"command": ["check"]}, "periodSeconds": 5, "failureThreshold": 3}
        node.accept(pod(containers=[{"name": "main", "image": "app:1", "livenessProbe": probe}]))
        await until(node.is_ready)
        await asyncio.sleep(60)
        assert node.container().restart_count == 0
        healthy = False
        await until(lambda: node.container().restart_count == 1)
        assert node.reporter.reasons().count("Unhealthy") >= 3
        assert "Liveness probe failed: down" in [event.message for event in node.reporter.events]
        assert "Container main failed liveness probe, will be restarted" in [
            event.message for event in node.reporter.events
        ]

    play(scene, FakeRuntime(execute=execute, now=VirtualClock().now))


def test_a_container_is_ready_soon_after_its_readiness_probe_could_succeed(play: Play) -> None:
    ready_at = 0.0

    async def execute(container_id: str, command: object) -> ExecResult:
        return ExecResult(0 if VirtualClock().monotonic() >= ready_at else 1, b"")

    async def scene(node: Node) -> None:
        nonlocal ready_at
        ready_at = node.clock.monotonic() + 0.8
        probe = {"exec": {"command": ["check"]}, "periodSeconds": 10}
        node.accept(pod(containers=[{"name": "main", "image": "app:1", "readinessProbe": probe}]))
        await until(node.is_ready, limit=2)
        assert node.reporter.reasons().count("Unhealthy") == 1

    play(scene, FakeRuntime(execute=execute, now=VirtualClock().now))


def test_an_adopted_pod_is_not_reported_unready_while_its_probe_was_not_asked(play: Play) -> None:
    async def scene(node: Node) -> None:
        probe = {"exec": {"command": ["check"]}, "periodSeconds": 10, "initialDelaySeconds": 5}
        web = pod(containers=[{"name": "main", "image": "app:1", "readinessProbe": probe}])
        node.accept(web)
        await until(node.is_ready)
        await node.restart_agent()
        node.accept(web)
        await until(node.is_ready)
        assert len(node.reporter.history) == 1

    play(scene)


def test_no_call_of_the_runtime_fails_into_a_tight_loop(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(node: Node) -> None:
        calls = 0

        async def refuse(config: object) -> None:
            nonlocal calls
            calls += 1
            from nodeagent.runtime.interface import RuntimeFailure

            raise RuntimeFailure("no network")

        monkeypatch.setattr(node.runtime, "run_sandbox", refuse)
        node.accept(pod())
        await asyncio.sleep(600)
        assert 10 < calls < 20
        assert node.reporter.events[-1].message == "Failed to create pod sandbox: no network"

    play(scene)


def test_a_pod_at_rest_is_neither_looked_at_nor_reported(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(node: Node) -> None:
        node.accept(pod())
        await until(node.is_ready)
        await asyncio.sleep(1)
        reports = len(node.reporter.history)
        files = {path: path.stat().st_mtime_ns for path in node.directories.data.parent.rglob("*")}
        await asyncio.sleep(3600)
        assert len(node.reporter.history) == reports
        assert {path: path.stat().st_mtime_ns for path in node.directories.data.parent.rglob("*")} == files

    play(scene)


def test_containers_left_created_by_a_killed_agent_are_made_again(play: Play) -> None:
    async def scene(node: Node) -> None:
        node.accept(pod())
        await until(node.is_ready)
        await node.stop_agent()
        runtime = node.runtime
        made = (await node.containers())[0]
        runtime._containers[made.id] = type(made)(
            **{name: getattr(made, name) for name in made.__struct_fields__ if name not in ("state", "started_at")},
            state=State.CREATED,
        )
        await node.restart_agent()
        node.accept(pod())
        await until(node.is_ready)
        assert [(one.attempt, one.state) for one in await node.containers()] == [(0, State.RUNNING)]

    play(scene)
