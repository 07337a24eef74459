import asyncio
from pathlib import Path

import pytest
from msgspec import structs

from nodeagent.accepted import Accepted
from nodeagent.lease import Lease
from nodeagent.renewal import Renewal
from schemas.core.pod import Pod, PodSpec
from schemas.messages import Assignment, BadMessage, Digest, LeaseGrant, LeaseRequest, decode, encode
from schemas.meta import ObjectMeta

EPOCH = 7
LEASE = 3.0


def accepted(revision: int = 1, *, fenced: bool = True, store: str = "s") -> Accepted:
    annotations = {"wherry.dev/on-node-loss": "fence" if fenced else "move", "wherry.dev/lease-seconds": "3"}
    pod = Pod(metadata=ObjectMeta(name="p", uid="u", annotations=annotations), spec=PodSpec(()))
    return Accepted(Digest(store, revision, {"u": 1}), {"u": Assignment(pod)})


class Node:
    """An agent's renewal with a broker that acknowledges, as long as it is `there`."""

    def __init__(self, path: Path, holds: Accepted) -> None:
        self.now = 100.0
        self.lease = Lease(path, lambda: self.now)
        self.renewal = Renewal(self.lease, EPOCH, holds)
        self.asked: list[LeaseRequest] = []
        self.there = asyncio.Event()
        self.there.set()

    async def publish(self, payload: bytes) -> None:
        await self.there.wait()
        self.asked.append(decode(payload, LeaseRequest))

    async def ask(self) -> LeaseRequest:
        await self.renewal._ask(self.publish)
        return self.asked[-1]

    def grant(self, request: LeaseRequest, revision: int = 1, *, store: str = "s", epoch: int = EPOCH) -> None:
        self.renewal.granted(encode(LeaseGrant(epoch, request.number, store, revision)))

    @property
    def left(self) -> float:
        return self.lease.left_of(LEASE)


async def test_an_answer_counts_from_its_question(tmp_path: Path) -> None:
    node = Node(tmp_path, accepted())
    request = await node.ask()
    node.now += 1
    node.grant(request)
    assert node.left == 2


async def test_an_answer_to_an_older_question_counts_from_that_and_an_unknown_one_for_nothing(tmp_path: Path) -> None:
    node = Node(tmp_path, accepted())
    first = await node.ask()
    node.now += 1
    await node.ask()
    node.grant(first)
    assert node.left == 2
    node.grant(structs.replace(first, number=99))
    node.grant(first)
    assert node.left == 2


@pytest.mark.parametrize(
    ("revision", "store", "epoch"),
    [
        pytest.param(2, "s", EPOCH, id="of a digest that is still on its way"),
        pytest.param(1, "other", EPOCH, id="of another store"),
        pytest.param(1, "s", EPOCH - 1, id="for an earlier life"),
    ],
)
async def test_an_answer_is_no_lease(tmp_path: Path, revision: int, store: str, epoch: int) -> None:
    node = Node(tmp_path, accepted())
    node.grant(await node.ask(), revision, store=store, epoch=epoch)
    assert node.left == 0


async def test_an_answer_holds_as_soon_as_its_digest_is_accepted(tmp_path: Path) -> None:
    node = Node(tmp_path, accepted())
    node.grant(await node.ask(), 5)
    node.renewal.accepted(accepted(4))
    assert node.left == 0
    node.renewal.accepted(accepted(5))
    assert node.left == LEASE


async def test_while_there_is_no_reconciler_the_brokers_word_prolongs_what_still_holds(tmp_path: Path) -> None:
    node = Node(tmp_path, accepted())
    node.grant(await node.ask())
    node.renewal.reconciler(False)
    node.now += 2
    await node.ask()
    assert node.left == LEASE
    node.now += 3.5
    await node.ask()
    assert node.left == 0


@pytest.mark.parametrize("told", [pytest.param(True, id="there is one"), pytest.param(None, id="nobody knows")])
async def test_else_the_brokers_word_is_nothing(tmp_path: Path, told: bool | None) -> None:
    node = Node(tmp_path, accepted())
    node.grant(await node.ask())
    if told is not None:
        node.renewal.reconciler(told)
    node.now += 2
    await node.ask()
    assert node.left == 1


async def test_a_lost_connection_forgets_that_there_was_no_reconciler(tmp_path: Path) -> None:
    node = Node(tmp_path, accepted())
    node.grant(await node.ask())
    node.renewal.reconciler(False)
    node.renewal.lost()
    node.now += 2
    await node.ask()
    assert node.left == 1


async def test_a_reconciler_that_comes_while_the_broker_acknowledges_ends_that(tmp_path: Path) -> None:
    node = Node(tmp_path, accepted())
    node.grant(await node.ask())
    node.renewal.reconciler(False)
    node.now += 2
    node.there.clear()
    asking = asyncio.create_task(node.ask())
    await asyncio.sleep(0)
    node.renewal.reconciler(True)
    node.there.set()
    await asking
    assert node.left == 1


async def test_only_a_node_with_fenced_pods_asks(tmp_path: Path) -> None:
    node = Node(tmp_path, accepted(fenced=False))
    running = asyncio.create_task(node.renewal.run(node.publish))
    try:
        for _ in range(5):
            await asyncio.sleep(0)
        assert node.asked == []
        node.renewal.accepted(accepted(2))
        async with asyncio.timeout(60):
            while not node.asked:
                await asyncio.sleep(0)
        assert node.asked == [LeaseRequest(EPOCH, 1)]
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_what_is_no_answer_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadMessage):
        Node(tmp_path, accepted()).renewal.granted(b"{}")
