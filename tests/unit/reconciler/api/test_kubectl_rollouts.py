"""Rollouts of what keeps its history in ControllerRevisions, by the real kubectl and the real controllers."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from reconciler.controllers import daemonset, garbagecollector, statefulset
from reconciler.controllers.loop import ControllerLoop
from reconciler.store.changes import Delete, UpdateStatus
from schemas.apps import ControllerRevision
from schemas.core.pod import Pod
from schemas.meta import controller_of, ref_of
from tests.unit.reconciler.api.conftest import Served
from tests.unit.reconciler.controllers.world import with_phase

SELECTOR = {"selector": {"matchLabels": {"app": "db"}}}
CONTROLLERS = (statefulset.CONTROLLER, daemonset.CONTROLLER, garbagecollector.CONTROLLER)


@pytest.fixture
async def rolling(served: Served) -> AsyncIterator[Served]:
    """The server with controllers, and agents that make ready and end whatever these ask for."""
    loop = asyncio.create_task(ControllerLoop(served.cluster, CONTROLLERS).run())
    wanted = asyncio.Event()

    def hear(events: object) -> None:
        wanted.set()

    async def agents() -> None:
        while True:
            await wanted.wait()
            wanted.clear()
            for pod in served.cluster.cache.list(Pod, "default"):
                if controller_of(pod) is None or pod.metadata.labels.get("app") != "db":
                    continue
                if pod.metadata.deletion_timestamp is not None:
                    await served.apply(Delete(ref_of(pod), grace_seconds=0))
                elif pod.status.phase != "Running":
                    await served.apply(UpdateStatus(with_phase(pod, "Running", datetime.now(UTC), ready=True)))

    agent = asyncio.create_task(agents())
    end = served.cluster.cache.subscribe(hear)
    yield served
    end()
    for task in (agent, loop):
        task.cancel()
    await asyncio.gather(agent, loop, return_exceptions=True)


def workload(kind: str, image: str, **spec: Any) -> str:  # noqa: ANN401
    template = {"metadata": {"labels": {"app": "db"}}, "spec": {"containers": [{"name": "c", "image": image}]}}
    return json.dumps(
        {
            "apiVersion": "apps/v1",
            "kind": kind,
            "metadata": {"name": "db"},
            "spec": {**SELECTOR, **spec, "template": template},
        }
    )


def images(served: Served) -> set[str]:
    pods = [pod for pod in served.cluster.cache.list(Pod, "default") if pod.metadata.labels.get("app") == "db"]
    return {pod.spec.containers[0].image for pod in pods}


@pytest.mark.parametrize(
    ("kind", "short", "spec"),
    [
        pytest.param("StatefulSet", "sts", {"replicas": 2, "serviceName": "db"}, id="StatefulSet"),
        pytest.param("DaemonSet", "ds", {}, id="DaemonSet"),
    ],
)
async def test_a_rollout_is_watched_told_and_taken_back(
    rolling: Served, kind: str, short: str, spec: dict[str, Any]
) -> None:
    long = f"{kind.lower()}.apps/db"
    await rolling.kubectl("apply", "-f", "-", stdin=workload(kind, "db:1", **spec))
    assert (await rolling.kubectl("rollout", "status", f"{short}/db", "--timeout=20s")).code == 0
    await rolling.kubectl("apply", "-f", "-", stdin=workload(kind, "db:2", **spec))
    await rolling.kubectl("rollout", "status", f"{short}/db", "--timeout=20s")
    assert images(rolling) == {"db:2"}
    told = await rolling.kubectl("rollout", "history", f"{short}/db")
    assert told.out == f"{long} \nREVISION  CHANGE-CAUSE\n1         <none>\n2         <none>\n\n"
    first = await rolling.kubectl("rollout", "history", f"{short}/db", "--revision=1")
    assert "Image:\tdb:1" in first.out
    assert (await rolling.kubectl("rollout", "undo", f"{short}/db")).out == f"{long} rolled back\n"
    await rolling.kubectl("rollout", "status", f"{short}/db", "--timeout=20s")
    assert images(rolling) == {"db:1"}
    numbers = [one.revision for one in rolling.cluster.cache.list(ControllerRevision, "default")]
    assert sorted(numbers) == [2, 3]
    assert (await rolling.kubectl("rollout", "restart", f"{short}/db")).out == f"{long} restarted\n"
    await rolling.kubectl("rollout", "status", f"{short}/db", "--timeout=20s")
    missing = await rolling.try_kubectl("rollout", "undo", f"{short}/db", "--to-revision=42")
    assert "unable to find specified revision 42 in history" in missing.err
    listed = await rolling.kubectl("get", "controllerrevisions", "-l", "app=db")
    assert listed.rows[0] == ["NAME", "CONTROLLER", "REVISION", "AGE"]
    assert {row[1] for row in listed.rows[1:]} == {long}
