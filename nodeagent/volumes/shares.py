"""Shares of NFS servers, mounted by the kernel with the `mount` program of the node.

Debian and Raspberry Pi OS have its helper in the package nfs-common. Called in a thread: a server that is away keeps
the program waiting.
"""

import subprocess
from pathlib import Path

from nodeagent.volumes import mounts
from nodeagent.volumes.plan import Share, VolumeFault

MOUNT_SECONDS = 60.0
_LONGEST_REASON = 500


def mount_share(share: Share, target: Path) -> None:
    """Mounts the share, unless it is. Raises `VolumeFault`, or `OSError` where there is no place for it."""
    target.mkdir(parents=True, exist_ok=True)
    if target in mounts.mounted_below(target.parent):
        return
    try:
        done = subprocess.run(
            command(share, target), capture_output=True, text=True, timeout=MOUNT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise VolumeFault(share.name, f"no answer of {share.server} within {MOUNT_SECONDS:.0f} s") from None
    if done.returncode != 0:
        raise VolumeFault(share.name, f"mount failed: {done.stderr.strip()[:_LONGEST_REASON]}")


def command(share: Share, target: Path) -> list[str]:
    """What is run."""
    server = f"[{share.server}]" if ":" in share.server else share.server
    options = [*share.options, *(["ro"] if share.read_only else [])]
    flags = ["-o", ",".join(options)] if options else []
    return ["mount", "-t", "nfs", *flags, "--", f"{server}:{share.path}", str(target)]
