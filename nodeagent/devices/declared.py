"""What the agent's configuration says of devices: which files they are, and what comes with them. Values only.

An extended resource (https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/#extended-resources)
is declared here where a kubelet would need a device plugin.
"""

import re
from collections.abc import Iterator, Sequence

from msgspec import field

from schemas.configuration import Section

_RESOURCE = re.compile(r"([a-z0-9]([-a-z0-9]*[a-z0-9])?\.)+[a-z0-9]([-a-z0-9]*[a-z0-9])?/[A-Za-z0-9]([-A-Za-z0-9_.]*)")
MOST_SHARES = 1000


class DeviceMount(Section, frozen=True, kw_only=True):
    """A file or folder of the node that a container with the device sees, too."""

    host_path: str
    container_path: str
    read_only: bool = True


class DeviceResource(Section, frozen=True, kw_only=True):
    """An extended resource. Each file that a pattern of `paths` matches is one device of it.

    `also`: files that come with any device of it. `shares`: how many containers may have one device at a time.
    `$(DEVICES)` in a value of `env` stands for the files given, parted by commas. `groups`: ids of the groups that may
    open the files, which the container's user is put into.
    """

    resource: str
    paths: tuple[str, ...]
    also: tuple[str, ...] = ()
    permissions: str = "rw"
    shares: int = 1
    env: dict[str, str] = field(default_factory=dict)
    mounts: tuple[DeviceMount, ...] = ()
    groups: tuple[int, ...] = ()


def faults(declared: Sequence[DeviceResource]) -> Iterator[str]:
    """What has to be mended, each with its field."""
    names = [one.resource for one in declared]
    for index, one in enumerate(declared):
        at = f"devices[{index}]"
        if not _RESOURCE.fullmatch(one.resource) or one.resource.partition("/")[0].endswith("kubernetes.io"):
            yield f"{at}.resource: {one.resource!r} is no extended resource: expected DOMAIN/NAME, as wherry.dev/gpio"
        elif names.index(one.resource) != index:
            yield f"{at}.resource: {one.resource} is declared twice: put all its paths into one place"
        if not one.paths:
            yield f"{at}.paths: expected at least one path or pattern, as /dev/gpiochip*"
        for name, path in (("paths", one.paths), ("also", one.also)):
            for wrong in (each for each in path if not each.startswith("/") or ".." in each.split("/")):
                yield f"{at}.{name}: {wrong!r} is no absolute path"
        if not one.permissions or set(one.permissions) - set("rwm"):
            yield f"{at}.permissions: {one.permissions!r}: expected some of r (read), w (write) and m (make)"
        if not 1 <= one.shares <= MOST_SHARES:
            yield f"{at}.shares: expected a number from 1 to {MOST_SHARES}, found {one.shares}"
        for mount in one.mounts:
            if not (mount.host_path.startswith("/") and mount.container_path.startswith("/")):
                yield f"{at}.mounts: hostPath and containerPath have to be absolute paths"
