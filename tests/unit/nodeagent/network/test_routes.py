import pytest
from msgspec.structs import replace

from nodeagent.network.routes import Link, Own, Peer, Plan, Route, hardware_address, links, plan
from nodeagent.network.routing import protocol, tunnel_name
from nodeagent.network.wireguard import SecuredPeer
from schemas.network import NetworkNode

NEAR = NetworkNode("near", ("192.0.2.7",), ("10.244.7.0/24",))
FAR = NetworkNode("far", ("198.51.100.9",), ("10.244.9.0/24",))
SELF = NetworkNode("self", ("192.0.2.1",), ("10.244.1.0/24",))
LINKS = [Link("lo", ("127.0.0.1/8",)), Link("eth0", ("192.0.2.1/24", "fd00::1/64"))]


def planned(*nodes: NetworkNode) -> Plan:
    return plan("self", {f"nodes/{one.name}": one for one in nodes}, LINKS[1:], "tunnel")


def test_a_node_on_our_link_is_the_gateway_to_its_pods() -> None:
    assert planned(SELF, NEAR) == Plan((Route("10.244.7.0/24", "192.0.2.7", "eth0"),))


def test_any_other_is_reached_through_a_tunnel() -> None:
    found = planned(SELF, NEAR, FAR)
    assert found.routes == (
        Route("10.244.7.0/24", "192.0.2.7", "eth0"),
        Route("10.244.9.0/24", "10.244.9.0", "tunnel", onlink=True),
    )
    assert found.peers == (Peer(hardware_address("far"), "198.51.100.9", ("10.244.9.0",)),)
    assert (found.source, found.own) == ("192.0.2.1", ("10.244.1.0",))


def test_each_family_takes_its_own_way() -> None:
    both = NetworkNode("both", ("fd00::7", "192.0.2.7"), ("10.244.7.0/24", "fd01:7::/64"))
    assert planned(both).routes == (
        Route("10.244.7.0/24", "192.0.2.7", "eth0"),
        Route("fd01:7::/64", "fd00::7", "eth0"),
    )


@pytest.mark.parametrize(
    "node",
    [SELF, NetworkNode("new", ("192.0.2.8",)), NetworkNode("nowhere", (), ("10.244.8.0/24",))],
    ids=["ourselves", "no range yet", "no address yet"],
)
def test_there_is_no_way_to(node: NetworkNode) -> None:
    assert planned(node) == Plan()


KEY, THEIRS = "b3duIGtleQ==", "dGhlaXIga2V5"


@pytest.mark.parametrize(
    ("told", "theirs", "secured"),
    [
        pytest.param(KEY, THEIRS, True, id="both have told their keys"),
        pytest.param(KEY, "", False, id="the other has none"),
        pytest.param("", THEIRS, False, id="ours is not known yet"),
        pytest.param("b2xkIGtleQ==", THEIRS, False, id="an older one of ours is known"),
    ],
)
def test_wireguard_is_used_when(told: str, theirs: str, secured: bool) -> None:
    own, far = replace(SELF, public_key=told), replace(FAR, public_key=theirs)
    nodes = {f"nodes/{one.name}": one for one in (own, replace(NEAR, public_key=THEIRS), far)}
    found = plan("self", nodes, LINKS[1:], "tunnel", Own("guarded", KEY))
    assert found.routes[0] == Route("10.244.7.0/24", "192.0.2.7", "eth0")  # who is on our link needs no tunnel
    if secured:
        assert found.routes[1:] == (Route("10.244.9.0/24", "", "guarded"),)
        assert found.secured == (SecuredPeer(THEIRS, ("10.244.9.0/24",), "198.51.100.9:51830"),)
        assert (found.peers, found.own, found.mtu) == ((), ("10.244.1.0",), 1420)
    else:
        assert found == planned(own, NEAR, far)


def test_nodes_with_and_without_a_key_are_each_reached_in_their_way() -> None:
    old = NetworkNode("old", ("198.51.100.10",), ("10.244.10.0/24",))
    nodes = {one.name: one for one in (replace(SELF, public_key=KEY), replace(FAR, public_key=THEIRS), old)}
    found = plan("self", nodes, LINKS[1:], "tunnel", Own("guarded", KEY))
    assert [(one.destination, one.device) for one in found.routes] == [
        ("10.244.10.0/24", "tunnel"),
        ("10.244.9.0/24", "guarded"),
    ]
    assert (len(found.peers), len(found.secured)) == (1, 1)


def test_a_tunnels_packets_fit_the_smallest_link() -> None:
    devices = [
        {"ifname": "eth0", "mtu": 1400, "addr_info": [{"local": "192.0.2.1", "prefixlen": 24, "scope": "global"}]}
    ]
    nodes = {one.name: one for one in (replace(SELF, public_key=KEY), replace(FAR, public_key=THEIRS))}
    assert plan("self", nodes, links(devices, set()), "tunnel", Own("guarded", KEY)).mtu == 1320


def test_names_that_are_made_up_fit_the_kernel() -> None:
    assert hardware_address("far") == hardware_address("far") != hardware_address("near")
    assert int(hardware_address("far")[:2], 16) & 3 == 2  # one machine's, locally administered
    assert len(tunnel_name("wherry-deadbeef")) <= 15
    assert 100 <= protocol("wherry0") < 180
