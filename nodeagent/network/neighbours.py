"""Telling the machines on a link where an address is now, and asking them who has it.

Announcements follow RFC 5227 section 2.3 (IPv4) and RFC 4861 section 7.2.6 (IPv6), probes RFC 5227 section 2.1.
"""

import asyncio
import socket
import struct
from collections.abc import Sequence

ETH_ARP = 0x0806
_BROADCAST = b"\xff" * 6
_REQUEST, _REPLY = 1, 2
_ADVERTISEMENT, _OVERRIDE = 136, 0x20000000
_TARGET_LINK_ADDRESS = b"\x02\x01"
_ALL_NODES = "ff02::1"


def arp(hardware: bytes, sender: str, target: str) -> bytes:
    """A request for all on the link. An announcement where sender and target are one; a probe has sender 0.0.0.0."""
    head = _BROADCAST + hardware + struct.pack("!HHHBBH", ETH_ARP, 1, 0x0800, 6, 4, _REQUEST)
    return head + hardware + socket.inet_aton(sender) + bytes(6) + socket.inet_aton(target)


def has(frame: bytes, address: str, hardware: bytes) -> bool:
    """Whether in this frame another machine than ours says that it has the address."""
    if len(frame) < 42 or struct.unpack_from("!H", frame, 12)[0] != ETH_ARP:
        return False
    return frame[28:32] == socket.inet_aton(address) and frame[22:28] != hardware


def advertisement(hardware: bytes, address: str) -> bytes:
    """An ICMPv6 message; the kernel fills in its checksum."""
    head = struct.pack("!BBHI", _ADVERTISEMENT, 0, 0, _OVERRIDE)
    return head + socket.inet_pton(socket.AF_INET6, address) + _TARGET_LINK_ADDRESS + hardware


def announce(device: str, addresses: Sequence[str]) -> None:
    """Says once that these addresses are here. Raises `OSError`."""
    with _on(device) as link:
        hardware: bytes = link.getsockname()[4]
        for one in addresses:
            if ":" not in one:
                link.send(arp(hardware, one, one))
    versions = [one for one in addresses if ":" in one]
    if versions:
        with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as raw:
            raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
            for one in versions:
                raw.sendto(advertisement(hardware, one), (_ALL_NODES, 0, 0, socket.if_nametoindex(device)))


async def is_elsewhere(device: str, address: str, seconds: float) -> bool:
    """Whether another machine answers for this address of IPv4 within the time. Raises `OSError`."""
    with _on(device) as link:
        link.setblocking(False)
        hardware: bytes = link.getsockname()[4]
        loop = asyncio.get_running_loop()
        link.send(arp(hardware, "0.0.0.0", address))
        try:
            async with asyncio.timeout(seconds):
                while not has(await loop.sock_recv(link, 64), address, hardware):
                    continue
        except TimeoutError:
            return False
    return True


def _on(device: str) -> socket.socket:
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_ARP))
    try:
        link.bind((device, ETH_ARP))
    except OSError:
        link.close()
        raise
    return link
