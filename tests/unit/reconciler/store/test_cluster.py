"""Changes reach store and cache together, whole, in order, and few transactions suffice."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from reconciler.store.changes import (
    AlreadyExists,
    Change,
    Conflict,
    Create,
    Delete,
    Emit,
    NotFound,
    Update,
    UpdateStatus,
)
from reconciler.store.cluster import Cluster
from reconciler.store.interface import Mismatch, Put, Remove, StoreError
from reconciler.store.sqlite import SqliteStore
from reconciler.store.view import Event, View
from schemas.core.config import ConfigMap
from schemas.core.event import Event as CoreEvent
from schemas.core.pod import Pod
from schemas.core.podstatus import PodStatus
from schemas.meta import Object, Ref, ref_of
from tests.unit.reconciler.store.objects import NOW, config, counting_mint, deployment, owner, pod, replica_set


def clock() -> datetime:
    return NOW.replace(microsecond=123456)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


async def opened(path: Path) -> Cluster:
    return await Cluster.open(await SqliteStore.open(path), clock=clock, mint=counting_mint())


@pytest.fixture
async def cluster(path: Path) -> AsyncIterator[Cluster]:
    cluster = await opened(path)
    yield cluster
    await cluster.close()


def transactions(cluster: Cluster) -> int:
    assert isinstance(cluster.store, SqliteStore)
    return cluster.store.statistics().transactions


def names(objects: Sequence[Object]) -> list[str]:
    return [found.metadata.name for found in objects]


async def test_an_apply_answers_with_the_objects_as_the_cache_has_them(cluster: Cluster) -> None:
    applied = await cluster.apply(
        [Create(config("a")), Create(pod("", generate_name="w-")), Emit(config("a"), "Normal", "Made", "made", "test")]
    )
    made, generated, emitted = applied.objects
    assert made is cluster.cache.get(ConfigMap, "shop", "a")
    assert generated is cluster.cache.get(Pod, "shop", "w-bbbbb")
    assert emitted is None
    assert made is not None
    assert made.metadata.creation_timestamp == NOW
    assert int(made.metadata.resource_version) == applied.revision - 2
    assert applied.revision == cluster.cache.revision
    assert len(cluster.cache.list(CoreEvent)) == 1


async def test_later_changes_of_an_apply_see_the_earlier_ones(cluster: Cluster) -> None:
    await cluster.apply([Create(pod("web"))])
    seen = cluster.cache.get(Pod, "shop", "web")
    assert seen is not None
    bound = replace(seen, spec=replace(seen.spec, node_name="pi"))
    running = replace(seen, status=PodStatus(phase="Running"))
    events = list[Event]()
    cluster.cache.subscribe(events.extend)
    applied = await cluster.apply(
        [
            Update(bound),
            UpdateStatus(running, durable=False),
            Create(config("a")),
            Delete(Ref("ConfigMap", "shop", "a")),
        ]
    )
    (event,) = events
    assert isinstance(event.new, Pod)
    assert (event.new.spec.node_name, event.new.status.phase) == ("pi", "Running")
    assert applied.objects == (event.new, event.new, None, None)


async def test_nothing_of_an_apply_that_fails_is_applied(cluster: Cluster) -> None:
    before = cluster.cache.revision
    with pytest.raises(NotFound):
        await cluster.apply([Create(config("a")), Update(config("b"))])
    assert (cluster.cache.revision, list(cluster.cache.list(ConfigMap))) == (before, [])
    await cluster.apply([Create(config("a"))])


async def test_what_changes_nothing_writes_nothing_and_tells_nobody(cluster: Cluster) -> None:
    applied = await cluster.apply([Create(deployment("web"))])
    (made,) = applied.objects
    assert made is not None
    events = list[Event]()
    cluster.cache.subscribe(events.extend)
    before = transactions(cluster)
    again = await cluster.apply([Update(made), UpdateStatus(deployment("web"))])
    assert again.objects == (made, made)
    assert again.revision == applied.revision
    assert await cluster.apply([]) == replace(again, objects=())
    assert (transactions(cluster), events) == (before, [])


async def test_a_status_that_is_not_durable_waits_for_the_flush_and_a_spec_takes_it_along(
    cluster: Cluster, path: Path
) -> None:
    await cluster.apply([Create(pod("web"))])
    before = transactions(cluster)
    await cluster.apply([UpdateStatus(pod("web", phase="Running"), durable=False)])
    await cluster.apply([Emit(pod("web"), "Normal", "Started", "started", "test")])
    assert transactions(cluster) == before
    await cluster.apply([Update(pod("web", labels={"a": "b"}))])
    assert transactions(cluster) == before + 1
    entry = await cluster.store.get("core/pods/shop/web")
    assert entry is not None
    assert b'"phase":"Running"' in entry.value
    assert b"resourceVersion" not in entry.value


async def test_a_reopened_cluster_is_as_it_was(path: Path) -> None:
    cluster = await opened(path)
    await cluster.apply([Create(deployment("web")), Create(config("a", {"k": "v"}))])
    await cluster.apply([Create(pod("web-1", node="pi")), Update(config("a", {"k": "w"}))])
    before = [cluster.cache.find(Ref(kind, "shop", name)) for kind, name in KEPT]
    await cluster.close()
    cluster = await opened(path)
    assert [cluster.cache.find(Ref(kind, "shop", name)) for kind, name in KEPT] == before
    assert names(cluster.cache.pods_on("pi")) == ["web-1"]
    assert cluster.cache.revision == cluster.store.revision
    await cluster.apply([Update(config("a", {"k": "x"}))])
    await cluster.close()


KEPT = (("Deployment", "web"), ("ConfigMap", "a"), ("Pod", "web-1"))


async def test_applies_at_once_share_transactions_and_keep_their_own_revisions(cluster: Cluster) -> None:
    revisions = list[int]()
    cluster.cache.subscribe(lambda events: revisions.extend({event.revision for event in events}))
    applied = await asyncio.gather(*(cluster.apply([Create(config(f"c{i}"))]) for i in range(100)))
    assert transactions(cluster) <= 2
    assert revisions == sorted(set(revisions))
    assert len(revisions) == 100
    made = [one.objects[0] for one in applied]
    assert [one and one.metadata.resource_version for one in made] == [str(revision) for revision in revisions]


async def test_of_creations_at_once_exactly_one_wins(cluster: Cluster) -> None:
    outcomes = await asyncio.gather(
        *(cluster.apply([Create(config("a", {"n": str(i)}))]) for i in range(10)), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes[1:]] == [AlreadyExists] * 9
    found = cluster.cache.get(ConfigMap, "shop", "a")
    assert found is not None
    assert found.data == {"n": "0"}


async def test_of_updates_of_one_version_at_once_exactly_one_wins(cluster: Cluster) -> None:
    (seen,) = (await cluster.apply([Create(config("a"))])).objects
    assert isinstance(seen, ConfigMap)
    outcomes = await asyncio.gather(
        *(cluster.apply([Update(replace(seen, data={"n": str(i)}))]) for i in range(10)), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes[1:]] == [Conflict] * 9


async def test_each_of_many_updates_of_one_object_at_once_is_told(cluster: Cluster) -> None:
    await cluster.apply([Create(config("a"))])
    told = list[str]()

    def note(events: Sequence[Event]) -> None:
        told.extend(event.new.data["n"] for event in events if isinstance(event.new, ConfigMap))

    cluster.cache.subscribe(note)
    await asyncio.gather(*(cluster.apply([Update(config("a", {"n": str(i)}))]) for i in range(20)))
    assert told == [str(i) for i in range(20)]


async def test_an_apply_whose_caller_gives_up_is_applied_whole_or_not_at_all(cluster: Cluster) -> None:
    for turns in range(10):
        asked = asyncio.ensure_future(cluster.apply([Create(config(f"{turns}-a")), Create(config(f"{turns}-b"))]))
        for _ in range(turns):
            await asyncio.sleep(0)
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
    await cluster.apply([Create(config("last"))])
    found = names(cluster.cache.list(ConfigMap))
    for turns in range(10):
        assert (f"{turns}-a" in found) == (f"{turns}-b" in found)
    assert len(await cluster.store.list("core/configmaps/")) == len(found)


class FailingStore(SqliteStore):
    """A store that refuses the commits which `fails` picks out."""

    fails: set[str] = set()  # noqa: RUF012  # set anew by each test

    async def commit(self, operations: Sequence[Put | Remove]) -> int:
        if any(operation.key in self.fails for operation in operations):
            await asyncio.sleep(0)
            raise StoreError("the disk is full; make room")
        return await super().commit(operations)


async def test_what_was_built_on_a_commit_that_fails_is_worked_out_again(path: Path) -> None:
    store = await FailingStore.open(path)
    assert isinstance(store, FailingStore)
    cluster = await Cluster.open(store, clock=clock)
    await cluster.apply([Create(config("seen"))])
    store.fails = {"core/configmaps/shop/a"}
    outcomes = await asyncio.gather(
        cluster.apply([Create(config("a")), Create(config("b", {"by": "the first"}))]),
        cluster.apply([Update(config("b"))]),
        cluster.apply([Create(config("b", {"by": "the third"}))]),
        cluster.apply([Update(config("seen", {"n": "1"}))]),
        return_exceptions=True,
    )
    assert [type(outcome).__name__ for outcome in outcomes] == ["StoreError", "NotFound", "Applied", "Applied"]
    found = cluster.cache.get(ConfigMap, "shop", "b")
    assert found is not None
    assert found.data == {"by": "the third"}
    await cluster.close()
    cluster = await opened(path)
    assert names(cluster.cache.list(ConfigMap)) == ["b", "seen"]
    await cluster.close()


async def test_another_writer_of_the_store_is_a_conflict(cluster: Cluster) -> None:
    await cluster.apply([Create(config("a"))])
    await cluster.store.commit([Put("core/configmaps/shop/a", b"{}")])
    with pytest.raises(Conflict, match="another writer") as caught:
        await cluster.apply([Update(config("a", {"k": "v"}))])
    assert caught.value.ref == Ref("ConfigMap", "shop", "a")
    assert not isinstance(caught.value, Mismatch)


async def test_an_object_that_cannot_be_read_is_said_left_alone_and_can_be_made_again(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = await SqliteStore.open(path)
    await store.commit([Put("core/configmaps/shop/a", b'{"data": 7}'), Put("core/pods/odd", b"{}")])
    with caplog.at_level(logging.ERROR):
        cluster = await Cluster.open(store, clock=clock)
    assert "core/configmaps/shop/a" in caplog.text
    assert "core/pods/odd" in caplog.text
    assert cluster.cache.get(ConfigMap, "shop", "a") is None
    assert await store.get("core/configmaps/shop/a") is not None
    await cluster.apply([Create(config("a"))])
    await cluster.apply([Delete(Ref("ConfigMap", "shop", "a"))])
    await cluster.apply([Create(config("a"))])
    await cluster.close()


async def test_a_refusal_or_fault_of_admission_concerns_its_caller_alone(path: Path) -> None:
    def admit(object_: Object, view: View) -> Object:
        if object_.metadata.name == "bad":
            raise RuntimeError("a fault of its own")
        return object_

    cluster = await Cluster.open(await SqliteStore.open(path), clock=clock, admit=admit)
    outcomes = await asyncio.gather(
        *(cluster.apply([Create(config(name))]) for name in ("good", "bad", "fine")), return_exceptions=True
    )
    assert [type(outcome).__name__ for outcome in outcomes] == ["Applied", "RuntimeError", "Applied"]
    await cluster.close()


async def test_admission_sees_what_the_same_round_creates(path: Path) -> None:
    def admit(object_: Object, view: View) -> Object:
        return replace(object_, data={"others": str(len(view.list(ConfigMap)))})

    cluster = await Cluster.open(await SqliteStore.open(path), clock=clock, admit=admit)
    await asyncio.gather(*(cluster.apply([Create(config(name))]) for name in "abc"))
    assert [found.data["others"] for found in cluster.cache.list(ConfigMap)] == ["0", "1", "2"]
    await cluster.close()


async def test_orphaning_is_one_commit(cluster: Cluster) -> None:
    (rs,) = (await cluster.apply([Create(replica_set("web"))])).objects
    assert rs is not None
    await cluster.apply([Create(pod("web-1", owner_references=(owner(rs),)))])
    told = list[Sequence[Event]]()
    cluster.cache.subscribe(told.append)
    await cluster.apply([Delete(ref_of(rs), orphan=True)])
    (events,) = told
    assert {(event.type, event.object.kind) for event in events} == {("DELETED", "ReplicaSet"), ("MODIFIED", "Pod")}
    assert cluster.cache.owned_by(Pod, rs.metadata.uid) == ()


async def test_a_closed_cluster_finishes_what_was_asked_and_takes_no_more(path: Path) -> None:
    cluster = await opened(path)
    asked = asyncio.ensure_future(cluster.apply([Create(config("a"))]))
    await asyncio.sleep(0)
    await cluster.close()
    assert (await asked).objects[0] is not None
    change: Change = Create(config("b"))
    with pytest.raises(StoreError, match="closed"):
        await cluster.apply([change])


async def test_a_large_apply_gives_the_event_loop_back(cluster: Cluster) -> None:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0)
            ticks += 1

    ticking = asyncio.ensure_future(tick())
    await cluster.apply([Create(deployment(f"d{i}")) for i in range(2_000)])
    ticking.cancel()
    assert ticks >= 5
