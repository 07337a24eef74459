"""What a running scheduler answers about one pod."""

from typing import Any

import msgspec
import pytest

from reconciler.api.status import StatusError
from reconciler.explaining import Explaining
from reconciler.scheduler.profile import PLAIN, Profile
from reconciler.scheduler.snapshot import Snapshot
from reconciler.store.cache import Cache
from schemas.meta import Object, ref_of
from tests.unit.reconciler.scheduler.plugins.asking import asking, node, pod


class Standing:
    """The part of a scheduler that is asked."""

    def __init__(self, *objects: Object) -> None:
        self.snapshot = Snapshot(objects)
        self.profile: Profile = PLAIN


def _explaining(*objects: Object) -> tuple[Explaining, Standing]:
    cache, scheduler = Cache(1), Standing(*objects)
    cache.push(2, [(ref_of(one), one) for one in objects], 1, 0)
    return Explaining(cache, scheduler), scheduler


async def _answer(explaining: Explaining, name: str) -> Any:  # noqa: ANN401
    return msgspec.json.decode(msgspec.json.encode(await explaining.answer({"pod": name})))


async def test_a_pod_that_runs_does_not_stand_in_its_own_way_and_counts_again_afterwards() -> None:
    there = pod("there", on="n1", containers=[asking(cpu="3")])
    explaining, scheduler = _explaining(node("n1"), node("n2"), there)
    answer = await _answer(explaining, "there")
    assert (answer["node"], answer["chosen"]) == ("n1", "n1")
    assert [one["feasible"] for one in answer["nodes"]] == [True, True]
    assert scheduler.snapshot.node_of("there") == "n1"
    assert await _answer(explaining, "there") == answer


async def test_the_winner_comes_first_and_those_that_are_out_last() -> None:
    taint = {"key": "k", "effect": "NoSchedule"}
    explaining, _ = _explaining(node("a", taints=[taint]), node("b", cpu="2"), node("c", cpu="8"), pod("p"))
    answer = await _answer(explaining, "p")
    assert answer["chosen"] == "c"
    assert [one["name"] for one in answer["nodes"]] == ["c", "b", "a"]
    assert answer["nodes"][0]["total"] == sum(answer["nodes"][0]["scores"].values())
    assert answer["nodes"][2] == {
        "name": "a",
        "feasible": False,
        "filter": "TaintToleration",
        "reasons": ["node(s) had untolerated taint(s)"],
    }


async def test_a_pod_that_is_not_there_is_not_found() -> None:
    explaining, _ = _explaining(node("n1"))
    with pytest.raises(StatusError, match='pods "gone" not found'):
        await explaining.answer({"pod": "gone"})
