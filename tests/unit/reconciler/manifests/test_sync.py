"""The whole way through on the real store and the real inotify."""

import asyncio
import random
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from reconciler.manifests.prune import PRUNE, Limits
from reconciler.provenance import COMMIT, SOURCE
from reconciler.store.changes import Create, Delete, Update, UpdateStatus
from reconciler.store.cluster import Cluster
from schemas.core.config import ConfigMap
from schemas.core.event import Event
from schemas.meta import ObjectMeta, Ref
from tests.unit.reconciler.manifests.builders import (
    Lab,
    cluster_in,
    config_map,
    config_ref,
    deployment,
    namespace,
    syncing,
)

WEB = Ref("Deployment", "default", "web")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "folder").mkdir()
    return tmp_path / "folder"


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with cluster_in(tmp_path / "data") as opened:
        yield opened


@pytest.fixture
async def lab(cluster: Cluster, folder: Path) -> AsyncIterator[Lab]:
    async with syncing(cluster, folder) as running:
        yield running


def events(lab: Lab, reason: str) -> list[Event]:
    return [event for event in lab.cluster.cache.list(Event) if event.reason == reason]


def found(lab: Lab, ref: Ref) -> Any:  # noqa: ANN401  # the test knows the kind
    return lab.cluster.cache.find(ref)


async def test_a_file_becomes_its_objects_follows_its_edits_and_takes_them_along(lab: Lab) -> None:
    lab.write("other.yaml", config_map("other"))
    lab.write("shop/web.yaml", deployment("web"))
    await lab.until(lambda: found(lab, WEB))
    assert found(lab, WEB).metadata.annotations == {SOURCE: "shop/web.yaml:1"}
    lab.write("shop/web.yaml", deployment("web", "web:2"))
    await lab.until(lambda: found(lab, WEB).spec.template.spec.containers[0].image == "web:2")
    assert found(lab, WEB).metadata.generation == 2
    (lab.folder / "shop" / "web.yaml").unlink()
    await lab.until(lambda: found(lab, WEB) is None)


async def test_all_files_of_one_pass_enter_the_store_in_one_transaction_namespaces_first(
    cluster: Cluster, folder: Path
) -> None:
    (folder / "a.yaml").write_text(config_map("x", namespace="shop") + "---\n" + deployment("web"))
    (folder / "z.yaml").write_text(namespace("shop"))
    commits: list[list[str]] = []
    cluster.cache.subscribe(lambda batch: commits.append([event.object.kind for event in batch]))
    async with syncing(cluster, folder) as lab:
        assert lab.sync.status.faults == ()
    assert commits == [["Namespace", "ConfigMap", "Deployment"]]


async def test_an_unchanged_folder_is_not_written_again_whatever_moves_in_it(lab: Lab) -> None:
    lab.write("a.yaml", config_map("x"))
    await lab.until(lambda: lab.value("x"))
    revision = lab.cluster.cache.revision
    await lab.pass_after(lambda: (lab.folder / "a.yaml").rename(lab.folder / "b.yaml"))
    await lab.pass_after(lambda: lab.write("b.yaml", "# a note\n---\n" + config_map("x")))
    assert lab.cluster.cache.revision == revision
    assert found(lab, config_ref("x")).metadata.annotations[SOURCE] == "a.yaml:1"


async def test_a_broken_file_keeps_its_objects_says_so_once_and_the_others_go_on(
    lab: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    lab.write("web.yaml", deployment("web"))
    lab.write("b.yaml", config_map("x"))
    await lab.until(lambda: found(lab, WEB) and lab.value("x"))
    lab.write("web.yaml", deployment("web").replace("image:", "imagee:"))
    await lab.until(lambda: lab.sync.status.faults)
    lab.write("b.yaml", config_map("x", "2"))
    await lab.until(lambda: lab.value("x") == "2")
    assert found(lab, WEB).spec.template.spec.containers[0].image == "web:1"
    (event,) = events(lab, "InvalidManifest")
    assert (event.involved_object.kind, event.involved_object.name, event.count) == ("Deployment", "web", 1)
    assert event.message.startswith(
        "web.yaml:13: Deployment/web: spec.template.spec.containers[0].imagee: unknown field"
    )
    assert sum("imagee" in record.getMessage() for record in caplog.records) == 1
    lab.write("web.yaml", deployment("web", "web:3"))
    await lab.until(lambda: not lab.sync.status.faults)
    assert found(lab, WEB).spec.template.spec.containers[0].image == "web:3"


async def test_a_fault_of_no_object_is_an_event_of_its_file(lab: Lab) -> None:
    lab.write("Shop/Web_1.yaml", "a: [\n")
    await lab.until(lambda: events(lab, "InvalidManifest"))
    about = events(lab, "InvalidManifest")[0].involved_object
    assert (about.kind, about.name, about.namespace) == ("Source", "shop-web-1-yaml", "default")


async def test_an_object_in_a_namespace_that_is_not_there_waits_for_it(lab: Lab) -> None:
    lab.write("a.yaml", config_map("x", namespace="shop"))
    await lab.until(lambda: lab.sync.status.faults)
    assert str(lab.sync.status.faults[0]) == (
        'a.yaml:1: ConfigMap/x: metadata.namespace: namespace "shop" does not exist: '
        "add a Namespace manifest, or use another namespace"
    )
    lab.write("ns.yaml", namespace("shop"))
    await lab.until(lambda: lab.value("x", "shop"))
    assert lab.sync.status.faults == ()


async def test_what_drifts_is_put_back_and_what_is_free_is_left(lab: Lab) -> None:
    lab.write("web.yaml", deployment("web"))
    await lab.until(lambda: found(lab, WEB))
    live = found(lab, WEB)
    await lab.cluster.apply([Update(replace(live, spec=replace(live.spec, replicas=9, paused=True)))])
    await lab.until(lambda: found(lab, WEB).spec.replicas == 2)
    assert found(lab, WEB).spec.paused
    await lab.cluster.apply([Delete(WEB)])
    await lab.until(lambda: found(lab, WEB))
    assert found(lab, WEB).metadata.uid != live.metadata.uid
    assert lab.sync.status.counts.put_back == 2


async def test_a_change_of_status_calls_for_no_pass_and_neither_do_own_writes(lab: Lab) -> None:
    await lab.pass_after(lambda: lab.write("web.yaml", deployment("web")))
    passes = lab.sync.status.counts.passes
    live = found(lab, WEB)
    await lab.cluster.apply([UpdateStatus(replace(live, status=replace(live.status, replicas=2)))])
    await lab.pass_after(lambda: lab.write("x.yaml", config_map("x")))
    assert lab.sync.status.counts.passes == passes + 1


async def test_an_object_that_is_there_already_is_adopted(lab: Lab) -> None:
    foreign = ConfigMap(metadata=ObjectMeta(name="x", namespace="default"), data={"value": "0", "mine": "1"})
    await lab.cluster.apply([Create(foreign)])
    lab.write("x.yaml", config_map("x"))
    await lab.until(lambda: lab.value("x") == "1")
    assert found(lab, config_ref("x")).data == {"value": "1", "mine": "1"}
    (lab.folder / "x.yaml").unlink()
    lab.write("y.yaml", config_map("other"))
    await lab.until(lambda: lab.value("x") is None)


async def test_an_empty_folder_and_a_vanished_one_take_nothing_along(lab: Lab) -> None:
    lab.write("a.yaml", config_map("x"))
    await lab.until(lambda: lab.value("x"))
    away = lab.folder.rename(lab.folder.parent / "away")
    await lab.until(lambda: lab.sync.status.holding)
    assert "No such file" in lab.sync.status.faults[0].message
    away.rename(lab.folder)
    await lab.until(lambda: not lab.sync.status.holding)
    (lab.folder / "a.yaml").unlink()
    await lab.until(lambda: lab.sync.status.held_back)
    assert lab.value("x")
    assert events(lab, "PruneHeldBack")[0].involved_object.name == "x"
    assert await lab.sync.approve() == (config_ref("x"),)
    assert lab.value("x") is None
    assert lab.sync.status.held_back == ()


async def test_a_mass_deletion_waits_for_a_word_or_for_the_files_to_come_back(cluster: Cluster, folder: Path) -> None:
    for number in range(4):
        (folder / f"{number}.yaml").write_text(config_map(f"c{number}"))
    async with syncing(cluster, folder, limits=Limits(count=1)) as lab:
        shutil.move(folder / "0.yaml", folder / "0.txt")
        await lab.until(lambda: lab.value("c0") is None)
        for number in (1, 2):
            (folder / f"{number}.yaml").unlink()
        await lab.until(lambda: len(lab.sync.status.held_back) == 2)
        lab.write("2.yaml", config_map("c2"))
        await lab.until(lambda: lab.value("c1") is None)
        assert (lab.value("c2"), lab.sync.status.held_back) == ("1", ())


async def test_an_approval_is_of_what_was_shown_and_void_when_more_comes_to_it(cluster: Cluster, folder: Path) -> None:
    for number in range(5):
        (folder / f"{number}.yaml").write_text(config_map(f"c{number}"))
    async with syncing(cluster, folder, limits=Limits(count=1)) as lab:
        for number in (0, 1, 2):
            (folder / f"{number}.yaml").unlink()
        await lab.until(lambda: len(lab.sync.status.held_back) == 3)
        (folder / "3.yaml").unlink()
        assert await lab.sync.approve() == ()
        await lab.until(lambda: len(lab.sync.status.held_back) == 4)
        assert len(await lab.sync.approve()) == 4
        assert [lab.value(f"c{number}") for number in range(5)] == [None, None, None, None, "1"]


async def test_an_object_marked_so_is_never_pruned(lab: Lab) -> None:
    lab.write("a.yaml", config_map("x").replace("{name: x}", f"{{name: x, annotations: {{{PRUNE}: 'false'}}}}"))
    lab.write("b.yaml", config_map("other"))
    await lab.until(lambda: lab.value("x"))
    (lab.folder / "a.yaml").unlink()
    await lab.until(lambda: lab.sync.status.held_back)
    assert await lab.sync.approve() == ()
    assert lab.value("x")


async def test_of_200_quick_edits_half_of_them_broken_the_last_good_versions_stay(lab: Lab) -> None:
    chance, last = random.Random(7), dict[str, str]()
    for step in range(200):
        name = f"f{chance.randrange(8)}"
        if step % 2:
            lab.write(
                f"{name}.yaml", chance.choice([config_map(name) + "oops: 1\n", "kind: [", "", "{{ .x }}"]) or "a: 1"
            )
        else:
            lab.write(f"{name}.yaml", config_map(name, str(step)))
            last[name] = str(step)
            await lab.until(lambda: lab.value(name) == str(step))  # noqa: B023  # called in this round only
    lab.write("end.yaml", config_map("end"))
    await lab.until(lambda: lab.value("end"))
    assert {name: lab.value(name) for name in last} == last


async def test_a_burst_of_edits_ends_in_the_last_state_of_each_file(lab: Lab) -> None:
    for step in range(200):
        lab.write(f"f{step % 5}.yaml", config_map(f"f{step % 5}", str(step)))
    await lab.until(lambda: all(lab.value(f"f{number}") == str(195 + number) for number in range(5)))
    assert lab.sync.status.counts.passes < 20


async def test_a_folder_swapped_by_its_symlink_enters_as_one_state(cluster: Cluster, tmp_path: Path) -> None:
    for version in ("1", "2"):
        for name in ("x", "k"):
            (tmp_path / version).mkdir(exist_ok=True)
            (tmp_path / version / f"{name}.yaml").write_text(config_map(name, version))
    link = tmp_path / "link"
    link.symlink_to("1")
    async with syncing(cluster, link) as lab:
        seen: list[int] = []
        cluster.cache.subscribe(lambda batch: seen.append(len(batch)))
        (tmp_path / "next").symlink_to("2")
        (tmp_path / "next").rename(link)
        await lab.until(lambda: lab.value("x") == "2")
        assert (seen, lab.value("k")) == ([2], "2")


def git(folder: Path, *command: str) -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main")
    done = subprocess.run(["git", *identity, *command], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


async def test_a_git_checkout_enters_when_git_is_done_tagged_with_its_commit(cluster: Cluster, folder: Path) -> None:
    (folder / "a.yaml").write_text(config_map("x", "1"))
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "one")
    git(folder, "checkout", "-qb", "next")
    (folder / "a.yaml").write_text(config_map("x", "2"))
    git(folder, "commit", "-qam", "two")
    two = git(folder, "rev-parse", "HEAD")
    git(folder, "checkout", "-q", "main")
    async with syncing(cluster, folder) as lab:
        assert lab.sync.status.commit == git(folder, "rev-parse", "main")
        await asyncio.to_thread(git, folder, "checkout", "-q", "next")
        await lab.until(lambda: lab.value("x") == "2")
        assert found(lab, config_ref("x")).metadata.annotations[COMMIT] == two
        lock = folder / ".git" / "index.lock"
        lock.touch()
        lab.write("a.yaml", config_map("x", "3"))
        await lab.until(lambda: lab.sync.status.holding)
        assert lab.value("x") == "2"
        lock.unlink()
        await lab.until(lambda: lab.value("x") == "3")


async def test_a_restart_parses_nothing_again_and_keeps_what_only_it_remembers(
    cluster: Cluster, folder: Path, tmp_path: Path
) -> None:
    memory = tmp_path / "memory"
    async with syncing(cluster, folder, memory=memory) as lab:
        lab.write("a.yaml", config_map("x"))
        lab.write("b.yaml", config_map("k"))
        await lab.until(lambda: lab.value("x") and lab.value("k"))
        lab.write("a.yaml", "broken: [\n")
        await lab.until(lambda: lab.sync.status.faults)
    revision = cluster.cache.revision
    async with syncing(cluster, folder, memory=memory) as lab:
        status = lab.sync.status
        assert (status.counts.parses, status.objects, len(status.faults)) == (0, 2, 1)
        assert (lab.value("x"), lab.value("k")) == ("1", "1")
        await cluster.apply([Delete(config_ref("x"))])
        await lab.until(lambda: lab.value("x") == "1")
    assert cluster.cache.revision > revision


async def test_what_was_only_looked_at_again_is_remembered_at_the_end_and_not_before(
    cluster: Cluster, folder: Path, tmp_path: Path
) -> None:
    memory = tmp_path / "memory"
    async with syncing(cluster, folder, memory=memory) as lab:
        lab.write("a.yaml", config_map("x"))
        await lab.until(memory.exists)
        before = memory.read_bytes()
        live = cluster.cache.get(ConfigMap, "default", "x")
        assert live is not None
        noted = replace(live.metadata, annotations=live.metadata.annotations | {"example.org/note": "mine"})
        passes = lab.sync.status.counts.passes
        await cluster.apply([Update(replace(live, metadata=noted))])
        await lab.until(lambda: lab.sync.status.counts.passes > passes)
        assert memory.read_bytes() == before
    after = memory.read_bytes()
    assert after != before
    async with syncing(cluster, folder, memory=memory) as lab:
        assert lab.value("x")
    assert memory.read_bytes() == after


@pytest.mark.parametrize("content", [None, b"", b"\x00rubbish", b"{}"])
async def test_without_a_usable_memory_all_is_found_out_again(
    cluster: Cluster, folder: Path, tmp_path: Path, content: bytes | None
) -> None:
    memory = tmp_path / "memory"
    (folder / "a.yaml").write_text(config_map("x"))
    async with syncing(cluster, folder) as lab:
        assert lab.value("x")
    revision = cluster.cache.revision
    if content is not None:
        memory.write_bytes(content)
    async with syncing(cluster, folder, memory=memory) as lab:
        assert lab.sync.status.counts.parses == 1
    assert cluster.cache.revision == revision


async def test_a_memory_from_before_a_kill_does_not_bring_back_what_was_good_before_the_last_good_version(
    cluster: Cluster, folder: Path, tmp_path: Path
) -> None:
    memory = tmp_path / "memory"
    (folder / "a.yaml").write_text(config_map("x", "1"))
    async with syncing(cluster, folder, memory=memory) as lab:
        assert lab.value("x") == "1"
    remembered = memory.read_bytes()
    async with syncing(cluster, folder, memory=memory) as lab:
        lab.write("a.yaml", config_map("x", "2"))
        await lab.until(lambda: lab.value("x") == "2")
    (folder / "a.yaml").write_text("broken: [\n")
    memory.write_bytes(remembered)
    async with syncing(cluster, folder, memory=memory) as lab:
        assert (lab.value("x"), lab.sync.status.objects) == ("2", 0)
        assert "a.yaml has faults" in lab.sync.status.held_back[0].reason
        lab.write("a.yaml", config_map("x", "3"))
        await lab.until(lambda: lab.value("x") == "3")


async def test_a_file_broken_while_nobody_looked_keeps_its_objects_as_remembered(
    cluster: Cluster, folder: Path, tmp_path: Path
) -> None:
    memory = tmp_path / "memory"
    (folder / "a.yaml").write_text(config_map("x", "1"))
    async with syncing(cluster, folder, memory=memory) as lab:
        assert lab.value("x") == "1"
    (folder / "a.yaml").write_text("broken: [\n")
    async with syncing(cluster, folder, memory=memory) as lab:
        await cluster.apply([Delete(config_ref("x"))])
        await lab.until(lambda: lab.value("x") == "1")


async def test_a_restart_and_a_file_that_is_only_touched_write_nothing(
    cluster: Cluster, folder: Path, tmp_path: Path
) -> None:
    memory = tmp_path / "memory"
    (folder / "a.yaml").write_text(config_map("x"))
    (folder / "b.yaml").write_text("broken: [\n")
    async with syncing(cluster, folder, memory=memory):
        pass
    written, revision = memory.stat(), cluster.cache.revision
    async with syncing(cluster, folder, memory=memory) as lab:
        for file in ("a.yaml", "b.yaml"):
            text = (lab.folder / file).read_text()
            (lab.folder / file).touch()
            await lab.pass_after((lab.folder / file).open("ab").close)
            await lab.pass_after(lambda: lab.write(file, text))  # noqa: B023  # called in this round only
        assert lab.sync.status.counts.parses == 0
    assert cluster.cache.revision == revision
    assert (memory.stat().st_ino, memory.stat().st_mtime_ns) == (written.st_ino, written.st_mtime_ns)


async def test_a_start_over_a_broken_file_keeps_the_objects_that_say_they_came_from_it(
    cluster: Cluster, folder: Path
) -> None:
    (folder / "a.yaml").write_text(config_map("x"))
    (folder / "b.yaml").write_text(config_map("k"))
    async with syncing(cluster, folder) as lab:
        assert lab.value("x")
    (folder / "a.yaml").write_text("broken: [\n")
    (folder / "b.yaml").unlink()
    async with syncing(cluster, folder) as lab:
        assert (lab.value("x"), lab.value("k")) == ("1", None)
        assert "a.yaml has faults" in lab.sync.status.held_back[0].reason


async def test_a_start_without_the_folder_deletes_nothing(cluster: Cluster, folder: Path) -> None:
    (folder / "a.yaml").write_text(config_map("x"))
    async with syncing(cluster, folder) as lab:
        assert lab.value("x")
    shutil.rmtree(folder)
    async with syncing(cluster, folder) as lab:
        assert lab.sync.status.holding
        assert [one.ref for one in lab.sync.status.held_back] == [config_ref("x")]
        assert lab.value("x")


async def test_a_secret_whose_base64_is_broken_over_lines_enters_and_is_settled(lab: Lab) -> None:
    lab.write("s.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata:\n  a: |\n    aGVs\n    bG8=\n")
    secret = Ref("Secret", "default", "s")
    await lab.until(lambda: found(lab, secret))
    assert found(lab, secret).data == {"a": b"hello"}
    assert lab.sync.status.faults == ()
    revision = lab.cluster.cache.revision
    await lab.pass_after(lambda: lab.write("s.yaml", (lab.folder / "s.yaml").read_text() + "# a note\n"))
    assert lab.cluster.cache.revision == revision


async def test_a_file_emptied_on_purpose_takes_its_objects_along(lab: Lab) -> None:
    lab.write("a.yaml", config_map("x"))
    lab.write("b.yaml", config_map("other"))
    await lab.until(lambda: lab.value("x") and lab.value("other"))
    (lab.folder / "a.yaml").write_text("")
    await lab.until(lambda: lab.value("x") is None)


async def test_a_writer_that_is_quicker_is_looked_at_again(lab: Lab) -> None:
    lab.write("x.yaml", config_map("x"))
    await lab.until(lambda: lab.value("x"))
    for step in range(20):
        lab.write("x.yaml", config_map("x", str(step)))
        live = found(lab, config_ref("x"))
        await lab.cluster.apply([Update(replace(live, data={"value": "other", "mine": str(step)}))])
    await lab.until(lambda: lab.value("x") == "19")
    assert found(lab, config_ref("x")).data["mine"] == "19"
