"""The cgroups of pods, on folders that look like the kernel's."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodeagent.runtime import podcgroups
from nodeagent.runtime.cri_convert import cgroup_parent, cgroup_path
from nodeagent.runtime.interface import PodCgroup

ALL = PodCgroup(
    parent="burstable",
    cpu_shares=512,
    cpu_quota=50_000,
    cpu_period=100_000,
    memory_limit=4096,
    pids_limit=9,
    hugepages={"2MB": 0},
)


@pytest.mark.parametrize(
    ("file", "full", "empty"),
    [
        ("cpu.shares", "512", "2"),
        ("cpu.weight", "20", "1"),
        ("cpu.cfs_quota_us", "50000", None),
        ("cpu.max", "50000 100000", None),
        ("memory.limit_in_bytes", "4096", "-1"),
        ("memory.max", "4096", "max"),
        ("pids.max", "9", "max"),
        ("hugetlb.2MB.limit_in_bytes", "0", None),
        ("hugetlb.2MB.max", "0", None),
    ],
)
def test_both_versions_say_the_same(file: str, full: str, empty: str | None) -> None:
    assert podcgroups.files(ALL)[file] == full
    assert podcgroups.files(PodCgroup()).get(file) == empty


def test_a_period_without_a_quota_takes_the_limit_away() -> None:
    found = podcgroups.files(PodCgroup(cpu_period=100_000))
    assert (found["cpu.cfs_quota_us"], found["cpu.max"]) == ("-1", "max 100000")


@given(st.integers(2, 262_144))
def test_weights_are_in_the_kernels_range_and_in_order(shares: int) -> None:
    weight = podcgroups.weight(shares)
    assert 1 <= weight <= 10_000
    assert podcgroups.weight(shares - 1) <= weight
    assert abs(podcgroups.shares(weight) - shares) <= 27


def test_only_what_differs_is_written_and_only_where_there_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "cpu.shares").write_text("512\n")
    (tmp_path / "pids.max").write_text("max\n")
    podcgroups.write(tmp_path, {"cpu.shares": "512", "pids.max": "9", "memory.max": "1"})
    assert (tmp_path / "cpu.shares").read_text() == "512\n"
    assert (tmp_path / "pids.max").read_text() == "9"
    assert not (tmp_path / "memory.max").exists()


@pytest.mark.parametrize(
    ("systemd", "quality", "parent", "path"),
    [
        (False, "", "/wherry-1a/podab-cd", "/wherry-1a/podab-cd"),
        (False, "burstable", "/wherry-1a/burstable/podab-cd", "/wherry-1a/burstable/podab-cd"),
        (True, "", "wherry_1a-podab_cd.slice", "/wherry_1a.slice/wherry_1a-podab_cd.slice"),
        (
            True,
            "besteffort",
            "wherry_1a-besteffort-podab_cd.slice",
            "/wherry_1a.slice/wherry_1a-besteffort.slice/wherry_1a-besteffort-podab_cd.slice",
        ),
    ],
)
def test_a_class_is_a_level_of_the_tree(systemd: bool, quality: str, parent: str, path: str) -> None:
    assert cgroup_parent("wherry-1a", "ab-cd", systemd, quality) == parent
    assert cgroup_path(parent) == path
