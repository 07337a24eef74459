"""Asks git what it says of a commit: who made it, when, and its subject."""

import subprocess
from datetime import UTC, datetime

from reconciler.manifests.checkout import Checkout
from reconciler.manifests.history import Description

_SECONDS = 10.0
_LONGEST = 200
_FORMAT = "%an <%ae>%x00%at%x00%s"


def describe(checkout: Checkout, commit: str) -> Description:
    """Empty where git is not there, or does not have the commit. Waits for a process: run it in a thread."""
    # No signature is checked, so that no program runs which the repository's own configuration names.
    command = [
        *("git", "-c", "log.showSignature=false", "-C", str(checkout.work_tree)),
        *("log", "-1", "--no-color", f"--format={_FORMAT}", "--end-of-options", commit, "--"),
    ]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return Description()
    author, _, rest = done.stdout.decode(errors="replace").strip().partition("\0")
    authored, _, subject = rest.partition("\0")
    if done.returncode or not authored.isdecimal():
        return Description()
    return Description(author[:_LONGEST], datetime.fromtimestamp(int(authored), UTC), subject[:_LONGEST])
