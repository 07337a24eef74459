"""Says, before the tests run, what of them this machine cannot run, and why: nothing is skipped in silence."""

import os
import shutil
import sys
from pathlib import Path

PROGRAMS = ("containerd", "runc", "mosquitto", "nft", "ip", "nsenter", "skopeo", "umoci", "gcc", "curl")


def reasons() -> list[str]:
    """Why the lab tests cannot run here; empty where they can."""
    found = [f"{program} is missing: run `make setup`" for program in PROGRAMS if shutil.which(program) is None]
    if not Path("/usr/lib/cni/bridge").exists():
        found.append("the CNI plugins are missing: run `make setup`")
    if os.geteuid() != 0:
        found.append("containers and network namespaces need root: run the tests as root")
    return found


def main() -> None:
    """Prints the reasons; ends with 1 where there are any."""
    found = reasons()
    for reason in found:
        print(f"lab tests cannot run: {reason}", file=sys.stderr)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
