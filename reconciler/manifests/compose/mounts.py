"""What a service finds in its file system: `volumes`, `tmpfs`, `shm_size`, `devices`, `configs`, `secrets`.

Pure. A path of the project's own folder is not on the nodes: files that are in git come as a ConfigMap, and a path that
is not in git is data, which is kept in a PersistentVolumeClaim.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from posixpath import basename, join, normpath, relpath

import msgspec

from reconciler.manifests.compose.faults import Subject
from reconciler.manifests.compose.model import Claim, Content, Files, Granted, HostPath, Mount, Place, Scratch, Volume
from reconciler.manifests.compose.names import object_name
from reconciler.manifests.compose.nodes import Node
from reconciler.manifests.compose.paths import within
from reconciler.manifests.compose.reading import Fields, as_text, attempt, one_of
from reconciler.manifests.compose.resources import LARGEST_FILE
from reconciler.manifests.compose.source import MOST_LISTED, Source
from reconciler.manifests.compose.syntax import read_mount, size

_DOCKER = ("/var/run/docker.sock", "/run/docker.sock")
_PROPAGATIONS = {
    "": "", "private": "", "rprivate": "", "slave": "HostToContainer", "rslave": "HostToContainer",
    "shared": "Bidirectional", "rshared": "Bidirectional",
}  # fmt: skip


class _Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of `volumes`, in either form."""

    kind: str
    source: str
    target: str
    read_only: bool = False
    propagation: str = ""
    sub_path: str = ""
    size: int | None = None
    must_exist: bool = False


class Mounts:
    """Reads the mounts of all services; what they need of the project is the same for each."""

    def __init__(
        self,
        source: Source,
        project: str,
        folder: str,
        volumes: Mapping[str, Volume],
        configs: Mapping[str, Content],
        secrets: Mapping[str, Content],
    ) -> None:
        self.source = source
        self.project = project
        self.folder = folder
        self.volumes = volumes
        self.granted = {"configs": configs, "secrets": secrets}
        self.claimed: dict[str, Volume] = {}
        """Claims for paths that are not in git, by name."""

    def read(self, fields: Fields) -> tuple[Mount, ...]:
        """All mounts of a service; of two at one path the later is a fault."""
        found: dict[str, Mount] = {}
        for place, mount in self._all(fields):
            target = normpath(mount.target)
            if not target.startswith("/") or target == "/":
                message = f"expected an absolute path in the container, found {mount.target!r}"
                fields.report.error(place.node, place.path, message)
            elif target in found:
                fields.report.error(place.node, place.path, f"{target} is mounted twice; keep one")
            else:
                found[target] = msgspec.structs.replace(mount, target=target)
        return tuple(found.values())

    def _all(self, fields: Fields) -> Iterator[tuple[Place, Mount]]:
        for node, path in fields.items("volumes"):
            asked = (
                attempt(node, path, fields.report, _short) if not node.map else _long(Fields(node, path, fields.report))
            )
            if asked and (mount := self._mount(asked, Place(node, path), fields)):
                yield Place(node, path), mount
        for node, path, text in fields.each("tmpfs"):
            if mount := attempt(node, path, fields.report, partial(_tmpfs, text)):
                yield Place(node, path), mount
        if (bytes_ := fields.size("shm_size")) is not None:
            place = Place(fields.at("shm_size"), (*fields.path, "shm_size"))
            yield place, Mount(target="/dev/shm", source=Scratch(memory=True, size=bytes_))
        yield from _devices(fields)
        for section, folder in (("configs", "/"), ("secrets", "/run/secrets")):
            for node, path in fields.items(section):
                if mount := self._grant(section, folder, Place(node, path), fields):
                    yield Place(node, path), mount

    def _mount(self, asked: _Asked, place: Place, fields: Fields) -> Mount | None:
        if asked.kind == "tmpfs":
            return Mount(target=asked.target, source=Scratch(memory=True, size=asked.size))
        if asked.kind == "bind":
            return self._bind(asked, place, fields)
        if not asked.source:
            message = f"{asked.target} starts empty with every pod, and nothing is copied from the image; name a volume"
            fields.report.warning(place.node, place.path, message)
            return Mount(target=asked.target, source=Scratch(), read_only=asked.read_only)
        volume = self.volumes.get(asked.source)
        if volume is None:
            hint = (
                "; begin a path with ./ or /"
                if "/" in asked.source
                else "; name it in `volumes` at the top of the file"
            )
            fields.report.error(place.node, place.path, f"there is no volume {asked.source!r}{hint}")
            return None
        _use(fields, Subject("volumes", asked.source))
        source: Claim | HostPath | Scratch = Claim(volume.claim)
        if volume.host_path:
            source = HostPath(volume.host_path)
        elif volume.memory:
            source = Scratch(memory=True)
        return Mount(target=asked.target, source=source, read_only=asked.read_only, sub_path=asked.sub_path)

    def _bind(self, asked: _Asked, place: Place, fields: Fields) -> Mount | None:
        name = asked.source
        if name.startswith("~"):
            message = f"{name} is in a person's home, which a node does not have; write an absolute path of the node"
            fields.report.error(place.node, place.path, message)
            return None
        if name.startswith("/"):
            if name in _DOCKER:
                message = f"{name} is Docker's, which a node does not have; what talks to it will not work"
                fields.report.warning(place.node, place.path, message)
            propagation = _PROPAGATIONS[asked.propagation]
            return Mount(
                target=asked.target, source=HostPath(normpath(name)), read_only=asked.read_only, propagation=propagation
            )
        if (target := within(place.node.base, name)) is None:
            message = f"{name} leads out of the folder; copy it in, or write an absolute path of the node"
            fields.report.error(place.node, place.path, message)
            return None
        if contents := self._files(target, place, fields):
            return self._of_files(asked, name, target, contents, place, fields)
        return None if contents is None else self._of_data(asked, name, target, place, fields)

    def _files(self, target: str, place: Place, fields: Fields) -> dict[str, bytes] | None:
        """The files at a path of the folder, by their path below it; None where they are too many or too large."""
        if (content := self.source.read(target)) is not None:
            contents = {basename(target): content}
        else:
            prefix = "" if target == "." else f"{target}/"
            names = self.source.files(target)
            if len(names) > MOST_LISTED:
                message = f"{target} has more than {MOST_LISTED} files; build them into the image"
                fields.report.error(place.node, place.path, message)
                return None
            read = ((name, self.source.read(name)) for name in names)
            contents = {name.removeprefix(prefix): found for name, found in read if found is not None}
        total = sum(map(len, contents.values()))
        if total > LARGEST_FILE:
            message = f"{target} has {total} bytes, more than the {LARGEST_FILE} allowed; build it into the image"
            fields.report.error(place.node, place.path, message)
            return None
        return contents

    def _of_files(
        self, asked: _Asked, name: str, target: str, contents: dict[str, bytes], place: Place, fields: Fields
    ) -> Mount:
        if not asked.read_only:
            message = f"{name} comes from git, and the container cannot write to it; add :ro to say so"
            fields.report.warning(place.node, place.path, message)
        config = self._name(target)
        is_single = [*contents] == [basename(target)] and self.source.read(target) is not None
        return Mount(target=asked.target, source=Files(config, contents, is_single), read_only=True)

    def _of_data(self, asked: _Asked, name: str, target: str, place: Place, fields: Fields) -> Mount | None:
        # What has an ending is a file; a claim would put a folder in its place.
        if asked.read_only or asked.must_exist or "." in basename(target)[1:]:
            message = f"{name} is not in the folder; add the file, or write an absolute path of the node"
            fields.report.error(place.node, place.path, message)
            return None
        claim = self._name(target)
        message = f"{name} is not in git: its data is kept in the PersistentVolumeClaim {claim}"
        fields.report.warning(place.node, place.path, message)
        self.claimed[claim] = Volume(place=place, claim=claim)
        return Mount(target=asked.target, source=Claim(claim))

    def _name(self, target: str) -> str:
        """Of the object for a path: the project's name, and the path as seen from the project's folder."""
        inner = relpath(target, self.folder or ".")
        return object_name(f"{self.project}-{'files' if inner == '.' else inner}")

    def _grant(self, section: str, folder: str, place: Place, fields: Fields) -> Mount | None:
        entry = Fields(place.node, place.path, fields.report) if place.node.map else None
        name = entry.text("source") if entry else attempt(place.node, place.path, fields.report, as_text)
        content = self.granted[section].get(name or "")
        if content is None:
            message = f"there is none of {name!r} in `{section}` at the top of the file; add it there"
            fields.report.error(place.node, place.path, message)
            return None
        _use(fields, Subject(section, str(name)))
        target = (entry.text("target") if entry else "") or str(name)
        mode = entry.read("mode", _mode) if entry else None
        return Mount(target=join(folder, target), source=Granted(content, mode), read_only=True)


def _use(fields: Fields, subject: Subject) -> None:
    """A service that uses what is broken is broken itself; the fault was said where it is."""
    if subject in fields.report.broken:
        fields.report.broken.add(Subject("services", str(fields.path[1])))


def _short(node: Node) -> _Asked:
    mount = read_mount(as_text(node))
    is_path = mount.source.startswith((".", "/", "~"))
    return _Asked(
        kind="bind" if is_path else "volume",
        source=mount.source,
        target=mount.target,
        read_only=mount.read_only,
        propagation=mount.propagation,
    )


def _long(fields: Fields) -> _Asked | None:
    kind = fields.read("type", lambda node: one_of(as_text(node), ("volume", "bind", "tmpfs")))
    if kind is None:
        if fields.get("type") is None:
            fields.report.error(fields.node, fields.path, "`type` is missing: volume, bind or tmpfs")
        return None
    if not (target := fields.text("target")):
        fields.report.error(fields.node, fields.path, "`target` is missing: the path in the container")
        return None
    bind = fields.below("bind")
    propagation = bind.read("propagation", lambda node: one_of(as_text(node), tuple(_PROPAGATIONS)[1:]))
    return _Asked(
        kind=kind,
        source=fields.text("source"),
        target=target,
        read_only=bool(fields.boolean("read_only")),
        propagation=propagation or "",
        sub_path=fields.below("volume").text("subpath"),
        size=fields.below("tmpfs").size("size"),
        must_exist=bind.boolean("create_host_path") is False,
    )


def _tmpfs(text: str, _: Node) -> Mount:
    """`PATH[:OPTION,…]`, of which `size` counts."""
    target, _colon, options = text.partition(":")
    given = dict(option.partition("=")[::2] for option in options.split(",") if option)
    limit = size(given["size"]) if given.get("size") else None
    return Mount(target=target, source=Scratch(memory=True, size=limit), read_only="ro" in given)


def _devices(fields: Fields) -> Iterator[tuple[Place, Mount]]:
    for node, path in fields.items("devices"):
        if node.map:
            entry = Fields(node, path, fields.report)
            source, target = entry.text("source"), entry.text("target")
        else:
            source, target, *_ = (*(attempt(node, path, fields.report, as_text) or "").split(":"), "", "")
        if not source.startswith("/"):
            fields.report.error(node, path, f"expected a device of the node such as /dev/ttyUSB0, found {source!r}")
            continue
        if not fields.boolean("privileged"):
            message = f"{source} is there, but may stay closed to the container without `privileged: true`"
            fields.report.warning(node, path, message)
        yield Place(node, path), Mount(target=target or source, source=HostPath(normpath(source)))


def _mode(node: Node) -> int:
    """A number is meant as YAML reads it (0440 is octal already), a text is octal."""
    text = f"{node.value:o}" if isinstance(node.value, int) else as_text(node).removeprefix("0o")
    mode = int(text, 8) if text and set(text) <= set("01234567") else -1
    if not 0 <= mode <= 0o777:
        raise ValueError(f"expected a mode from 0000 to 0777, found {text}")
    return mode
