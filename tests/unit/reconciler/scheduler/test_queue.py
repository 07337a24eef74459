import random
from datetime import UTC, datetime

import pytest
from msgspec import structs

from reconciler.scheduler.queue import PendingPods
from reconciler.scheduler.snapshot import Snapshot
from schemas.core.pod import Pod
from schemas.meta import OwnerReference
from tests.unit.reconciler.controllers.builders import pod


def owned(owner: str, name: str, priority: int = 0) -> Pod:
    reference = OwnerReference(api_version="apps/v1", kind="ReplicaSet", name=owner, uid=owner, controller=True)
    return pod(name, owner=reference, priority=priority)


def taken(pods: list[Pod]) -> list[str]:
    queue = PendingPods(Snapshot())
    for one in pods:
        queue.add(one)
    order = []
    while (ref := queue.take()) is not None:
        order.append(ref.name)
    return order


@pytest.mark.parametrize("seed", range(5))
def test_names_made_by_chance_do_not_decide_whose_pods_come_first(seed: int) -> None:
    chance = random.Random(seed)
    pods = [
        owned(owner, f"{owner}-{chance.randbytes(3).hex()}") for owner in ("web", "web-bb", "api") for _ in range(3)
    ]
    chance.shuffle(pods)
    owners = {one.metadata.name: one.metadata.owner_references[0].name for one in pods}
    assert [owners[name] for name in taken(pods)] == ["api"] * 3 + ["web"] * 3 + ["web-bb"] * 3


def test_priority_comes_before_everything_else() -> None:
    assert taken([owned("a", "a-1"), owned("z", "z-1", priority=5)]) == ["z-1", "a-1"]


def test_older_pods_come_before_those_of_an_earlier_name() -> None:
    young, old = owned("a", "a-1"), owned("z", "z-1")
    times = (datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC))
    dated = [
        structs.replace(one, metadata=structs.replace(one.metadata, creation_timestamp=time))
        for one, time in zip((young, old), times, strict=True)
    ]
    assert taken(dated) == ["z-1", "a-1"]
