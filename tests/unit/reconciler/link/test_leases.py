import pytest
from msgspec import structs

from reconciler.link.leases import Leases
from reconciler.store.changes import UpdateStatus
from reconciler.store.view import Event
from schemas.core.node import Node
from schemas.messages import BadMessage, Digest, LeaseGrant, LeaseRequest, decode, encode
from tests.unit.reconciler.controllers.builders import node
from tests.unit.reconciler.controllers.world import World

REQUEST = encode(LeaseRequest(3, 9))


class Hub:
    def __init__(self, ready: str = "True") -> None:
        self.now = 100.0
        self.world = World()
        self.world.create(node("n1", ready=ready))
        self.digest: Digest | None = Digest("s", 5)
        self.said: list[tuple[str, LeaseGrant]] = []
        self.proofs = 0
        self.leases = Leases(self.world.cache, lambda _: self.digest, lambda: self.now)
        self.begin()

    def begin(self) -> None:
        self.leases.begin(self._say, self._prove)

    def _say(self, name: str, rest: str, payload: bytes) -> None:
        assert rest == "lease/granted"
        self.said.append((name, decode(payload, LeaseGrant)))

    def _prove(self) -> None:
        self.proofs += 1

    def become(self, ready: str) -> None:
        before = self.world.get(Node, "", "n1")
        self.world.apply((UpdateStatus(structs.replace(before, status=node("n1", ready=ready).status)),))
        self.leases.events([Event(self.world.cache.revision, before, self.world.get(Node, "", "n1"))])


GRANT = ("n1", LeaseGrant(3, 9, "s", 5))


def test_a_node_that_asks_is_given_word_with_the_digest_that_it_was_told() -> None:
    hub = Hub()
    hub.leases.asked("n1", REQUEST)
    assert hub.said == [GRANT]


def test_a_node_that_is_told_to_be_away_is_given_word_once_it_is_not() -> None:
    hub = Hub("Unknown")
    hub.leases.asked("n1", REQUEST)
    assert hub.said == []
    hub.become("True")
    assert hub.said == [GRANT]


def test_a_node_for_which_there_is_news_is_given_word_after_that() -> None:
    hub = Hub()
    hub.digest = None
    hub.leases.asked("n1", REQUEST)
    assert hub.said == []
    hub.digest = Digest("s", 6)
    hub.leases.settle("n1")
    hub.leases.settle("n1")
    assert hub.said == [("n1", LeaseGrant(3, 9, "s", 6))]


def test_a_node_that_nobody_knows_is_given_none() -> None:
    hub = Hub()
    hub.leases.asked("stranger", REQUEST)
    assert hub.said == []


def test_without_a_link_nothing_is_said_and_no_silence_is_known() -> None:
    hub = Hub()
    hub.leases.end()
    hub.leases.asked("n1", REQUEST)
    hub.now += 1000
    silence = hub.leases.silence("n1")
    assert (hub.said, silence.seconds, silence.proven) == ([], 0, 0)


def test_silence_counts_from_the_last_word_or_from_when_the_link_began() -> None:
    hub = Hub()
    hub.now += 10
    assert hub.leases.silence("n1").seconds == 10
    hub.leases.asked("n1", REQUEST)
    hub.now += 4
    assert hub.leases.silence("n1").seconds == 4
    hub.leases.end()
    hub.begin()
    hub.now += 3
    assert hub.leases.silence("n1").seconds == 3


def test_silence_is_proven_as_far_as_the_broker_acknowledged_and_a_proof_is_asked_for_once_in_a_while() -> None:
    hub = Hub()
    hub.now += 10
    assert (hub.leases.silence("n1").proven, hub.proofs) == (0, 1)
    hub.leases.silence("n1")
    assert hub.proofs == 1
    hub.leases.proved(109)
    assert hub.leases.silence("n1").proven == 9
    hub.now += 2
    hub.leases.silence("n1")
    assert hub.proofs == 2


def test_what_is_no_request_is_told() -> None:
    with pytest.raises(BadMessage):
        Hub().leases.asked("n1", b"[]")
