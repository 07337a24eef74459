"""Tells when an address of the node comes or goes, as DHCP may have it, without looking all the time.

The kernel says so on a socket of rtnetlink(7). Addresses of one link only, which every new device has, do not count.
"""

import asyncio
import socket
import struct
from collections.abc import Callable, Iterator

NEW, GONE = 20, 21
_GROUPS = 0x10 | 0x100
"""RTMGRP_IPV4_IFADDR and RTMGRP_IPV6_IFADDR."""
_HEADER, _UNIVERSE = 16, 0
_GATHER_SECONDS = 0.5
"""A client of DHCP removes one and adds the other."""


def scopes(said: bytes) -> Iterator[int]:
    """Of each address that came or went, in a message of the kernel: 0 for one that the world may know."""
    while len(said) >= _HEADER:
        length, type_ = struct.unpack_from("=IH", said)
        if type_ in (NEW, GONE) and length >= _HEADER + 8 <= len(said):
            yield said[_HEADER + 3]
        said = said[max(_HEADER, (length + 3) & ~3) :]


async def watch(*changed: Callable[[], None]) -> None:
    """Until cancelled. What was missed, because too much happened at once, counts as a change."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as kernel:
        kernel.setblocking(False)
        kernel.bind((0, _GROUPS))
        while True:
            try:
                if not any(scope == _UNIVERSE for scope in scopes(await loop.sock_recv(kernel, 65536))):
                    continue
            except OSError:
                pass  # the socket's buffer was full: something was not said
            await asyncio.sleep(_GATHER_SECONDS)
            for each in changed:
                each()
