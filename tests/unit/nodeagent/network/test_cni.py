import json
from pathlib import Path

import msgspec
import pytest

from nodeagent.network.cni import PodNetwork, conflist

NETWORK = PodNetwork(bridge="wherry0", pod_cidr="10.42.3.0/24", data_directory=Path("/data/cni"))


def test_the_configuration_names_bridge_range_and_directory() -> None:
    document = json.loads(conflist(NETWORK))
    bridge, portmap = document["plugins"]
    assert (document["name"], bridge["bridge"], bridge["isGateway"], bridge["hairpinMode"]) == (
        "wherry0",
        "wherry0",
        True,
        True,
    )
    assert bridge["ipam"]["ranges"] == [[{"subnet": "10.42.3.0/24"}]]
    assert bridge["ipam"]["dataDir"] == "/data/cni"
    assert portmap["capabilities"] == {"portMappings": True}


def test_the_same_facts_give_the_same_text() -> None:
    assert conflist(NETWORK) == conflist(msgspec.structs.replace(NETWORK))


def test_an_mtu_is_set_only_where_it_is_given() -> None:
    assert "mtu" not in json.loads(conflist(NETWORK))["plugins"][0]
    assert json.loads(conflist(msgspec.structs.replace(NETWORK, mtu=1400)))["plugins"][0]["mtu"] == 1400


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({"bridge": "wherry-is-too-long"}, "is no name for a bridge", id="long"),
        pytest.param({"bridge": 'x"; flush ruleset'}, "is no name for a bridge", id="script"),
        pytest.param({"pod_cidr": "10.42.3.0/31"}, "has no room for a pod", id="small"),
        pytest.param({"pod_cidr": "10.42.3.1/24"}, "has host bits set", id="host bits"),
        pytest.param({"pod_cidr": "pods"}, "does not appear to be an IPv4 or IPv6 network", id="word"),
    ],
)
def test_what_cannot_be_is_refused(changes: dict[str, object], said: str) -> None:
    network = msgspec.structs.replace(NETWORK, **changes)
    with pytest.raises(ValueError, match=said):
        conflist(network)
