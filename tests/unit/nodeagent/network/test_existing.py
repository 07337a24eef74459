"""A node whose CNI configuration is somebody else's."""

from pathlib import Path
from typing import Any

import pytest

from nodeagent.config import load_config
from nodeagent.network.cni import CONFLIST
from nodeagent.network.commands import NetworkFailure
from nodeagent.network.existing import changes, has_configuration, lay_existing
from nodeagent.network.forwarding import Forwarding
from nodeagent.network.state import NetworkState
from schemas.configuration import BadConfiguration
from schemas.network import NetworkNode, NetworkPolicyBody

NAMES = "169.254.20.10"


def device(*addresses: str) -> dict[str, Any]:
    info = [{"local": one, "prefixlen": 24 if one.startswith("10.") else 32, "scope": "global"} for one in addresses]
    return {"ifname": "wherry0", "addr_info": [*info, {"local": "fe80::1", "prefixlen": 64, "scope": "link"}]}


@pytest.mark.parametrize(
    ("devices", "lines"),
    [
        pytest.param(
            [],
            ["link add wherry0 type bridge", "link set wherry0 up", f"addr add {NAMES} dev wherry0 scope global"],
            id="nothing is there",
        ),
        pytest.param([device(NAMES)], [], id="it is there"),
        pytest.param(
            [device("10.244.0.1")],
            ["addr del 10.244.0.1/24 dev wherry0", f"addr add {NAMES} dev wherry0 scope global"],
            id="the bridge of a time when pods were on it",
        ),
    ],
)
def test_names_have_an_address(devices: list[dict[str, Any]], lines: list[str]) -> None:
    assert changes("wherry0", NAMES, devices) == lines


async def test_our_own_configuration_goes_and_another_one_has_to_be_there(tmp_path: Path) -> None:
    (tmp_path / CONFLIST).write_text("{}")
    with pytest.raises(NetworkFailure, match="there is none in"):
        await lay_existing("wherry0", NAMES, tmp_path)
    assert list(tmp_path.iterdir()) == []


NFT = """#!/bin/sh
cat > {script}
"""


async def test_pods_that_somebody_else_joins_are_guarded_and_leave_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "script"
    (tmp_path / "nft").write_text(NFT.format(script=script))
    (tmp_path / "nft").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    forwarding = Forwarding("n", "wherry0", joins=False)
    policy = NetworkPolicyBody("shop", "closed", ("172.20.3.4", "172.20.9.9"), ingress=())
    node = NetworkNode("n", ("192.0.2.1",), ("10.244.1.0/24",))
    forwarding.placed("uid", ("172.20.3.4",))
    forwarding.update(NetworkState(nodes={"nodes/n": node}, policies={"policies/shop/closed": policy}))
    await forwarding.lay(["10.244.1.0/24"])
    said = script.read_text()
    assert "guarded-in4 { 172.20.3.4 : goto guard-in/172.20.3.4 }" in said
    assert "add element inet wherry0 pods4 { 10.244.1.0/24 }" in said
    assert "172.20.9.9" not in said
    assert "add element inet wherry0 own4" not in said


@pytest.mark.parametrize(
    ("names", "found"), [(["10-calico.conflist"], True), (["a.conf"], True), (["README"], False), ([], False)]
)
def test_what_containerd_reads_is_a_configuration(tmp_path: Path, names: list[str], found: bool) -> None:
    for name in names:
        (tmp_path / name).touch()
    assert has_configuration(tmp_path) == found
    assert not has_configuration(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        ("network: {cni: existing}", ""),
        ("network: {cni: existing, names: 'fd00::53'}", ""),
        ("network: {tunnels: wireguard}", ""),
        ("network: {cni: calico}", "network.cni"),
        ("network: {names: gateway}", "network.names: expected an address, found 'gateway'"),
        ("containerd: own\nnetwork: {cni: existing}", "network.cni: an own containerd"),
        ("network: {cni: existing, tunnels: wireguard}", "network.tunnels: with `cni: existing`"),
    ],
)
def test_the_configuration_is_held_against_itself(tmp_path: Path, lines: str, fault: str) -> None:
    path = tmp_path / "agent.yaml"
    path.write_text(f"broker: {{url: 'mqtt://127.0.0.1'}}\nnode: n\n{lines}\n")
    if not fault:
        load_config(path)
        return
    with pytest.raises(BadConfiguration, match=fault.replace("(", r"\(")):
        load_config(path)
