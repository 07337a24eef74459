"""Objects that wait for others, over the real store, cache and inotify."""

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from reconciler.manifests.memory import recall
from reconciler.store.changes import Create, Delete, Update, UpdateStatus
from schemas.core.config import ConfigMap, Namespace
from schemas.dependson import DEPENDS_ON
from schemas.meta import ObjectMeta, Ref
from tests.unit.reconciler.manifests.builders import Lab, cluster_in, config_ref, deployment, syncing

DB = Ref("Deployment", "default", "db")
WEB = config_ref("web")


def dependent(name: str, value: str = "1", *, on: str = "Deployment/db") -> str:
    return (
        f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n  annotations:\n"
        f"    {DEPENDS_ON}: {on}\ndata: {{value: '{value}'}}\n"
    )


async def fares(lab: Lab, ref: Ref, ready: int) -> None:
    """What its controller would say once the Deployment has that many pods."""
    live: Any = lab.cluster.cache.find(ref)
    counts = dict.fromkeys(("replicas", "ready_replicas", "updated_replicas", "available_replicas"), ready)
    status = replace(live.status, observed_generation=live.metadata.generation, **counts)
    await lab.cluster.apply([UpdateStatus(replace(live, status=status))])


async def idle(lab: Lab) -> None:
    """Whatever the folder and the cluster gave reason for has been done."""
    await lab.pass_after(lambda: lab.write("idle.yaml", f"# {lab.sync.status.counts.passes}\n"))


def faults(lab: Lab) -> list[str]:
    return [str(fault) for fault in lab.sync.status.faults]


async def test_an_object_is_made_once_what_it_depends_on_is_healthy(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    folder.mkdir()
    (folder / "web.yaml").write_text(dependent("web"))
    (folder / "db.yaml").write_text(deployment("db"))
    async with cluster_in(tmp_path / "data") as cluster, syncing(cluster, folder) as lab:
        await lab.until(lambda: cluster.cache.find(DB))
        await idle(lab)
        assert lab.value("web") is None
        assert lab.sync.carrier.waiting.open == {WEB: (DB,)}
        await fares(lab, DB, 1)
        await idle(lab)
        assert lab.value("web") is None
        await fares(lab, DB, 2)
        await lab.until(lambda: lab.value("web"))
        assert not lab.sync.carrier.waiting.open
        assert not lab.sync.status.faults


async def test_a_change_waits_until_the_change_of_what_it_depends_on_is_healthy(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    folder.mkdir()
    (folder / "all.yaml").write_text(f"{dependent('web')}---\n{deployment('db')}")
    async with cluster_in(tmp_path / "data") as cluster, syncing(cluster, folder) as lab:
        await lab.until(lambda: cluster.cache.find(DB))
        await fares(lab, DB, 2)
        await lab.until(lambda: lab.value("web") == "1")
        lab.write("all.yaml", f"{dependent('web', '2')}---\n{deployment('db', 'web:2')}")
        await lab.until(lambda: cluster.cache.find(DB).metadata.generation == 2)  # type: ignore[union-attr]
        await idle(lab)
        assert lab.value("web") == "1"
        await fares(lab, DB, 2)
        await lab.until(lambda: lab.value("web") == "2")


async def test_what_runs_stays_and_is_put_back_while_its_dependency_is_unwell(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    folder.mkdir()
    (folder / "all.yaml").write_text(f"{dependent('web')}---\n{deployment('db')}")
    async with cluster_in(tmp_path / "data") as cluster, syncing(cluster, folder) as lab:
        await lab.until(lambda: cluster.cache.find(DB))
        await fares(lab, DB, 2)
        await lab.until(lambda: lab.value("web"))
        await fares(lab, DB, 0)
        await idle(lab)
        assert lab.value("web") == "1"
        assert not lab.sync.carrier.waiting.open
        live: Any = cluster.cache.find(WEB)
        await cluster.apply([Update(replace(live, data={"value": "drifted"}))])
        await lab.until(lambda: lab.value("web") == "1")


async def test_waiting_survives_a_restart_with_and_without_memory(tmp_path: Path) -> None:
    folder, memory = tmp_path / "m", tmp_path / "memory"
    folder.mkdir()
    (folder / "all.yaml").write_text(f"{dependent('web')}---\n{deployment('db')}")
    async with cluster_in(tmp_path / "data") as cluster:
        async with syncing(cluster, folder, memory=memory) as lab:
            await lab.until(lambda: cluster.cache.find(DB))
        assert recall(memory).synced
        for kept in (memory, None):
            async with syncing(cluster, folder, memory=kept) as lab:
                await idle(lab)
                assert lab.sync.carrier.waiting.open == {WEB: (DB,)}
                assert lab.value("web") is None
        async with syncing(cluster, folder, memory=memory) as lab:
            await fares(lab, DB, 2)
            await lab.until(lambda: lab.value("web"))


async def test_a_ring_over_two_files_is_refused_until_it_is_opened(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    folder.mkdir()
    (folder / "a.yaml").write_text(dependent("a", on="ConfigMap/b"))
    (folder / "b.yaml").write_text(dependent("b", on="ConfigMap/a"))
    async with cluster_in(tmp_path / "data") as cluster, syncing(cluster, folder) as lab:
        assert [fault.partition(" -> ")[0] for fault in faults(lab)] == [
            f"{one}.yaml:6: ConfigMap/{one}: metadata.annotations[{DEPENDS_ON}]: "
            f"waits for itself: ConfigMap default/{one}"
            for one in "ab"
        ]
        assert lab.value("a") is lab.value("b") is None
        lab.write("b.yaml", dependent("b", on="Namespace/default"))
        await lab.until(lambda: "Namespace default is declared nowhere" in "".join(faults(lab)))
        await cluster.apply([Create(Namespace(metadata=ObjectMeta(name="default")))])
        await lab.until(lambda: lab.value("a") and lab.value("b"))
        assert not faults(lab)


async def test_a_dependency_that_nobody_declares_is_a_fault_as_long_as_it_is_missing(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    folder.mkdir()
    (folder / "web.yaml").write_text(dependent("web", on="ConfigMap/base"))
    async with cluster_in(tmp_path / "data") as cluster, syncing(cluster, folder) as lab:
        told = f"web.yaml:6: ConfigMap/web: metadata.annotations[{DEPENDS_ON}]: ConfigMap default/base is declared"
        assert [fault.startswith(told) for fault in faults(lab)] == [True]
        await cluster.apply([Create(ConfigMap(metadata=ObjectMeta(name="base", namespace="default")))])
        await lab.until(lambda: lab.value("web") and not faults(lab))
        await cluster.apply([Delete(config_ref("base"))])
        await lab.until(lambda: faults(lab))
        assert lab.value("web") == "1"


@pytest.mark.parametrize("broken", ["kind: [", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: base}\ndata: 3\n"])
async def test_a_dependency_whose_file_broke_keeps_others_waiting(tmp_path: Path, broken: str) -> None:
    folder = tmp_path / "m"
    folder.mkdir()
    base = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: base}\n"
    (folder / "base.yaml").write_text(base)
    (folder / "web.yaml").write_text(dependent("web", on="ConfigMap/base"))
    async with cluster_in(tmp_path / "data") as cluster, syncing(cluster, folder) as lab:
        await lab.until(lambda: lab.value("web") == "1")
        lab.write("base.yaml", broken)
        await lab.until(lambda: faults(lab))
        lab.write("web.yaml", dependent("web", "2", on="ConfigMap/base"))
        await idle(lab)
        assert lab.value("web") == "1"
        lab.write("base.yaml", base)
        await lab.until(lambda: lab.value("web") == "2")


async def test_what_others_depend_on_goes_after_them(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    folder.mkdir()
    stays = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: stays}\n"
    (folder / "stays.yaml").write_text(stays)
    (folder / "base.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: base}\n")
    (folder / "web.yaml").write_text(
        dependent("web", on="ConfigMap/base").replace(
            "  annotations:", "  finalizers: [example.com/hold]\n  annotations:"
        )
    )
    gone: list[Ref] = []
    async with cluster_in(tmp_path / "data") as cluster, syncing(cluster, folder) as lab:
        await lab.until(lambda: lab.value("web"))
        cluster.cache.subscribe(
            lambda events: gone.extend(config_ref(e.object.metadata.name) for e in events if not e.new)
        )
        (folder / "web.yaml").unlink()
        (folder / "base.yaml").unlink()
        await lab.until(lambda: cluster.cache.find(WEB).metadata.deletion_timestamp)  # type: ignore[union-attr]
        await idle(lab)
        assert cluster.cache.find(config_ref("base"))
        ending: Any = cluster.cache.find(WEB)
        await cluster.apply([Update(replace(ending, metadata=replace(ending.metadata, finalizers=())))])
        await lab.until(lambda: cluster.cache.find(config_ref("base")) is None)
        assert gone == [WEB, config_ref("base")]
