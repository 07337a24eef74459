"""The reference, by which the scheduler is judged, itself repeats what a real kube-scheduler decided."""

import pytest

from tests.oracles.scheduler.answers import Reference
from tests.oracles.scheduler.cases import read
from tests.oracles.scheduler.judging import differences
from tests.unit.reconciler.recordings import recorded
from tests.unit.reconciler.scheduler.test_recorded import MIXES

SHARE = 6
"""One case in so many; `python -m tests.oracles.scheduler DIR --reference` plays all."""


@pytest.mark.parametrize("mix", MIXES)
def test_the_reference_decides_as_the_kube_scheduler_did(mix: str) -> None:
    for index, case in enumerate(recorded("scheduler-cases", mix)):
        if index % SHARE == 0:
            assert differences(read(case), Reference) == []
