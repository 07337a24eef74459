"""The reference, by which the scheduler is judged, itself repeats what a real kube-scheduler decided."""

import pytest

from tests.oracles.scheduler.answers import Reference
from tests.oracles.scheduler.cases import read
from tests.oracles.scheduler.judging import differences
from tests.unit.reconciler.recordings import recorded

MIXES = (
    *("default_spread", "host_ports", "image_locality", "mixed", "node_affinity", "node_affinity_preferred"),
    *("node_name", "pod_affinity", "pod_affinity_preferred", "pod_anti_affinity", "priority_preemption", "resources"),
    *("scheduling_gates", "scoring", "sequence", "taints", "topology_spread", "unschedulable", "volumes"),
)
SHARE = 6
"""One case in so many; `python -m tests.oracles.scheduler DIR --reference` plays all."""


@pytest.mark.parametrize("mix", MIXES)
def test_the_reference_decides_as_the_kube_scheduler_did(mix: str) -> None:
    for index, case in enumerate(recorded("scheduler-cases", mix)):
        if index % SHARE == 0:
            assert differences(read(case), Reference) == []
