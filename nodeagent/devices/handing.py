"""What a container gets with its devices: files, variables, mounts, groups. Pure."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec
from msgspec import field

from nodeagent.devices.declared import DeviceResource
from nodeagent.runtime.interface import Device, Mount

_PLACE = "$(DEVICES)"


class Handed(msgspec.Struct, frozen=True):
    devices: tuple[Device, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    groups: tuple[int, ...] = ()


def handed(
    given: Mapping[str, tuple[str, ...]], declared: Iterable[DeviceResource], also: Mapping[str, tuple[str, ...]]
) -> Handed:
    """`given`: files by resource; `also`: those that come with any device of it. A file comes once."""
    devices: dict[str, Device] = {}
    environment: dict[str, str] = {}
    mounts: list[Mount] = []
    groups: list[int] = []
    for one in declared:
        if one.resource not in given:
            continue
        files = tuple(dict.fromkeys(given[one.resource]))
        for path in (*files, *also.get(one.resource, ())):
            devices.setdefault(path, Device(path, path, one.permissions))
        environment |= {name: text.replace(_PLACE, ",".join(files)) for name, text in one.env.items()}
        mounts += [
            Mount(host_path=Path(mount.host_path), container_path=mount.container_path, read_only=mount.read_only)
            for mount in one.mounts
        ]
        groups += [group for group in one.groups if group not in groups]
    return Handed(tuple(devices.values()), environment, tuple(mounts), tuple(groups))
