import asyncio
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodeagent.network import feed
from nodeagent.network.feed import Feed
from nodeagent.network.state import Known, NetworkState
from schemas.messages import BadMessage, encode
from schemas.network import NetworkDigest, NetworkNode, NetworkService, body_hash, combined

WEB, OLD = "services/shop/web", "services/shop/old"


def payload(key: str, port: str = "") -> bytes:
    _, namespace, name = key.split("/")
    return encode(NetworkService(namespace, name, external_name=port))


def digest(bodies: dict[str, bytes]) -> bytes:
    hash_ = combined(body_hash(key, body) for key, body in bodies.items())
    return encode(NetworkDigest("s", 1, len(bodies), hash_))


def known(*keys: str) -> Known:
    return Known(NetworkState(services={key: NetworkService("shop", key.rpartition("/")[2]) for key in keys}))


def test_what_is_told_counts_at_once_and_what_is_not_told_yet_stays() -> None:
    node = known(OLD)
    node.begin()
    node.say(WEB, payload(WEB))
    assert set(node.state.services) == {WEB, OLD}
    assert not node.whole


def test_what_the_digest_does_not_count_is_gone_once_all_is_told() -> None:
    node = known(OLD)
    node.begin()
    node.say("", digest({WEB: payload(WEB)}))
    assert node.lacks
    assert set(node.state.services) == {OLD}
    node.say(WEB, payload(WEB))
    assert node.whole
    assert set(node.state.services) == {WEB}


def test_a_topic_that_is_cleared_is_gone() -> None:
    node = known(WEB)
    node.say(WEB, b"")
    assert not node.state.services


def test_the_same_again_is_no_change() -> None:
    node = known(WEB)
    before = node.state
    node.say(WEB, encode(NetworkService("shop", "web")))
    assert node.state is before


def test_a_message_that_is_none_leaves_what_held() -> None:
    node = known(WEB)
    with pytest.raises(BadMessage):
        node.say(WEB, b"{")
    assert set(node.state.services) == {WEB}


def test_a_part_that_is_not_known_here_is_counted_and_passed_over() -> None:
    node = known(OLD)
    node.say("", digest({"tunnels/x": b"{}"}))
    node.say("tunnels/x", b"{}")
    assert node.whole
    assert node.state == NetworkState()


@given(st.permutations([WEB, OLD, "services/shop/third", ""]), st.sets(st.sampled_from([WEB, OLD, "services/shop/b"])))
def test_the_order_of_messages_does_not_matter(order: list[str], before: set[str]) -> None:
    bodies = {key: payload(key) for key in order if key}
    node = known(*before)
    node.begin()
    for key in order:
        node.say(key, bodies[key] if key else digest(bodies))
    assert node.whole
    assert set(node.state.services) == set(bodies)


async def test_a_node_that_lacks_something_asks_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "ASK_SECONDS", (0.01, 0.02))
    asked = asyncio.Event()
    node = Feed(tmp_path, lambda _: None)
    node.begin(asked.set)
    node.said("", digest({WEB: payload(WEB)}))
    await asyncio.wait_for(asked.wait(), 60)
    node.said(WEB, payload(WEB))
    node.said("", digest({WEB: payload(WEB)}))
    assert set(node.state.services) == {WEB}
    node.end()


def test_a_damaged_file_is_said_and_left(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / feed.FILE).write_text(json.dumps({"nodes": {"nodes/a": 5}}))
    assert Feed(tmp_path, lambda _: None).state == NetworkState()
    assert "damaged" in caplog.text


def test_nodes_and_services_are_told_apart() -> None:
    node = known(WEB)
    node.say("nodes/n1", encode(NetworkNode("n1")))
    assert (list(node.state.nodes), list(node.state.services)) == (["nodes/n1"], [WEB])
