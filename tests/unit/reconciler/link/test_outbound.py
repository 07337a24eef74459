"""What nodes are told, and when: new pods before their tokens, and nothing that takes a token away."""

import asyncio
from functools import partial

import pytest

from reconciler.link import outbound, retained
from reconciler.link.outbound import Outbound
from reconciler.link.tokens import PodTokens
from reconciler.store.cache import Cache
from schemas.core.pod import Pod
from schemas.messages import Digest, decode, encode
from tests.unit.reconciler.api.builders import object_of
from tests.unit.reconciler.link.test_tokens import Counting, account, pod

NODE = object_of({"kind": "Node", "metadata": {"name": "n1", "uid": "uid-n1"}})


class Told:
    """A broker's side: what was published for the node, and in which order."""

    def __init__(self, *objects: object) -> None:
        self.view = Cache()
        self.view.load([account(), NODE, *objects])  # type: ignore[list-item]
        self.minter = Counting(self.view)
        self.outbound = Outbound(
            self.view,
            lambda: ("store", 7),
            lambda node: True,
            partial(PodTokens, self.view, self.minter, self.minter.clock),
        )
        self.rests: list[str] = []
        self.digests: list[Digest] = []

    def publish(self, node: str, rest: str, payload: bytes) -> None:
        self.rests.append(rest)
        if rest == retained.DIGEST:
            self.digests.append(decode(payload, Digest))

    async def come_to_rest(self) -> None:
        async def room() -> None:
            return

        settled = asyncio.Event()
        self.outbound.settled = lambda node: settled.set()
        self.outbound.begin(self.publish, room)
        task = asyncio.create_task(self.outbound.run())
        async with asyncio.timeout(60):
            await settled.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbound, "AHEAD_SECONDS", 0.0)


def learnt(told: Told, *pods: Pod) -> None:
    """The broker retains a digest that names these."""
    digest = Digest("store", 5, {one.metadata.uid: one.metadata.generation for one in pods})
    told.outbound.learn("n1", retained.DIGEST, encode(digest))


async def test_a_new_pod_is_told_before_its_token_and_then_with_it() -> None:
    told = Told(one := pod())
    learnt(told)
    await told.come_to_rest()
    token = f"{retained.TOKENS}shop/{one.metadata.uid}"
    assert told.rests == [f"{retained.PODS}{one.metadata.uid}", retained.DIGEST, token, retained.DIGEST]
    first, second = told.digests
    assert first.pods == second.pods == {one.metadata.uid: one.metadata.generation}
    assert (list(first.configs), list(second.configs)) == ([], [f"token/shop/{one.metadata.uid}"])
    assert second.revision > first.revision


async def test_a_pod_that_the_node_may_run_is_never_told_without_its_token() -> None:
    told = Told(one := pod(), pod("new"))
    learnt(told, one)
    await told.come_to_rest()
    assert [len(digest.configs) for digest in told.digests] == [2]


async def test_what_a_broker_has_lost_is_told_whole() -> None:
    told = Told(pod())
    await told.come_to_rest()
    assert [len(digest.configs) for digest in told.digests] == [1]


async def test_a_new_pod_is_told_where_nothing_can_be_signed() -> None:
    told = Told(pod())
    told.minter.broken = True
    learnt(told)
    await told.come_to_rest()
    assert [(len(digest.pods), len(digest.configs)) for digest in told.digests] == [(1, 0)]
