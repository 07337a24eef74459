import asyncio
from pathlib import Path

from msgspec import structs

from reconciler.scheduler.loop import SchedulerLoop
from reconciler.store.changes import Create, Delete, Update
from reconciler.store.cluster import Cluster
from schemas import conditions
from schemas.core.event import Event
from schemas.core.pod import Pod
from schemas.meta import ObjectMeta, Ref
from schemas.scheduling import PriorityClass
from tests.unit.reconciler.controllers.builders import node, pod
from tests.unit.reconciler.running import open_cluster, running, until

_IMPORTANT = PriorityClass(metadata=ObjectMeta(name="important"), value=10)


def _important(asked: Pod) -> Pod:
    return structs.replace(asked, spec=structs.replace(asked.spec, priority_class_name="important"))


def _node_of(cluster: Cluster, name: str) -> str:
    found = cluster.cache.get(Pod, "default", name)
    return found.spec.node_name if found is not None else ""


def _message(cluster: Cluster, name: str) -> str:
    found = cluster.cache.get(Pod, "default", name)
    told = conditions.find(found.status.conditions, "PodScheduled") if found is not None else None
    return told.message if told is not None else ""


async def test_pods_are_bound_in_one_commit_with_condition_and_event(tmp_path: Path) -> None:
    async with open_cluster(tmp_path) as cluster:
        await cluster.apply([Create(node("n1")), Create(node("n2")), *(Create(pod(f"p{i}")) for i in range(10))])
        async with running(SchedulerLoop(cluster).run()):
            await until(lambda: all(one.spec.node_name for one in cluster.cache.list(Pod)), cluster)
            await until(lambda: len(cluster.cache.list(Event)) == 10, cluster)
        assert {one.spec.node_name for one in cluster.cache.list(Pod)} == {"n1", "n2"}
        bound = cluster.cache.get(Pod, "default", "p0")
        assert bound is not None
        told = conditions.find(bound.status.conditions, "PodScheduled")
        assert told is not None
        assert told.status == "True"
        said = {one.message for one in cluster.cache.list(Event) if one.reason == "Scheduled"}
        assert f"Successfully assigned default/p0 to {bound.spec.node_name}" in said


async def test_a_pod_bears_the_region_and_the_zone_of_its_node(tmp_path: Path) -> None:
    where = {"topology.kubernetes.io/region": "north", "topology.kubernetes.io/zone": "quay"}
    there = node("n1")
    labels = {**there.metadata.labels, **where, "rack": "7"}
    there = structs.replace(there, metadata=structs.replace(there.metadata, labels=labels))
    async with open_cluster(tmp_path) as cluster:
        await cluster.apply([Create(there), Create(pod("p", labels={"app": "web"}))])
        async with running(SchedulerLoop(cluster).run()):
            await until(lambda: _node_of(cluster, "p") == "n1", cluster)
        bound = cluster.cache.get(Pod, "default", "p")
        assert bound is not None
        assert bound.metadata.labels == {"app": "web", **where}


async def test_a_pod_that_fits_nowhere_says_why_once_and_goes_when_a_node_appears(tmp_path: Path) -> None:
    async with open_cluster(tmp_path) as cluster:
        await cluster.apply([Create(node("n1", cordoned=True)), Create(pod("p"))])
        loop = SchedulerLoop(cluster)
        async with running(loop.run()):
            await until(lambda: "node(s) were unschedulable" in _message(cluster, "p"), cluster)
            assert _message(cluster, "p").startswith("0/1 nodes are available: 1 node(s) were unschedulable.")
            await until(lambda: loop.statistics().unschedulable == 1, cluster)
            said = [one for one in cluster.cache.list(Event) if one.reason == "FailedScheduling"]
            assert [one.count for one in said] == [1]
            await cluster.apply((Create(node("n2")),))
            await until(lambda: _node_of(cluster, "p") == "n2", cluster)


async def test_room_that_is_made_is_given_to_the_pod_that_waits_for_it(tmp_path: Path) -> None:
    async with open_cluster(tmp_path) as cluster:
        big = {"cpu": "3"}
        await cluster.apply([Create(node("n1")), Create(pod("first", requests=big))])
        loop = SchedulerLoop(cluster)
        async with running(loop.run()):
            await until(lambda: _node_of(cluster, "first") == "n1", cluster)
            await cluster.apply((Create(pod("second", requests=big)),))
            await until(lambda: "Insufficient cpu" in _message(cluster, "second"), cluster)
            await cluster.apply((Delete(Ref("Pod", "default", "first"), grace_seconds=0),))
            await until(lambda: _node_of(cluster, "second") == "n1", cluster)


async def test_the_more_important_pod_gets_the_last_room(tmp_path: Path) -> None:
    async with open_cluster(tmp_path) as cluster:
        big = {"cpu": "3"}
        await cluster.apply([Create(node("n1")), Create(_IMPORTANT)])
        await cluster.apply([Create(pod("a", requests=big)), Create(_important(pod("b", requests=big)))])
        async with running(SchedulerLoop(cluster).run()):
            await until(lambda: bool(_node_of(cluster, "b") and _message(cluster, "a")), cluster)
            assert _node_of(cluster, "a") == ""


async def test_a_pod_that_changed_while_it_was_decided_upon_is_bound_all_the_same(tmp_path: Path) -> None:
    async with open_cluster(tmp_path) as cluster:
        await cluster.apply([Create(node("n1")), *(Create(pod(f"p{i}")) for i in range(50))])
        async with running(SchedulerLoop(cluster).run()):
            for found in cluster.cache.list(Pod)[:20]:
                labelled = structs.replace(found.metadata, labels={"edited": "yes"}, resource_version="")
                if cluster.cache.find(Ref("Pod", "default", found.metadata.name)) is found:
                    await cluster.apply((Update(structs.replace(found, metadata=labelled)),))
            await cluster.apply((Delete(Ref("Pod", "default", "p49"), grace_seconds=0),))
            await until(lambda: all(one.spec.node_name for one in cluster.cache.list(Pod)), cluster)
        assert len(cluster.cache.list(Pod)) == 49


async def test_the_loop_rests_when_every_pod_has_been_looked_at(tmp_path: Path) -> None:
    async with open_cluster(tmp_path) as cluster:
        await cluster.apply((Create(pod("p")),))
        loop = SchedulerLoop(cluster)
        async with running(loop.run()):
            await until(lambda: _message(cluster, "p") == "no nodes available to schedule pods", cluster)
            async with asyncio.timeout(60):
                while not loop.idle:
                    await asyncio.sleep(0)


async def test_pods_that_are_still_being_made_are_waited_for(tmp_path: Path) -> None:
    """The first one to be there is not the first to be placed: the other one is more important."""
    asked, made = asyncio.Event(), asyncio.Event()

    async def are_made() -> None:
        asked.set()
        await made.wait()

    async with open_cluster(tmp_path) as cluster:
        await cluster.apply([Create(node("n1")), Create(pod("early", requests={"cpu": "3"}))])
        async with running(SchedulerLoop(cluster, made=are_made).run()):
            await asked.wait()
            await cluster.apply([Create(_IMPORTANT), Create(_important(pod("late", requests={"cpu": "3"})))])
            made.set()
            await until(lambda: bool(_node_of(cluster, "late")), cluster)
            assert _node_of(cluster, "early") == ""


async def test_controllers_that_never_come_to_rest_hold_up_no_pod_for_long(tmp_path: Path) -> None:
    async def never() -> None:
        await asyncio.Event().wait()

    async with open_cluster(tmp_path) as cluster:
        await cluster.apply([Create(node("n1")), Create(pod("p"))])
        async with running(SchedulerLoop(cluster, made=never).run()):
            await until(lambda: _node_of(cluster, "p") == "n1", cluster, seconds=5)
