"""Decisions of a real kube-scheduler 1.36: nodes, scores of every plugin, messages, victims."""

import pytest

from tests.oracles.scheduler.answers import Wherry
from tests.oracles.scheduler.cases import read
from tests.oracles.scheduler.judging import differences
from tests.unit.reconciler.recordings import recorded

MIXES = (
    *("default_spread", "host_ports", "image_locality", "mixed", "node_affinity", "node_affinity_preferred"),
    *("node_name", "pod_affinity", "pod_affinity_preferred", "pod_anti_affinity", "priority_preemption", "resources"),
    *("scheduling_gates", "scoring", "sequence", "taints", "topology_spread", "unschedulable", "volumes"),
)


@pytest.mark.parametrize("mix", MIXES)
def test_pods_go_where_the_kube_scheduler_sends_them(mix: str) -> None:
    differs = [fault for case in recorded("scheduler-cases", mix) for fault in differences(read(case), Wherry)]
    assert differs == []
