from pathlib import Path

import pytest
from msgspec import structs

from nodeagent import lease as leases
from nodeagent.lease import NEVER, Lease
from schemas.core.pod import Pod, PodSpec
from schemas.meta import ObjectMeta


def fenced(seconds: str = "20") -> Pod:
    annotations = {"wherry.dev/on-node-loss": "fence", "wherry.dev/lease-seconds": seconds}
    return Pod(metadata=ObjectMeta(name="p", annotations=annotations), spec=PodSpec(()))


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_lease_counts_from_when_it_was_asked_for_and_runs_out(tmp_path: Path) -> None:
    clock = Clock()
    lease = Lease(tmp_path, clock)
    assert lease.left(fenced()) == 0
    clock.now = 105
    lease.renew(100)
    assert lease.left(fenced()) == 15
    clock.now = 121
    assert lease.left(fenced()) == 0
    assert lease.left(fenced("60")) == 39


@pytest.mark.parametrize("what", ["", "stay", "move"])
def test_other_pods_need_none(tmp_path: Path, what: str) -> None:
    pod = fenced()
    annotations = pod.metadata.annotations | {"wherry.dev/on-node-loss": what}
    pod = structs.replace(pod, metadata=structs.replace(pod.metadata, annotations=annotations))
    assert Lease(tmp_path, Clock()).left(pod) == NEVER


def test_an_answer_that_comes_late_shortens_nothing(tmp_path: Path) -> None:
    clock = Clock()
    lease = Lease(tmp_path, clock)
    lease.renew(100)
    lease.renew(90)
    assert lease.left_of(20) == 20


def test_an_agent_that_is_started_again_goes_on_with_the_lease(tmp_path: Path) -> None:
    clock = Clock()
    Lease(tmp_path / "run", clock).renew(100)
    clock.now = 110
    assert Lease(tmp_path / "run", clock).left_of(20) == 10


@pytest.mark.parametrize("kept", ["", "nonsense", "one 2 three", "other-boot 99.0", "{boot} -1.0", "{boot} 101.0"])
def test_what_is_not_of_this_boot_is_no_lease(tmp_path: Path, kept: str) -> None:
    (tmp_path / leases.FILE).write_text(kept.format(boot=leases.boot_id()))
    assert Lease(tmp_path, Clock()).left_of(20) == 0


def test_a_lease_that_cannot_be_kept_still_holds(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    lease = Lease(tmp_path / "file", Clock())
    lease.renew(100)
    assert lease.left_of(20) == 20
