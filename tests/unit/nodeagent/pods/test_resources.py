"""Requests and limits as the kernel's numbers, in the kubelet's formulae."""

from typing import Any

import pytest

from nodeagent.pods.memory import spec_hash
from nodeagent.pods.resources import cpu_quota, cpu_shares, oom_score_adj
from schemas.core.container import Container
from schemas.qos import qos_class
from tests.unit.nodeagent.pods.builders import pod

GIB = 1 << 30


@pytest.mark.parametrize(
    ("resources", "quality", "shares", "quota", "score"),
    [
        pytest.param({}, "BestEffort", 2, 0, 1000, id="nothing"),
        pytest.param({"requests": {"cpu": "500m"}}, "Burstable", 512, 0, 999, id="cpu request"),
        pytest.param({"requests": {"memory": "512Mi"}}, "Burstable", 2, 0, 500, id="memory request"),
        pytest.param({"limits": {"cpu": "2", "memory": "1Gi"}}, "Guaranteed", 2048, 200_000, -997, id="limits"),
        pytest.param({"limits": {"cpu": "1m"}}, "Burstable", 2, 1000, 999, id="tiny limit"),
        pytest.param({"requests": {"memory": "1Gi"}}, "Burstable", 2, 0, 3, id="all of the memory"),
    ],
)
def test_numbers_follow_from_requests_and_limits(
    resources: dict[str, Any], quality: str, shares: int, quota: int, score: int
) -> None:
    one = pod(containers=[{"name": "main", "image": "app:1", "resources": resources}])
    container = one.spec.containers[0]
    assert qos_class(one) == quality
    assert cpu_shares(container) == shares
    assert cpu_quota(container) == quota
    assert oom_score_adj(one, container, GIB) == score


def test_critical_pods_are_killed_last() -> None:
    one = pod(priorityClassName="system-node-critical")
    assert oom_score_adj(one, one.spec.containers[0], GIB) == -997


def test_the_hash_of_a_container_stays_for_good() -> None:
    assert spec_hash(Container(name="main", image="app:1")) == "fcf767de7d3c63cf"
