"""What is remembered of the states of the folder."""

import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from reconciler.manifests.checkout import Checkout
from reconciler.manifests.describing import describe
from reconciler.manifests.history import (
    MOST_BYTES,
    MOST_RECORDS,
    PREFIX,
    Action,
    Changes,
    Description,
    History,
    Record,
    decoded,
    encoded,
    grouped,
)
from reconciler.store.cache import Cache
from reconciler.store.changes import Update, UpdateStatus
from reconciler.store.cluster import Cluster
from reconciler.store.interface import Entry, Put
from schemas.apps import DeploymentStatus
from schemas.core.config import ConfigMap
from schemas.meta import Object, ObjectMeta, Ref, ref_of
from tests.unit.reconciler.controllers import builders
from tests.unit.reconciler.manifests.builders import Lab, cluster_in, config_map, config_ref, deployment, syncing

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WEB = Ref("Deployment", "default", "web")


class Book:
    """A history over a view, and the entries as a store would keep them."""

    def __init__(self) -> None:
        self.cache, self.now = Cache(1), NOW
        self.entries: dict[str, bytes] = {}
        self.durable = 0
        self.history = self.opened()

    def opened(self) -> History:
        history = History(self.cache, lambda: self.now)
        history.load([Entry(key, value, 1, 1) for key, value in self.entries.items()])
        return history

    def put(self, *objects: Object) -> None:
        self.now += timedelta(seconds=1)
        self.cache.push(self.cache.revision + len(objects), [(ref_of(one), one) for one in objects], 1, 0.0)
        for one in objects:
            self.history.see(ref_of(one))

    def commit(self, changes: Changes, *objects: Object, commit: str = "") -> None:
        """The changes, with the objects as they are right after it."""
        planned = self.history.plan(changes, commit)
        for operation in planned.operations:
            if isinstance(operation, Put):
                self.entries[operation.key] = operation.value
                self.durable += operation.durable
            else:
                del self.entries[operation.key]
        self.put(*objects)
        self.history.take(planned)

    def flush(self) -> None:
        while self.history.has_news:
            self.commit({})

    def records(self) -> Sequence[Record]:
        """Newest first."""
        found = (decoded(self.entries[key]) for key in sorted(self.entries, reverse=True))
        return [record for record in found if record is not None]


def web(ready: int = 0, *, generation: int = 1, seen: int = 1) -> Object:
    one = builders.deployment(2)
    counts = dict.fromkeys(("replicas", "ready_replicas", "updated_replicas", "available_replicas"), ready)
    status = DeploymentStatus(observed_generation=seen, **counts)  # type: ignore[arg-type]
    return replace(one, metadata=replace(one.metadata, generation=generation), status=status)


def config(name: str) -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name=name, namespace="default"))


CREATED: dict[Ref, Action] = {WEB: "created"}


def test_a_record_converges_when_all_of_it_is_healthy() -> None:
    book = Book()
    book.commit(CREATED | {config_ref("a"): "created"}, web(), config("a"), commit="c1")
    (record,) = book.records()
    assert (record.commit, record.committed, record.converged) == ("c1", NOW, None)
    book.put(web(1))
    assert not book.history.has_news
    book.put(web(2))
    book.flush()
    (record,) = book.records()
    assert record.converged == NOW + timedelta(seconds=3)
    assert dict(record.all_changes()) == CREATED | {config_ref("a"): "created"}
    assert book.durable == 1


def test_what_is_healthy_at_once_converges_at_once() -> None:
    book = Book()
    book.commit({config_ref("a"): "created"}, config("a"))
    assert not book.history.has_news
    assert book.records()[0].converged


def test_a_change_of_the_same_object_supersedes_what_had_not_converged() -> None:
    book = Book()
    book.commit(CREATED, web(), commit="c1")
    book.history.begin()
    book.commit({WEB: "updated"}, web(generation=2), commit="c2")
    book.put(web(2, generation=2, seen=2))
    book.flush()
    newest, oldest = book.records()
    assert (newest.commit, newest.is_superseded, bool(newest.converged)) == ("c2", False, True)
    assert (oldest.commit, oldest.is_superseded, oldest.converged) == ("c1", True, None)


def test_what_waited_belongs_to_the_state_that_declared_it() -> None:
    book = Book()
    book.commit(CREATED, web(), commit="c1")
    book.put(web(2))
    book.commit({config_ref("a"): "created"}, config("a"), commit="c1")
    book.flush()
    (record,) = book.records()
    assert dict(record.all_changes()) == CREATED | {config_ref("a"): "created"}
    assert record.converged


def test_a_deletion_has_converged_when_the_object_is_gone() -> None:
    book = Book()
    book.put(replace(web(2), metadata=replace(web(2).metadata, finalizers=("example.com/hold",))))
    book.commit({WEB: "deleted"})
    book.flush()
    assert not book.records()[0].converged
    book.cache.push(book.cache.revision + 1, [(WEB, None)], 1, 0.0)
    book.history.see(WEB)
    book.flush()
    assert book.records()[0].converged


def test_a_restart_finds_out_what_is_left_and_what_has_converged_meanwhile() -> None:
    book = Book()
    book.commit(CREATED, web(), commit="c1")
    book.history = book.opened()
    assert book.history.undescribed == {"c1"}
    assert not book.history.has_news
    book.cache.push(book.cache.revision + 1, [(WEB, web(2))], 1, 0.0)
    book.history = book.opened()
    book.flush()
    assert book.records()[0].converged


def test_a_restart_sees_what_was_superseded() -> None:
    book = Book()
    book.commit(CREATED, web(), commit="c1")
    first = dict(book.entries)
    book.history.begin()
    book.commit({WEB: "updated"}, web(generation=2), commit="c2")
    book.entries |= first  # killed before it was written
    book.history = book.opened()
    book.flush()
    assert [record.is_superseded for record in book.records()] == [False, True]


def test_the_history_is_bounded_by_number_and_by_size() -> None:
    book = Book()
    for number in range(MOST_RECORDS + 5):
        book.history.begin()
        book.commit({config_ref("a"): "updated"}, config("a"), commit=f"c{number}")
        book.flush()
    assert len(book.entries) == MOST_RECORDS
    assert book.records()[-1].commit == "c5"
    many: dict[Ref, Action] = {config_ref("n" * 250 + str(number)): "created" for number in range(MOST_BYTES // 400)}
    for _ in range(3):
        book.history.begin()
        book.commit(many)
    assert sum(map(len, book.entries.values())) <= MOST_BYTES
    assert len(book.entries) == 1


def test_git_is_asked_once_for_each_commit() -> None:
    book = Book()
    book.commit(CREATED, web(), commit="c1")
    assert book.history.undescribed == {"c1"}
    book.history.describe("c1", Description("A. Body", NOW, "Add web"))
    assert not book.history.undescribed
    book.flush()
    assert book.records()[0].description == Description("A. Body", NOW, "Add web")


def test_names_are_kept_by_what_they_have_in_common() -> None:
    found = grouped({config_ref("b"): "created", config_ref("a"): "created", WEB: "deleted"})
    assert [(group.action, group.kind, group.names) for group in found] == [
        ("created", "ConfigMap", ("a", "b")),
        ("deleted", "Deployment", ("web",)),
    ]
    assert decoded(b"{}") is None
    record = Record(committed=NOW, changes=found)
    assert decoded(encoded(record)) == record


async def kept(cluster: Cluster) -> list[Record]:
    found = [decoded(entry.value) for entry in await cluster.store.list(PREFIX)]
    return [record for record in reversed(found) if record is not None]


async def test_each_state_of_the_folder_is_kept_in_the_store(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    folder.mkdir()
    async with cluster_in(tmp_path / "data") as cluster:
        async with syncing(cluster, folder) as lab:
            await lab.pass_after(lambda: lab.write("web.yaml", deployment("web")))
            lab.write("a.yaml", config_map("a"))
            await lab.until(lambda: lab.value("a"))
            await settled(lab)
            a, deployed = await kept(cluster)
            assert (dict(a.all_changes()), bool(a.converged)) == ({config_ref("a"): "created"}, True)
            assert (dict(deployed.all_changes()), deployed.converged) == (CREATED, None)
        async with syncing(cluster, folder) as lab:
            assert len(await kept(cluster)) == 2
            live: Any = cluster.cache.find(WEB)
            counts = dict.fromkeys(("replicas", "ready_replicas", "updated_replicas", "available_replicas"), 2)
            status = replace(live.status, observed_generation=1, **counts)
            await cluster.apply([UpdateStatus(replace(live, status=status))])
            await settled(lab)
            assert (await kept(cluster))[1].converged


async def test_what_is_put_back_and_what_does_not_change_is_no_history(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    folder.mkdir()
    async with cluster_in(tmp_path / "data") as cluster, syncing(cluster, folder) as lab:
        lab.write("a.yaml", config_map("a"))
        await lab.until(lambda: lab.value("a"))
        await settled(lab)
        before, revision = await kept(cluster), cluster.store.revision
        await lab.pass_after(lambda: lab.write("a.yaml", config_map("a") + "# nothing\n"))
        assert cluster.store.revision == revision
        live: Any = cluster.cache.find(config_ref("a"))
        await cluster.apply([Update(replace(live, data={"value": "drifted"}))])
        await lab.until(lambda: lab.value("a") == "1")
        await settled(lab)
        assert await kept(cluster) == before


async def settled(lab: Lab) -> None:
    await lab.until(lambda: not lab.sync.carrier.history.has_news)


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=A. Body", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, "-C", str(folder), *arguments], check=True, capture_output=True)


async def test_a_record_says_who_made_the_commit_and_what_it_is_about(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "a.yaml").write_text(config_map("a"))
    git(folder, "add", "a.yaml")
    git(folder, "commit", "-q", "-m", "Add a", "-m", "Because.")
    async with cluster_in(tmp_path / "data") as cluster, syncing(cluster, folder) as lab:
        await lab.until(lambda: lab.value("a") and not lab.sync.carrier.history.undescribed)
        await settled(lab)
        (record,) = await kept(cluster)
        assert record.description is not None
        assert (record.description.author, record.description.subject) == ("A. Body <a@example.com>", "Add a")
        assert len(record.commit) == 40


def test_a_commit_that_git_does_not_have_is_not_described(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    assert describe(Checkout(tmp_path, tmp_path / ".git"), "0" * 40) == Description()
    assert describe(Checkout(tmp_path / "none", tmp_path), "--output=/dev/null") == Description()
