"""The system's own programs, by which the network is changed: `ip`, `nft`, `iptables`."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

COMMAND_SECONDS = 30.0
USUAL = "nftables iproute2 conntrack"
PACKAGES = {"haproxy": "haproxy", "sysctl": "procps", "wg": "wireguard-tools"}


class NetworkFailure(Exception):
    """A command that changes the node's network failed; the text is the command's own."""


async def run(command: Sequence[str], text: str = "") -> str:
    """What the command prints, given `text` to read. Raises `NetworkFailure`."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except FileNotFoundError as error:
        raise NetworkFailure(
            f"{command[0]} is not installed; on Debian: apt-get install {PACKAGES.get(command[0], USUAL)}"
        ) from error
    try:
        async with asyncio.timeout(COMMAND_SECONDS):
            output, fault = await process.communicate(text.encode())
    except TimeoutError:
        process.kill()
        await process.wait()
        raise NetworkFailure(f"`{' '.join(command)}` did not end within {COMMAND_SECONDS:.0f} s") from None
    if process.returncode != 0:
        raise NetworkFailure(f"`{' '.join(command)}` failed: {fault.decode(errors='replace').strip()}")
    return output.decode(errors="replace")


async def ip(*arguments: str, enter: Sequence[str] = ()) -> list[Any]:
    """What `ip -json` says. Raises `NetworkFailure`."""
    found: list[Any] = json.loads(await run((*enter, "ip", "-json", *arguments)) or "[]")
    return found


async def batch(program: str, lines: Sequence[str], enter: Sequence[str] = ()) -> None:
    """`ip` or `bridge` carries out all the lines, if there are any. Raises `NetworkFailure`."""
    if lines:
        await run((*enter, program, "-batch", "-"), "\n".join(lines) + "\n")
