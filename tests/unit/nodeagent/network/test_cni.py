import json
from pathlib import Path

import msgspec
import pytest

from nodeagent.network.cni import PodNetwork, conflist, leftovers

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


def portmap_rules(*networks: str) -> list[str]:
    """As `iptables -t nat -S` prints what the portmap plugin laid for one pod of each network."""
    rules = ["-P PREROUTING ACCEPT", "-N CNI-HOSTPORT-DNAT", "-N CNI-HOSTPORT-MASQ", "-N CNI-HOSTPORT-SETMARK"]
    rules += [f"-N CNI-DN-{name}" for name in networks]
    rules += [
        "-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT",
        '-A POSTROUTING -m comment --comment "CNI portfwd requiring masquerade" -j CNI-HOSTPORT-MASQ',
    ]
    for name in networks:
        rules += [
            f"-A CNI-DN-{name} -s 10.1.0.0/24 -p tcp -m tcp --dport 80 -j CNI-HOSTPORT-SETMARK",
            f"-A CNI-DN-{name} -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.1.0.2:80",
            "-A CNI-HOSTPORT-DNAT -p tcp -m comment "
            f'--comment "dnat name: \\"{name}\\" id: \\"0a\\"" -m multiport --dports 80 -j CNI-DN-{name}',
        ]
    return rules


def test_rules_of_another_network_stay() -> None:
    actions = leftovers(portmap_rules("wherry0", "podman"), "wherry0")
    assert [each[:2] for each in actions] == [
        ["-D", "CNI-HOSTPORT-DNAT"],
        ["-F", "CNI-DN-wherry0"],
        ["-X", "CNI-DN-wherry0"],
    ]
    assert leftovers(portmap_rules("podman"), "wherry0") == []


def test_the_last_network_takes_the_common_chains_with_it() -> None:
    actions = leftovers(portmap_rules("wherry0"), "wherry0")
    assert ["-X", "CNI-HOSTPORT-DNAT"] in actions
    assert ["-D", "PREROUTING", "-m", "addrtype", "--dst-type", "LOCAL", "-j", "CNI-HOSTPORT-DNAT"] in actions
    assert not any(each[:2] == ["-D", "CNI-DN-wherry0"] for each in actions)


def test_where_nothing_was_laid_nothing_is_taken_away() -> None:
    assert leftovers(["-P PREROUTING ACCEPT", "-A POSTROUTING -o eth0 -j MASQUERADE"], "wherry0") == []
