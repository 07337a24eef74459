from nodeagent.network.removal import leftovers


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
