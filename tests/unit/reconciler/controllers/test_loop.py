import asyncio
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

from msgspec import structs

from reconciler.controllers.interface import NOTHING, Controller, Plan
from reconciler.controllers.loop import ControllerLoop
from reconciler.controllers.registry import ControllerSettings, controllers
from reconciler.store.changes import Create, Update, UpdateStatus
from reconciler.store.view import Event, View
from schemas.apps import Deployment
from schemas.core.config import ConfigMap
from schemas.core.pod import Pod
from schemas.meta import ObjectMeta, Ref, ref_of
from tests.unit.reconciler.controllers.builders import deployment
from tests.unit.reconciler.controllers.world import START, with_phase
from tests.unit.reconciler.running import open_cluster, running, until


def config(name: str, text: str = "") -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name=name, namespace="default"), data={"text": text})


def of_configs(event: Event, view: View) -> Iterable[Ref]:
    return (ref_of(event.object),) if isinstance(event.object, ConfigMap) else ()


async def test_a_deployment_is_carried_to_pods_and_its_status_back(tmp_path: Path) -> None:
    async with open_cluster(tmp_path) as cluster:
        loop = ControllerLoop(cluster, controllers(ControllerSettings()))
        async with running(loop.run()):
            await cluster.apply((Create(deployment(2)),))
            await until(lambda: len(cluster.cache.list(Pod)) == 2, cluster)
            for pod in cluster.cache.list(Pod):
                ready = with_phase(pod, "Running", START, ready=True)
                await cluster.apply((UpdateStatus(ready),))

            def available() -> bool:
                found = cluster.cache.get(Deployment, "default", "web")
                return found is not None and found.status.available_replicas == 2

            await until(available, cluster)
        assert loop.statistics().failed == {}


async def test_what_was_there_before_the_start_is_looked_at_once(tmp_path: Path) -> None:
    seen: Counter[str] = Counter()

    def look(ref: Ref, view: View, now: datetime) -> Plan:
        seen[ref.name] += 1
        done.set()
        return NOTHING

    done = asyncio.Event()
    async with open_cluster(tmp_path) as cluster:
        await cluster.apply((Create(config("a")), Create(config("b"))))
        loop = ControllerLoop(cluster, (Controller("look", of_configs, look),))
        async with running(loop.run()), asyncio.timeout(60):
            while seen.total() < 2 or not loop.idle:
                await asyncio.sleep(0)
        assert seen == {"a": 1, "b": 1}


async def test_a_key_is_never_worked_on_twice_at_a_time_and_sees_its_own_commit(tmp_path: Path) -> None:
    def count(ref: Ref, view: View, now: datetime) -> Plan:
        found = view.get(ConfigMap, ref.namespace, ref.name)
        if found is None or len(found.data["text"]) >= 5:
            return NOTHING
        return Plan((Update(structs.replace(found, data={"text": found.data["text"] + "x"})),))

    async with open_cluster(tmp_path) as cluster:
        loop = ControllerLoop(cluster, (Controller("count", of_configs, count),))
        async with running(loop.run()):
            await cluster.apply([Create(config(f"c{number}")) for number in range(20)])

            def full() -> bool:
                return all(one.data["text"] == "xxxxx" for one in cluster.cache.list(ConfigMap))

            await until(full, cluster)
        assert loop.statistics().failed == {}, "a plan was made from a view older than the key's own commit"


async def test_a_bug_in_one_reconcile_stops_no_other_and_is_tried_again(tmp_path: Path) -> None:
    tries: Counter[str] = Counter()

    def fragile(ref: Ref, view: View, now: datetime) -> Plan:
        tries[ref.name] += 1
        if ref.name == "bad" and tries["bad"] < 3:
            raise RuntimeError("a bug")
        found = view.get(ConfigMap, ref.namespace, ref.name)
        if found is None or found.data["text"] == "seen":
            return NOTHING
        return Plan((Update(structs.replace(found, data={"text": "seen"})),))

    async with open_cluster(tmp_path) as cluster:
        loop = ControllerLoop(cluster, (Controller("fragile", of_configs, fragile),))
        async with running(loop.run()):
            await cluster.apply((Create(config("bad")), Create(config("good"))))

            def seen(name: str) -> bool:
                found = cluster.cache.get(ConfigMap, "default", name)
                return found is not None and found.data["text"] == "seen"

            await until(lambda: seen("good") and seen("bad"), cluster)
        assert loop.statistics().failed == {"fragile": 2}


async def test_a_refused_plan_is_made_anew(tmp_path: Path) -> None:
    async with open_cluster(tmp_path) as cluster:
        await cluster.apply((Create(config("a", "old")),))
        stale = cluster.cache.get(ConfigMap, "default", "a")
        assert stale is not None
        await cluster.apply((Update(structs.replace(stale, data={"text": "edited"})),))

        def overwrite(ref: Ref, view: View, now: datetime) -> Plan:
            found = view.get(ConfigMap, "default", "a")
            assert found is not None
            assert stale is not None
            if found.data["text"] == "written":
                return NOTHING
            base = stale if not plans else found
            plans.append(ref)
            return Plan((Update(structs.replace(base, data={"text": "written"})),))

        plans: list[Ref] = []
        loop = ControllerLoop(cluster, (Controller("overwrite", of_configs, overwrite),))
        async with running(loop.run()):
            await until(lambda: cluster.cache.list(ConfigMap)[0].data["text"] == "written", cluster)
        assert loop.statistics().failed == {"overwrite": 1}


async def test_a_key_comes_again_when_it_has_asked_to(tmp_path: Path) -> None:
    seen: list[datetime] = []

    def later(ref: Ref, view: View, now: datetime) -> Plan:
        seen.append(now)
        if len(seen) == 2:
            done.set()
        return Plan(requeue_after=0.01) if len(seen) == 1 else NOTHING

    done = asyncio.Event()
    async with open_cluster(tmp_path) as cluster:
        await cluster.apply((Create(config("a")),))
        loop = ControllerLoop(cluster, (Controller("later", of_configs, later),))
        async with running(loop.run()), asyncio.timeout(60):
            await done.wait()
        assert loop.statistics().delayed == 0


async def test_what_waits_for_a_time_is_looked_at_when_the_clock_was_set(tmp_path: Path) -> None:
    seen: list[datetime] = []
    now = START

    def wait(ref: Ref, view: View, now: datetime) -> Plan:
        if ref.name == "a":
            seen.append(now)
        return Plan(requeue_after=3600)

    async with open_cluster(tmp_path) as cluster:
        await cluster.apply((Create(config("a")),))
        loop = ControllerLoop(cluster, (Controller("wait", of_configs, wait),), lambda: now)
        async with running(loop.run()), asyncio.timeout(60):
            while not seen:
                await asyncio.sleep(0)
            now = START + timedelta(hours=2)
            await cluster.apply((Create(config("b")),))
            while len(seen) < 2:
                await asyncio.sleep(0)
    assert seen == [START, START + timedelta(hours=2)]


async def test_nothing_is_written_once_the_cluster_is_at_rest(tmp_path: Path) -> None:
    async with open_cluster(tmp_path) as cluster:
        first = ControllerLoop(cluster, controllers(ControllerSettings()))
        async with running(first.run()):
            await cluster.apply((Create(deployment(3)),))
            await until(lambda: len(cluster.cache.list(Pod)) == 3, cluster)
            async with asyncio.timeout(60):
                while not first.idle:
                    await asyncio.sleep(0)
        revision = cluster.cache.revision
        second = ControllerLoop(cluster, controllers(ControllerSettings()))
        async with running(second.run()), asyncio.timeout(60):
            while not second.statistics().reconciled or not second.idle:
                await asyncio.sleep(0)
        assert cluster.cache.revision == revision
