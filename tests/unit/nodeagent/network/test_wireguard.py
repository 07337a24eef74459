"""What the kernel is told of WireGuard. The kernel's part of it is a table here, for not every kernel has it."""

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

from nodeagent.config import Config, NetworkSettings
from nodeagent.daemon import _securing
from nodeagent.network.commands import NetworkFailure
from nodeagent.network.securing import KEY_FILE, Secured, Securing, remove, secured_name
from nodeagent.network.wireguard import KEEPALIVE_SECONDS, SecuredPeer, changes, secured_peer
from schemas.configuration import BrokerAddress

RANGES = ("10.244.9.0/24", "fd01:9::/64")
FAR = SecuredPeer("far", RANGES, "198.51.100.9:51830")
HOME = SecuredPeer("home", ("10.244.8.0/24",))
SET_FAR = "peer far endpoint 198.51.100.9:51830 persistent-keepalive 0 allowed-ips 10.244.9.0/24,fd01:9::/64"
SET_HOME = "peer home persistent-keepalive 0 allowed-ips 10.244.8.0/24"


@pytest.mark.parametrize(
    ("own", "other", "endpoint", "keepalive"),
    [
        pytest.param("9.0.0.1", "8.0.0.1", "8.0.0.1:51830", 0, id="both can be reached"),
        pytest.param("192.168.0.5", "8.0.0.1", "8.0.0.1:51830", KEEPALIVE_SECONDS, id="we are behind a router"),
        pytest.param("9.0.0.1", "192.168.0.5", "", 0, id="the other is, and comes to us"),
        pytest.param("192.168.0.5", "10.0.0.5", "10.0.0.5:51830", 0, id="both have private addresses"),
        pytest.param("2a00::1", "2a01::1", "[2a01::1]:51830", 0, id="of the other family"),
    ],
)
def test_a_peer_is_found_by_its_address_or_by_what_it_sends(
    own: str, other: str, endpoint: str, keepalive: int
) -> None:
    assert secured_peer("key", RANGES, own, other) == SecuredPeer("key", RANGES, endpoint, keepalive)


@pytest.mark.parametrize(
    ("wanted", "before", "present", "words"),
    [
        pytest.param([FAR], [], [], SET_FAR, id="a new one"),
        pytest.param([HOME], [], [], SET_HOME, id="a new one that comes to us"),
        pytest.param([FAR, HOME], [FAR, HOME], ["far", "home"], "", id="nothing has changed"),
        pytest.param([FAR], [FAR, HOME], ["far", "home"], "peer home remove", id="one has gone"),
        pytest.param([], [], ["far"], "peer far remove", id="one is left from another time"),
        pytest.param([FAR], [], ["far"], SET_FAR, id="the agent has started anew"),
        pytest.param([FAR], [FAR], [], SET_FAR, id="somebody has taken it away"),
        pytest.param(
            [SecuredPeer("far", ("10.244.5.0/24",), FAR.endpoint)],
            [FAR],
            ["far"],
            "peer far persistent-keepalive 0 allowed-ips 10.244.5.0/24",
            id="it has another range, and stays where it was found",
        ),
    ],
)
def test_peers_become_those_that_are_wanted(
    wanted: list[SecuredPeer], before: list[SecuredPeer], present: list[str], words: str
) -> None:
    assert changes(wanted, before, present) == words.split()


Programs = Callable[..., list[str]]

IP = """#!/bin/sh
echo "ip $*" >> {log}
case "$*" in
  *-batch*) while read line; do echo "  $line" >> {log}; case "$line" in
    "link add"*) {can} touch {device} || exit 1 ;; "link del"*) rm {device} ;; esac; done ;;
  *) if [ -e {device} ]; then echo '[{{"ifname": "wlab"}}]'; else echo '[]'; fi ;;
esac
"""
WG = """#!/bin/sh
echo "wg $*" >> {log}
case "$1" in
  genkey) echo private ;;
  pubkey) sed s/private/public/ ;;
esac
"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    """`ip` and `wg` that note how they are called. Returns what was noted since it was asked last."""
    log, device = tmp_path / "log", tmp_path / "device"

    def write(can: bool = True, wg: bool = True) -> list[str]:
        given = {"log": log, "device": device, "can": "" if can else "false &&"}
        for name, text in (("ip", IP), ("wg", WG)) if wg else (("ip", IP),):
            (tmp_path / name).write_text(text.format(**given))
            (tmp_path / name).chmod(0o755)
        said = log.read_text().splitlines() if log.exists() else []
        log.write_text("")
        return [one.strip() for one in said if not one.startswith("ip")]

    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return write


async def test_the_key_is_made_once_and_is_nobody_elses_to_read(tmp_path: Path, programs: Programs) -> None:
    programs()
    for _ in range(2):
        securing = Securing("wlab", tmp_path)
        await securing.prepare()
        assert securing.public_key == "public"
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
    assert programs().count("wg genkey") == 1


async def test_a_kernel_that_lacks_it_is_told_and_no_key_is_made(tmp_path: Path, programs: Programs) -> None:
    programs(can=False)
    with pytest.raises(NetworkFailure, match="the kernel has no module `wireguard`"):
        await Securing("wlab", tmp_path).prepare()
    assert not (tmp_path / KEY_FILE).exists()


@pytest.mark.parametrize(
    ("tunnels", "can", "key", "why"),
    [
        pytest.param("vxlan", True, "", "", id="not wanted"),
        pytest.param("wireguard", True, "public", "", id="wanted and there"),
        pytest.param("wireguard", False, "", "no module `wireguard`", id="wanted and not there"),
    ],
)
async def test_an_agent_has_a_key_where_it_can(
    tmp_path: Path, programs: Programs, tunnels: Literal["vxlan", "wireguard"], can: bool, key: str, why: str
) -> None:
    programs(can=can)
    config = Config(
        broker=BrokerAddress(url="mqtt://127.0.0.1"), node="n", data=tmp_path, network=NetworkSettings(tunnels=tunnels)
    )
    securing, said = await _securing(config, "lab")
    assert (securing.public_key if securing else "") == key
    assert bool(said) == bool(why)
    assert why in said


async def test_the_device_is_made_once_and_then_changed(tmp_path: Path, programs: Programs) -> None:
    programs()
    securing = Securing("wlab", tmp_path)
    await securing.prepare()
    programs()
    wanted = Secured((FAR,), ("10.244.1.0",), 1420)
    await securing.lay(wanted)
    assert programs() == [
        "link add wlab type wireguard",
        f"wg set wlab listen-port 51830 private-key {tmp_path / KEY_FILE}",
        "addr flush dev wlab",
        "addr add 10.244.1.0 dev wlab",
        "link set wlab mtu 1420 up",
        "wg show wlab peers",
        f"wg set wlab {SET_FAR}",
    ]
    await Securing("wlab", tmp_path).lay(wanted)
    assert "link add wlab type wireguard" not in programs()
    await remove("wlab")
    assert programs() == ["link del wlab"]


def test_the_devices_name_fits_the_kernel() -> None:
    assert len(secured_name("wherry-deadbeef")) <= 15
