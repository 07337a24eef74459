import ipaddress
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from reconciler.addresspools import EXCLUDED, LoadBalancerPool, Pool, announcer, pools
from schemas.core.node import Node
from tests.unit.reconciler.controllers.builders import node


def pool(*addresses: str, **selector: str) -> Pool:
    return pools((LoadBalancerPool(addresses=addresses, node_selector=selector),))[0]


def labelled(name: str, ready: str = "True", **labels: str) -> Node:
    found = node(name, ready=ready)
    return structs.replace(found, metadata=structs.replace(found.metadata, labels=labels))


@pytest.mark.parametrize(
    ("written", "given_out"),
    [
        pytest.param("192.0.2.7", ["192.0.2.7"], id="one address"),
        pytest.param("192.0.2.8/30", ["192.0.2.9", "192.0.2.10"], id="a network, without its own two addresses"),
        pytest.param("192.0.2.8/31", ["192.0.2.8", "192.0.2.9"], id="a network of two"),
        pytest.param("192.0.2.7-192.0.2.9", ["192.0.2.7", "192.0.2.8", "192.0.2.9"], id="a range"),
        pytest.param("2001:db8::/126", ["2001:db8::1", "2001:db8::2", "2001:db8::3"], id="IPv6 has no broadcast"),
    ],
)
def test_addresses_are_written_as_people_write_them(written: str, given_out: list[str]) -> None:
    family = "IPv6" if ":" in written else "IPv4"
    found = sorted(pool(written).in_order(family, "shop/web"), key=ipaddress.ip_address)
    assert found == given_out
    assert list(pool(written).in_order("IPv4" if family == "IPv6" else "IPv6", "shop/web")) == []


@given(st.text(max_size=20))
def test_every_address_has_its_turn_once_whoever_asks(seed: str) -> None:
    several = pool("192.0.2.0/29", "192.0.2.100-192.0.2.103", "198.51.100.1")
    found = list(several.in_order("IPv4", seed))
    assert len(found) == len(set(found)) == 6 + 4 + 1
    assert all(ipaddress.ip_address(one) in several for one in found)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        pytest.param("192.0.2.9-192.0.2.7", "expected FIRST-LAST", id="backwards"),
        pytest.param("192.0.2.9-2001:db8::1", "expected FIRST-LAST", id="of two families"),
        pytest.param("the barn", "does not appear to be", id="no address"),
    ],
)
def test_what_is_no_address_is_refused(written: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        pool(written)


def test_an_address_is_in_one_pool_alone() -> None:
    both = (LoadBalancerPool(addresses=("192.0.2.0/28",)), LoadBalancerPool(addresses=("192.0.2.14-192.0.2.20",)))
    with pytest.raises(ValueError, match=r"192.0.2.14-192.0.2.20 overlaps 192.0.2.1-192.0.2.14"):
        pools(both)


def test_a_node_that_is_ready_and_on_the_link_answers() -> None:
    barn = (pool("192.0.2.0/28", site="barn"),)
    nodes = (
        labelled("away", ready="Unknown", site="barn"),
        labelled("elsewhere", site="field"),
        labelled("excluded", **{"site": "barn", EXCLUDED: ""}),
        labelled("here", site="barn"),
    )
    assert announcer(["192.0.2.3"], barn, nodes, None) == "here"
    assert announcer(["192.0.2.3"], barn, nodes, {"away", "elsewhere"}) == ""
    assert announcer(["203.0.113.3"], barn, nodes, None) == ""
    assert announcer([], barn, nodes, None) == ""


def test_only_the_addresses_of_a_node_that_goes_move() -> None:
    link = (pool("192.0.2.0/24"),)
    nodes = [labelled(f"n{number}") for number in range(5)]
    addresses = list(link[0].in_order("IPv4", ""))
    before = {one: announcer([one], link, nodes, None) for one in addresses}
    after = {one: announcer([one], link, nodes[1:], None) for one in addresses}
    assert {one for one in addresses if before[one] != after[one]} == {one for one in addresses if before[one] == "n0"}
    assert min(Counter(before.values()).values()) > len(addresses) / 5 / 2
