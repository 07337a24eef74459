"""Claims, shares and local directories on a node."""

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from nodeagent.pods.fieldpaths import PodFacts
from nodeagent.pods.node import Directories, NodeFacts
from nodeagent.volumes import shares
from nodeagent.volumes.ownership import hand_to
from nodeagent.volumes.plan import HostPath, Local, Planned, Share, VolumeFault, config_keys, is_read_only, plan_volumes
from nodeagent.volumes.preparing import Volumes
from nodeagent.volumes.shares import command
from schemas.core.volume import HostPathVolumeSource, NFSVolumeSource
from schemas.messages import ClaimedVolume, Config
from tests.unit.nodeagent.pods.builders import pod

SHARE = NFSVolumeSource(path="/export", server="10.0.0.9")


def plan(volume: ClaimedVolume | None, **source: Any) -> Planned:  # noqa: ANN401 - as YAML
    claim = {"name": "v", "persistentVolumeClaim": {"claimName": "data", **source}}
    facts = PodFacts(pod(volumes=[claim]), NodeFacts(name="n"))
    config = Config("PersistentVolumeClaim", "default", "data", volume=volume)
    return plan_volumes(facts, {config.key: config} if volume else {})[0]


@pytest.mark.parametrize(
    ("volume", "source", "planned"),
    [
        pytest.param(ClaimedVolume(name="pv", local="/disk"), {}, Local("v", "/disk"), id="local"),
        pytest.param(
            ClaimedVolume(name="pv", local="/d/pvc-1", provisioned=True),
            {},
            Local("v", "/d/pvc-1", True),
            id="made here",
        ),
        pytest.param(
            ClaimedVolume(name="pv", host_path=HostPathVolumeSource("/x", "Directory")),
            {"readOnly": True},
            HostPath("v", "/x", "Directory", True),
            id="host path, read only",
        ),
        pytest.param(
            ClaimedVolume(name="pv", nfs=SHARE, mount_options=("nfsvers=4.2", "noatime")),
            {},
            Share("v", "10.0.0.9", "/export", ("nfsvers=4.2", "noatime")),
            id="share with options",
        ),
        pytest.param(
            ClaimedVolume(name="pv", nfs=NFSVolumeSource("/e", "s", True)),
            {},
            Share("v", "s", "/e", (), True),
            id="read only",
        ),
    ],
)
def test_a_claim_is_what_it_is_bound_to(volume: ClaimedVolume, source: dict[str, Any], planned: Planned) -> None:
    found = plan(volume, **source)
    assert found == planned
    assert is_read_only(found) == planned.read_only  # type: ignore[union-attr] # none of these is without


def test_a_share_may_be_named_by_the_pod_itself() -> None:
    facts = PodFacts(pod(volumes=[{"name": "v", "nfs": {"path": "/e", "server": "s"}}]), NodeFacts(name="n"))
    assert plan_volumes(facts, {}) == (Share("v", "s", "/e"),)


def test_a_pod_waits_for_a_claim_that_is_not_bound() -> None:
    with pytest.raises(VolumeFault, match='PersistentVolumeClaim "data" is not bound'):
        plan(None)


def test_a_pod_looks_again_when_its_claim_is_bound() -> None:
    claim = {"name": "v", "persistentVolumeClaim": {"claimName": "data"}}
    own = {"name": "own", "ephemeral": {"volumeClaimTemplate": {"spec": {}}}}
    asked = pod("web", volumes=[claim, own])
    assert config_keys(asked) == {"persistentvolumeclaim/default/data", "persistentvolumeclaim/default/web-own"}


@pytest.mark.parametrize(
    ("share", "words"),
    [
        pytest.param(Share("v", "s", "/e"), ["mount", "-t", "nfs", "--", "s:/e", "/t"], id="plain"),
        pytest.param(
            Share("v", "fd00::1", "/e", ("noatime",), True),
            ["mount", "-t", "nfs", "-o", "noatime,ro", "--", "[fd00::1]:/e", "/t"],
            id="IPv6, options, read only",
        ),
    ],
)
def test_shares_are_mounted_by_the_nodes_own_program(share: Share, words: list[str]) -> None:
    assert command(share, Path("/t")) == words


@pytest.mark.parametrize(
    ("script", "fault"),
    [
        pytest.param('echo "$@" > "$0.asked"', "", id="mounted"),
        pytest.param("echo mount.nfs: access denied by server >&2; exit 32", "access denied by server", id="refused"),
        pytest.param("exec sleep 60", "no answer of s within", id="a server that is away"),
    ],
)
def test_what_the_program_says_is_told(
    script: str, fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in = tmp_path / "bin" / "mount"
    stand_in.parent.mkdir()
    stand_in.write_text(f"#!/bin/sh\n{script}\n")
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", str(stand_in.parent), prepend=":")
    monkeypatch.setattr(shares, "MOUNT_SECONDS", 0.3)
    if fault:
        with pytest.raises(VolumeFault, match=fault):
            shares.mount_share(Share("v", "s", "/e"), tmp_path / "target")
        return
    shares.mount_share(Share("v", "s", "/e"), tmp_path / "target")
    assert Path(f"{stand_in}.asked").read_text() == f"-t nfs -- s:/e {tmp_path / 'target'}\n"


@pytest.fixture
def volumes(tmp_path: Path) -> Volumes:
    return Volumes(Directories(tmp_path / "data", tmp_path / "run", tmp_path / "logs"))


def test_a_directory_of_ours_is_made_once_and_kept_when_the_pod_goes(volumes: Volumes, tmp_path: Path) -> None:
    local = Local("v", str(tmp_path / "disk" / "pvc-1_default_data"), is_ours=True)
    volumes.attach("u", local)
    path = volumes.path("u", local)
    assert path.stat().st_mode & 0o777 == 0o777
    (path / "kept").write_text("x")
    volumes.attach("u", local)
    volumes.remove("u")
    assert (path / "kept").read_text() == "x"


def test_a_local_volume_that_is_not_there_is_not_made(volumes: Volumes, tmp_path: Path) -> None:
    with pytest.raises(VolumeFault, match="does not exist"):
        volumes.attach("u", Local("v", str(tmp_path / "disk")))
    (tmp_path / "file").touch()
    with pytest.raises(VolumeFault, match="is not a directory"):
        volumes.attach("u", Local("v", str(tmp_path / "file")))


def test_a_simulated_node_keeps_its_volumes_to_itself(tmp_path: Path) -> None:
    simulated = Volumes(Directories(tmp_path / "data", tmp_path / "run", tmp_path / "logs"), may_mount=False)
    local = Local("v", str(tmp_path / "disk" / "pvc-1"), is_ours=True)
    simulated.attach("u", local)
    assert simulated.path("u", local).is_dir()
    assert not (tmp_path / "disk").exists()


def test_what_was_made_for_a_volume_is_removed_and_nothing_else_is(volumes: Volumes, tmp_path: Path) -> None:
    made, other, elsewhere = tmp_path / "pvc-1_default_data", tmp_path / "etc", tmp_path / "pvc-2_default_link"
    (made / "deep").mkdir(parents=True)
    other.mkdir()
    elsewhere.symlink_to(other)
    for directory in (made, made, elsewhere):
        volumes.discard(str(directory))
    with pytest.raises(PermissionError):
        volumes.discard(str(other))
    assert sorted(one.name for one in tmp_path.iterdir()) == ["etc"]


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files to another group")
def test_a_group_gets_all_that_lies_in_a_volume_and_what_is_right_is_not_written(tmp_path: Path) -> None:
    inner, link = tmp_path / "a" / "b", tmp_path / "link"
    inner.parent.mkdir()
    inner.write_text("x")
    inner.chmod(0o600)
    link.symlink_to("/etc/passwd")
    hand_to(tmp_path, 4321, if_needed=False)
    assert [one.lstat().st_gid for one in (tmp_path, inner.parent, inner, link)] == [4321] * 4
    assert stat.S_IMODE(inner.stat().st_mode) == 0o660
    assert stat.S_IMODE(inner.parent.stat().st_mode) & 0o2770 == 0o2770
    assert Path("/etc/passwd").stat().st_gid == 0
    before = inner.stat().st_ctime_ns
    hand_to(tmp_path, 4321, if_needed=False)
    assert inner.stat().st_ctime_ns == before


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files to another group")
def test_with_on_root_mismatch_only_the_top_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    hand_to(tmp_path, 4321, if_needed=True)
    os.chown(tmp_path / "a", -1, 0)
    hand_to(tmp_path, 4321, if_needed=True)
    assert (tmp_path / "a").stat().st_gid == 0
    hand_to(tmp_path, 4321, if_needed=False)
    assert (tmp_path / "a").stat().st_gid == 4321
