"""The node's WireGuard device and its key: brings into the kernel what `wireguard` says."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from nodeagent.network.commands import NetworkFailure, batch, ip, run
from nodeagent.network.wireguard import PORT, SecuredPeer, changes

log = logging.getLogger(__name__)

KEY_FILE = "wireguard.key"


class Secured(msgspec.Struct, frozen=True):
    """What the device is to be. `own`: this node's addresses inside."""

    peers: tuple[SecuredPeer, ...] = ()
    own: tuple[str, ...] = ()
    mtu: int = 0


class Securing:
    """`prepare` before all else. `device` is the name of the device; `directory` holds the key."""

    def __init__(self, device: str, directory: Path, enter: Sequence[str] = ()) -> None:
        self.device, self._key_file, self._enter = device, directory / KEY_FILE, enter
        self.public_key = ""
        self._done = Secured()

    async def prepare(self) -> None:
        """Makes the key, once in the life of the node. Raises `NetworkFailure` where WireGuard cannot be used."""
        if not await self._is_there():
            # Adding one is how the kernel tells whether it can; it loads its module by that, too.
            try:
                await self._ip(f"link add {self.device} type wireguard")
            except NetworkFailure as failure:
                raise NetworkFailure(f"the kernel has no module `wireguard` ({failure})") from failure
            await self._ip(f"link del {self.device}")
        try:
            if not self._key_file.exists():
                self._write_key(await run(("wg", "genkey")))
            self.public_key = (await run(("wg", "pubkey"), self._key_file.read_text())).strip()
        except OSError as error:
            raise NetworkFailure(f"the key {self._key_file} cannot be kept: {error}") from error

    async def lay(self, wanted: Secured) -> None:
        """Has the device with these peers. It is not made anew where it is there: connections through it go on."""
        if not await self._is_there():
            self._done = Secured()
            await self._ip(f"link add {self.device} type wireguard")
        key = ("listen-port", str(PORT), "private-key", str(self._key_file))
        await run((*self._enter, "wg", "set", self.device, *key))
        if (self._done.own, self._done.mtu) != (wanted.own, wanted.mtu):
            await self._ip(
                f"addr flush dev {self.device}",
                *(f"addr add {one} dev {self.device}" for one in wanted.own),
                f"link set {self.device} mtu {wanted.mtu} up",
            )
        present = (await run((*self._enter, "wg", "show", self.device, "peers"))).split()
        if words := changes(wanted.peers, self._done.peers, present):
            await run((*self._enter, "wg", "set", self.device, *words))
        self._done = wanted

    def _write_key(self, key: str) -> None:
        part = self._key_file.with_suffix(".part")
        part.unlink(missing_ok=True)
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(key)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._key_file)

    async def _is_there(self) -> bool:
        return await _is_there(self.device, self._enter)

    async def _ip(self, *lines: str) -> None:
        await batch("ip", lines, self._enter)


async def remove(device: str, enter: Sequence[str] = ()) -> None:
    """Also one of a time when WireGuard was used here."""
    if await _is_there(device, enter):
        await batch("ip", [f"link del {device}"], enter)


async def _is_there(device: str, enter: Sequence[str]) -> bool:
    return any(one["ifname"] == device for one in await ip("link", "show", enter=enter))


def secured_name(bridge: str) -> str:
    """At most 15 letters, as a device's name may have."""
    return f"w{bridge}"[:15]
