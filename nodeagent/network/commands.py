"""The system's own programs, by which the network is changed: `ip`, `nft`, `iptables`."""

import asyncio
from collections.abc import Sequence

COMMAND_SECONDS = 30.0


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
            f"{command[0]} is not installed; on Debian: apt-get install nftables iproute2 conntrack"
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
