"""Which way the pods of other nodes are reached: pure, from the nodes and this node's own links.

A node on a link of ours is the gateway to its pods (`host-gw`); any other is reached through WireGuard, where both have
told their keys, or else a VXLAN tunnel, RFC 7348, whose hardware addresses follow from the nodes' names, so that
nothing has to be exchanged or learnt.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any

import msgspec

from nodeagent.network.wireguard import OVERHEAD, SecuredPeer, secured_peer
from schemas.network import NetworkNode


class Link(msgspec.Struct, frozen=True):
    """A device of this node with its addresses, each with the length of its network's prefix."""

    device: str
    addresses: tuple[str, ...]
    mtu: int = 1500


class Route(msgspec.Struct, frozen=True, order=True):
    """`via` is on the link though no address of ours is in its network (`onlink`), where it is a tunnel's.

    It is empty where the device knows by itself whom to send to.
    """

    destination: str
    via: str
    device: str
    onlink: bool = False


class Peer(msgspec.Struct, frozen=True, order=True):
    """The other end of a tunnel. `address`: where it is sent to; `gateways`: its addresses inside."""

    hardware: str
    address: str
    gateways: tuple[str, ...]


class Plan(msgspec.Struct, frozen=True):
    """`source`: the address that tunnels leave from; `own`: this node's addresses inside of them.

    `secured` are the ends of those that WireGuard guards, whose packets are at most `mtu` long.
    """

    routes: tuple[Route, ...] = ()
    peers: tuple[Peer, ...] = ()
    source: str = ""
    own: tuple[str, ...] = ()
    hardware: str = ""
    secured: tuple[SecuredPeer, ...] = ()
    mtu: int = 0


class Own(msgspec.Struct, frozen=True):
    """This node's WireGuard device, and its key; both are empty where it has none."""

    device: str = ""
    public_key: str = ""


NOTHING = Own()


def links(devices: Iterable[Mapping[str, Any]], besides: set[str]) -> list[Link]:
    """Those that lead to other machines, from what `ip -json addr show up` says; `besides` are our own devices."""
    found = []
    for each in devices:
        addresses = tuple(
            f"{one['local']}/{one['prefixlen']}" for one in each.get("addr_info", ()) if one.get("scope") == "global"
        )
        if addresses and each["ifname"] not in besides:
            found.append(Link(each["ifname"], addresses, each.get("mtu", 1500)))
    return found


def plan(node: str, nodes: Mapping[str, NetworkNode], links: Sequence[Link], tunnel: str, guard: Own = NOTHING) -> Plan:
    """The ways to all nodes that have an address and a range of pods. `tunnel` is the name of the tunnels' device.

    WireGuard is used once the others know our key.
    """
    own = next((one for one in nodes.values() if one.name == node), NetworkNode(node))
    guards = bool(guard.public_key) and own.public_key == guard.public_key
    routes: list[Route] = []
    peers: list[Peer] = []
    secured: list[SecuredPeer] = []
    for other in nodes.values():
        if other.name == node:
            continue
        direct = list(_direct(other, links))
        routes += direct
        reached = {route.destination for route in direct}
        far = tuple(one for one in other.pod_cidrs if one not in reached)
        address = next((one for one in other.addresses if _source(one, links)), "")
        if far and address and guards and other.public_key:
            secured.append(secured_peer(other.public_key, far, _source(address, links), address))
            routes += [Route(one, "", guard.device) for one in far]
        elif far and address:
            gateways = tuple(_inside(one) for one in far)
            peers.append(Peer(hardware_address(other.name), address, gateways))
            routes += [Route(one, gateway, tunnel, True) for one, gateway in zip(far, gateways, strict=True)]
    return Plan(
        routes=tuple(sorted(routes)),
        peers=tuple(sorted(peers)),
        source=_source(peers[0].address, links) if peers else "",
        own=tuple(_inside(one) for one in own.pod_cidrs) if peers or secured else (),
        hardware=hardware_address(node) if peers else "",
        secured=tuple(sorted(secured)),
        mtu=min(link.mtu for link in links) - OVERHEAD if secured else 0,
    )


def _direct(other: NetworkNode, links: Sequence[Link]) -> Iterator[Route]:
    """To each of its ranges of which it has an address on a link of ours, of the same family."""
    for destination in other.pod_cidrs:
        version = ip_network(destination, strict=False).version
        for address in other.addresses:
            device = next((link.device for link in links if _on(link, address)), "")
            if device and ip_address(address).version == version:
                yield Route(destination, address, device)
                break


def _on(link: Link, address: str) -> bool:
    return any(ip_address(address) in ip_interface(one).network for one in link.addresses)


def _source(address: str, links: Sequence[Link]) -> str:
    """Our own address of the same family, from the link that comes first."""
    version = ip_address(address).version
    own = (ip_interface(one).ip for link in links for one in link.addresses)
    return next((str(one) for one in own if one.version == version and not one.is_link_local), "")


def _inside(range_: str) -> str:
    """A node's address inside the tunnels: that of its range, which no pod gets."""
    return str(ip_network(range_, strict=False).network_address)


def hardware_address(node: str) -> str:
    """Locally administered, and the same wherever it is asked for."""
    return ":".join(["02", *(f"{byte:02x}" for byte in hashlib.sha256(node.encode()).digest()[:5])])
