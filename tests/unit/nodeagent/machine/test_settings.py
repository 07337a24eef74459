"""The configuration of evictions and of the machine's shutdown."""

import re
from pathlib import Path

import pytest
import yaml

from nodeagent.config import load_config
from nodeagent.machine.durations import seconds
from nodeagent.machine.shutdown import CRITICAL, begun, group_of
from schemas.configuration import BadConfiguration
from tests.unit.nodeagent.pods.builders import pod


def config(folder: Path, **more: object) -> Path:
    path = folder / "nodeagent.yaml"
    path.write_text(yaml.safe_dump({"broker": {"url": "mqtt://b"}, "node": "n1", **more}))
    return path


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("0", 0.0, id="nothing"),
        pytest.param("30s", 30.0, id="seconds"),
        pytest.param("1m30s", 90.0, id="two parts"),
        pytest.param("1.5h", 5400.0, id="a fraction"),
        pytest.param("100ms", 0.1, id="less than a second"),
    ],
)
def test_durations_are_read_as_kubernetes_writes_them(text: str, found: float) -> None:
    assert seconds(text) == found


@pytest.mark.parametrize("text", ["", "5", "1d", "s", "1s x", "-1s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a duration"):
        seconds(text)


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        pytest.param({"evictionHard": {"disk": "1Gi"}}, "evictionHard: unknown signal 'disk'", id="signal"),
        pytest.param({"shutdownGracePeriod": "soon"}, "shutdownGracePeriod: expected a duration", id="duration"),
        pytest.param(
            {"shutdownGracePeriod": "5s", "shutdownGracePeriodCriticalPods": "10s"},
            "shutdownGracePeriodCriticalPods: is part of shutdownGracePeriod",
            id="more than the whole",
        ),
        pytest.param(
            {
                "shutdownGracePeriod": "5s",
                "shutdownGracePeriodByPodPriority": [{"priority": 0, "shutdownGracePeriodSeconds": 1}],
            },
            "shutdownGracePeriodByPodPriority: takes the place of",
            id="both ways",
        ),
        pytest.param({"metricsAddress": "9100"}, "metricsAddress: expected HOST:PORT", id="no address"),
    ],
)
def test_a_fault_is_told_with_file_and_field(tmp_path: Path, written: dict[str, object], complaint: str) -> None:
    path = config(tmp_path, **written)
    with pytest.raises(BadConfiguration, match=f"^{re.escape(f'{path}: {complaint}')}"):
        load_config(path)


def test_by_default_nothing_holds_up_a_shutdown(tmp_path: Path) -> None:
    assert load_config(config(tmp_path)).shutdown().graces == ()


def test_critical_pods_end_last(tmp_path: Path) -> None:
    written = {"shutdownGracePeriod": "30s", "shutdownGracePeriodCriticalPods": "10s"}
    shutdown = load_config(config(tmp_path, **written)).shutdown()
    assert (shutdown.total, [grace for _, grace in shutdown.graces]) == (30, [20, 10])
    assert group_of(pod(), shutdown.graces) == 0
    assert group_of(pod(priority=CRITICAL), shutdown.graces) == 1
    first, second = begun(shutdown.graces, 0), begun(shutdown.graces, 1)
    assert (first(pod()), first(pod(priority=CRITICAL))) == (20, None)
    assert (second(pod()), second(pod(priority=CRITICAL))) == (20, 10)


def test_groups_by_priority_end_the_lowest_first(tmp_path: Path) -> None:
    groups = [
        {"priority": 100, "shutdownGracePeriodSeconds": 60},
        {"priority": 0, "shutdownGracePeriodSeconds": 5},
    ]
    graces = load_config(config(tmp_path, shutdownGracePeriodByPodPriority=groups)).shutdown().graces
    assert graces == ((0, 5), (100, 60))
    assert [group_of(pod(priority=one), graces) for one in (-7, 0, 99, 100, 5000)] == [0, 0, 0, 1, 1]
