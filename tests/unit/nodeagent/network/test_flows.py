import pytest

from nodeagent.network.flows import Flow, forgetting, stale
from schemas.network import NetworkEndpoint, NetworkPort, NetworkService, NetworkSlice, Protocol, SlicePort


def service(*endpoints: str, protocol: Protocol = "UDP", node_port: int = 0) -> NetworkService:
    slices = (NetworkSlice("IPv4", (SlicePort(53, protocol),), tuple(NetworkEndpoint(one) for one in endpoints)),)
    ports = (NetworkPort(53, protocol, node_port=node_port),)
    return NetworkService("shop", "dns", cluster_ips=("10.96.0.1",), ports=ports, slices=slices)


TO = "10.96.0.1"


@pytest.mark.parametrize(
    ("old", "new", "flows"),
    [
        pytest.param(service("a", "b"), service("b"), [Flow(TO, 53, "a")], id="an endpoint that is gone"),
        pytest.param(service("a"), None, [Flow(TO, 53, "a")], id="a Service that is gone"),
        pytest.param(None, service("a"), [Flow(TO, 53)], id="what led nowhere"),
        pytest.param(service(), service("a"), [Flow(TO, 53)], id="what was without endpoints"),
        pytest.param(service("a"), service("a", "b"), [], id="one more"),
        pytest.param(
            service("a", node_port=30053),
            service("b", node_port=30053),
            [Flow("", 30053, "a"), Flow(TO, 53, "a")],
            id="by the node's port too",
        ),
        pytest.param(service("a", protocol="TCP"), None, [], id="not of TCP, which notices by itself"),
    ],
)
def test_what_the_kernel_has_to_forget(
    old: NetworkService | None, new: NetworkService | None, flows: list[Flow]
) -> None:
    assert stale(old, new) == flows


def test_it_is_told_to_conntrack() -> None:
    assert " ".join(forgetting(Flow(TO, 53, "10.244.0.2"))) == (
        "-D -f ipv4 -p udp --orig-port-dst 53 --orig-dst 10.96.0.1 --dst-nat 10.244.0.2"
    )
