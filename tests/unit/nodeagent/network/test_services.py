"""Which endpoints get connections, and by which way. Source: https://kubernetes.io/docs/reference/networking/virtual-ips/"""

from typing import Any

import pytest

from nodeagent.network.ruleset import ranges_part
from nodeagent.network.services import MOST_RULES, Here, service_backends, service_part
from nodeagent.network.table import Part
from schemas.network import NetworkEndpoint, NetworkNode, NetworkPort, NetworkService, NetworkSlice, SlicePort

HERE = Here("n1", "z1")
PORT = NetworkPort(80, node_port=30080)


def endpoint(number: int, node: str = "n2", **more: Any) -> NetworkEndpoint:  # noqa: ANN401
    return NetworkEndpoint(f"10.244.0.{number}", node, **more)


def service(*endpoints: NetworkEndpoint, **more: Any) -> NetworkService:  # noqa: ANN401
    given = {"cluster_ips": ("10.96.0.1",), "ports": (PORT,), "type": "NodePort"} | more
    return NetworkService("shop", "web", slices=(NetworkSlice("IPv4", (SlicePort(8080),), endpoints),), **given)


LEAVING: dict[str, Any] = {"ready": False, "serving": True, "terminating": True}


@pytest.mark.parametrize(
    ("endpoints", "everywhere", "here"),
    [
        pytest.param([endpoint(1), endpoint(2, "n1")], [1, 2], [2], id="all that are ready"),
        pytest.param([endpoint(1), endpoint(2, ready=False, serving=False)], [1], [], id="none that is not"),
        pytest.param([endpoint(1), endpoint(2, **LEAVING)], [1], [], id="none on its way out while others are there"),
        pytest.param([endpoint(1, **LEAVING)], [1], [], id="those on their way out when no other is there"),
        pytest.param([endpoint(1), endpoint(2, "n1", **LEAVING)], [1], [2], id="here too"),
        pytest.param([endpoint(1, zones=("z2",)), endpoint(2, zones=("z1",))], [2], [], id="those meant for the zone"),
        pytest.param([endpoint(1, zones=("z2",)), endpoint(2)], [1, 2], [], id="hints only where all have them"),
        pytest.param([endpoint(1, zones=("z2",))], [1], [], id="all where the zone has none"),
        pytest.param([endpoint(1, nodes=("n2",)), endpoint(2, nodes=("n1",))], [2], [], id="those meant for the node"),
    ],
)
def test_connections_go_to(endpoints: list[NetworkEndpoint], everywhere: list[int], here: list[int]) -> None:
    chosen = service_backends(service(*endpoints), PORT, "IPv4", HERE)
    assert [int(one.address.rpartition(".")[2]) for one in chosen.everywhere] == everywhere
    assert [int(one.address.rpartition(".")[2]) for one in chosen.here] == here


def way(part: Part, key: str, map_: str = "services4") -> list[str]:
    """The rules that a packet to this key meets first."""
    verdict = part.elements[map_, key]
    return list(part.chains[verdict.removeprefix("goto ")])


def test_each_of_those_that_are_left_gets_its_share() -> None:
    part = service_part(service(endpoint(1), endpoint(2), endpoint(3)), HERE)
    assert way(part, "10.96.0.1 . tcp . 80") == [
        "numgen random mod 3 0 meta l4proto tcp dnat ip to 10.244.0.1:8080",
        "numgen random mod 2 0 meta l4proto tcp dnat ip to 10.244.0.2:8080",
        "meta l4proto tcp dnat ip to 10.244.0.3:8080",
    ]


def test_one_of_many_is_found_in_a_map() -> None:
    part = service_part(service(*(endpoint(number) for number in range(1, MOST_RULES + 2))), HERE)
    (rule,) = way(part, "10.96.0.1 . tcp . 80")
    assert rule.startswith(f"meta l4proto tcp dnat ip to numgen random mod {MOST_RULES + 1} map {{ 0 : 10.244.0.1 . 80")


def test_who_comes_from_outside_leaves_with_the_nodes_address() -> None:
    part = service_part(service(endpoint(1)), HERE)
    assert way(part, "tcp . 30080", "node-ports4") == ["meta mark set meta mark or 0x4000 goto svc/shop/web/tcp/80/4"]


def test_who_may_only_come_to_this_node_keeps_his_address_and_pods_may_go_anywhere() -> None:
    part = service_part(service(endpoint(1), endpoint(2, "n1"), external_local=True), HERE)
    assert way(part, "tcp . 30080", "node-ports4") == [
        "ip saddr @pods4 goto svc/shop/web/tcp/80/4",
        "fib saddr type local meta mark set meta mark or 0x4000 goto svc/shop/web/tcp/80/4",
        "goto here/shop/web/tcp/80/4",
    ]
    assert (
        way(service_part(service(endpoint(1), external_local=True), HERE), "tcp . 30080", "node-ports4")[-1] == "drop"
    )


def test_a_service_without_endpoints_refuses() -> None:
    part = service_part(service(external_ips=("192.0.2.9",)), HERE)
    assert part.chains == {}
    assert part.elements["refused4", "10.96.0.1 . tcp . 80"] == "goto refuse"
    assert part.elements["refused4", "192.0.2.9 . tcp . 80"] == "goto refuse"
    assert part.elements["refused-ports4", "tcp . 30080"] == "goto refuse"


def test_a_service_for_its_own_node_drops_where_the_node_has_none() -> None:
    part = service_part(service(endpoint(1), internal_local=True), HERE)
    assert part.elements["refused4", "10.96.0.1 . tcp . 80"] == "drop"
    assert way(part, "tcp . 30080", "node-ports4") == ["meta mark set meta mark or 0x4000 goto all/shop/web/tcp/80/4"]


def test_a_client_stays_with_its_endpoint() -> None:
    part = service_part(service(endpoint(1), endpoint(2), affinity_seconds=60), HERE)
    first, second, last = way(part, "10.96.0.1 . tcp . 80")
    at = "svc/shop/web/tcp/80/4/10.244.0.1/8080"
    assert first == f"ip saddr @{at}/60 goto at/{at}"
    assert part.chains[f"at/{at}"] == (f"update @{at}/60 {{ ip saddr }}", "meta l4proto tcp dnat ip to 10.244.0.1:8080")
    assert part.sets[f"{at}/60"] == "{ type ipv4_addr; size 65535; flags dynamic,timeout; timeout 60s; }"
    assert second.startswith("ip saddr @svc/shop/web/tcp/80/4/10.244.0.2/8080/60")
    assert last.startswith("numgen random mod 2 vmap")


def test_a_balancer_lets_only_its_sources_in() -> None:
    given = {"type": "LoadBalancer", "load_balancer_ips": ("192.0.2.10",), "source_ranges": ("203.0.113.0/24",)}
    part = service_part(service(endpoint(1), **given), HERE)
    assert way(part, "192.0.2.10 . tcp . 80") == ["ip saddr { 203.0.113.0/24 } goto ext/shop/web/tcp/80/4", "drop"]


def test_without_node_ports_a_balancer_has_none() -> None:
    given = {"type": "LoadBalancer", "load_balancer_node_ports": False}
    part = service_part(service(endpoint(1), **given), HERE)
    assert not [key for key in part.elements if key[0] == "node-ports4"]


@pytest.mark.parametrize(
    "given", [{"cluster_ips": ()}, {"type": "ExternalName", "external_name": "example.com"}], ids=["headless", "a name"]
)
def test_there_are_no_rules_for_what_is_only_a_name(given: dict[str, Any]) -> None:
    assert service_part(service(endpoint(1), **given), HERE).elements == {}


def test_an_address_of_version_6_is_written_as_nft_reads_it() -> None:
    slice_ = NetworkSlice("IPv6", (SlicePort(8080),), (NetworkEndpoint("fd00::1"),))
    part = service_part(NetworkService("shop", "web", cluster_ips=("fd01::1",), ports=(PORT,), slices=(slice_,)), HERE)
    assert way(part, "fd01::1 . tcp . 80", "services6") == ["meta l4proto tcp dnat ip6 to [fd00::1]:8080"]


def test_the_ranges_of_all_nodes_are_where_pods_are() -> None:
    nodes = {"nodes/n2": NetworkNode("n2", pod_cidrs=("10.244.2.0/24", "fd00:2::/64"))}
    assert set(ranges_part(nodes, ["10.244.1.0/24"]).elements) == {
        ("own4", "10.244.1.0/24"),
        ("pods4", "10.244.1.0/24"),
        ("pods4", "10.244.2.0/24"),
        ("pods6", "fd00:2::/64"),
    }
