import pytest

from nodeagent.network.routes import Link, Peer, Plan, Route, hardware_address, plan
from nodeagent.network.routing import protocol, tunnel_name
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


def test_names_that_are_made_up_fit_the_kernel() -> None:
    assert hardware_address("far") == hardware_address("far") != hardware_address("near")
    assert int(hardware_address("far")[:2], 16) & 3 == 2  # one machine's, locally administered
    assert len(tunnel_name("wherry-deadbeef")) <= 15
    assert 100 <= protocol("wherry0") < 180
