from typing import Any

import pytest

from nodeagent.network.bridge import changes
from nodeagent.network.commands import NetworkFailure


def device(name: str, *addresses: str) -> dict[str, Any]:
    pairs = (one.split("/") for one in addresses)
    return {"ifname": name, "addr_info": [{"local": at, "prefixlen": int(n), "scope": "global"} for at, n in pairs]}


ETH0 = device("eth0", "192.0.2.1/24")


@pytest.mark.parametrize(
    ("devices", "lines"),
    [
        pytest.param(
            [ETH0],
            ["link add wherry0 type bridge", "addr add 10.244.1.1/24 dev wherry0", "link set wherry0 up"],
            id="none yet",
        ),
        pytest.param([ETH0, device("wherry0", "10.244.1.1/24")], [], id="as it should be"),
        pytest.param(
            [device("wherry0", "10.244.9.1/24")],
            ["addr del 10.244.9.1/24 dev wherry0", "addr add 10.244.1.1/24 dev wherry0"],
            id="of another range",
        ),
    ],
)
def test_the_bridge_has_the_gateways_address(devices: list[dict[str, Any]], lines: list[str]) -> None:
    assert changes("wherry0", "10.244.1.0/24", devices) == lines


def test_a_bridge_of_two_families_has_a_gateway_of_each() -> None:
    both = "10.244.1.0/24,fd00:244::/64"
    assert changes("wherry0", both, [device("wherry0", "10.244.1.1/24", "fd00:9::1/64")]) == [
        "addr del fd00:9::1/64 dev wherry0",
        "addr add fd00:244::1/64 dev wherry0 nodad",
    ]
    assert changes("wherry0", both, [device("wherry0", "10.244.1.1/24", "fd00:244::1/64")]) == []


def test_a_range_that_another_device_has_is_refused_with_what_to_do() -> None:
    with pytest.raises(NetworkFailure, match=r"docker0 has 10\.244\.0\.1/16.*`ip link delete docker0`"):
        changes("wherry0", "10.244.1.0/24", [device("docker0", "10.244.0.1/16")])
