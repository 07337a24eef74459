"""A sync over folders with units: the real watch tells of every input, and of nothing else."""

import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from reconciler.store.cluster import Cluster
from tests.unit.reconciler.manifests.builders import Lab, cluster_in, config_map, syncing


@pytest.fixture
async def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Cluster]:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    async with cluster_in(tmp_path / "data") as opened:
        yield opened


@pytest.fixture
async def lab(tmp_path: Path, cluster: Cluster) -> AsyncIterator[Lab]:
    """An overlay in the folder, its base beside it, and a generator with a hidden file."""
    folder, base = tmp_path / "folder", tmp_path / "base"
    for place in (folder, base):
        place.mkdir()
    (base / "a.yaml").write_text(config_map("a"))
    (base / "kustomization.yaml").write_text("resources: [a.yaml]\n")
    (folder / ".env").write_text("value=1\n")
    generated = "configMapGenerator: [{name: g, envs: [.env], options: {disableNameSuffixHash: true}}]\n"
    (folder / "kustomization.yaml").write_text(f"resources: [../base]\n{generated}")
    async with syncing(cluster, folder, memory=tmp_path / "memory") as running:
        yield running


async def test_an_edit_of_any_input_reaches_the_cluster(lab: Lab) -> None:
    assert (lab.value("a"), lab.value("g")) == ("1", "1")
    (lab.folder.parent / "base" / "a.yaml").write_text(config_map("a", "2"))
    await lab.until(lambda: lab.value("a") == "2")
    (lab.folder / ".env").write_text("value=2\n")
    await lab.until(lambda: lab.value("g") == "2")
    lab.write("more.yaml", config_map("more"))
    lab.write("kustomization.yaml", "resources: [../base, more.yaml]\n")
    await lab.until(lambda: lab.value("more") == "1")


async def test_a_broken_build_keeps_the_last_good_version_and_a_mended_one_goes_on(lab: Lab) -> None:
    base = lab.folder.parent / "base"
    (base / "a.yaml").write_text("a: [")
    await lab.until(lambda: lab.sync.status.faults)
    (fault,) = lab.sync.status.faults
    assert fault.file == "kustomization.yaml"
    assert (lab.value("a"), lab.value("g")) == ("1", "1")
    (base / "a.yaml").write_text(config_map("a", "3"))
    await lab.until(lambda: lab.value("a") == "3")
    assert lab.sync.status.faults == ()


async def test_a_base_that_comes_later_is_seen_to_come(lab: Lab) -> None:
    lab.write("kustomization.yaml", "resources: [../new/base]\n")
    await lab.until(lambda: lab.sync.status.faults)
    new = lab.folder.parent / "new" / "base"
    new.mkdir(parents=True)
    (new / "b.yaml").write_text(config_map("b"))
    (new / "kustomization.yaml").write_text("resources: [b.yaml]\n")
    await lab.until(lambda: lab.value("b") == "1")


async def test_a_file_that_becomes_readable_is_seen_to(lab: Lab) -> None:
    """Root reads all files: that the change of mode is told of has to do."""
    reads = lab.sync.status.counts.passes
    (lab.folder / "kustomization.yaml").chmod(0o600)
    await lab.until(lambda: lab.sync.status.counts.passes > reads)
    assert lab.sync.status.faults == ()
