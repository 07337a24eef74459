"""Image archives, as `docker save`, `skopeo copy` and `ctr export` write them: read piece by piece.

A docker-archive is described by `manifest.json`, an OCI one by `index.json`. Nothing in the file is trusted: what
describes is bounded in size, and every blob is checked against its digest when it is stored.
"""

import hashlib
import platform
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Self, TypeVar, cast

import msgspec
from msgspec import field

from nodeagent.runtime.zstd import MAGIC, Unpacked

DESCRIPTION = 4 * 1024 * 1024
"""Bytes of the largest JSON file that is read."""
MEMBERS = 20_000
CHUNK = 64 * 1024

_OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
_DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "armv6l": "arm", "i686": "386"}

_Document = TypeVar("_Document")


class Platform(msgspec.Struct, frozen=True):
    architecture: str = ""
    os: str = ""
    variant: str = ""


class Descriptor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """Of a blob. `digest` is `sha256:` and 64 hexadecimal digits."""

    media_type: str
    digest: str
    size: int
    annotations: Mapping[str, str] = field(default_factory=dict)
    platform: Platform | None = None


class Manifest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    schema_version: int = field(name="schemaVersion")
    media_type: str = ""
    config: Descriptor
    layers: tuple[Descriptor, ...]


class _Index(msgspec.Struct, frozen=True):
    manifests: tuple[Descriptor, ...] = ()


class _Saved(msgspec.Struct, frozen=True, rename="pascal"):
    """One image of a docker-archive's `manifest.json`."""

    config: str
    layers: tuple[str, ...]
    repo_tags: tuple[str, ...] | None = None


class _Rootfs(msgspec.Struct, frozen=True):
    diff_ids: tuple[str, ...] = ()


class _Config(msgspec.Struct, frozen=True):
    architecture: str = ""
    os: str = ""
    rootfs: _Rootfs = field(default_factory=_Rootfs)


class Blob(msgspec.Struct, frozen=True):
    """`content` where it is small and at hand, else the name of the archive's member."""

    digest: str
    size: int
    member: str = ""
    content: bytes = b""


class ArchivedImage(msgspec.Struct, frozen=True):
    """`blobs`: the configuration and the layers, in no order of need; the manifest refers to each."""

    references: tuple[str, ...]
    manifest: Descriptor
    manifest_content: bytes
    config: Descriptor
    blobs: tuple[Blob, ...]


def normalise(reference: str) -> str:
    """The full form, as container runtimes write it: `busybox` is `docker.io/library/busybox:latest`."""
    first, slash, _ = reference.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost"):
        reference = f"docker.io/{reference}" if slash else f"docker.io/library/{reference}"
    last = reference.rsplit("/", 1)[-1]
    return reference if ":" in last or "@" in last else f"{reference}:latest"


def own_platform() -> Platform:
    machine = platform.machine()
    variant = {"armv7l": "v7", "armv6l": "v6"}.get(machine, "")
    return Platform(_ARCHITECTURES.get(machine, machine), "linux", variant)


class Archive:
    """An open archive. Every method reads the file and blocks meanwhile.

    A gzip file has no middle: going back in it unpacks it from the start again. So blobs are to be read in the
    order of `position`.
    """

    def __init__(self, path: Path, wanted: Platform | None = None) -> None:
        self._path = path
        self._wanted = wanted or own_platform()
        try:
            self._packed, self._tar = _opened(path)
            self._members = self._index()
        except (tarfile.TarError, EOFError, OSError, ValueError) as error:
            raise ValueError(f"{path} is not a tar archive, plain or packed with gzip or zstd: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._tar.close()
        if self._packed is not None:
            self._packed.close()

    def _index(self) -> dict[str, tarfile.TarInfo]:
        members: dict[str, tarfile.TarInfo] = {}
        for member in self._tar:
            members[member.name.removeprefix("./")] = member
            if len(members) > MEMBERS:
                raise ValueError(f"it has more than {MEMBERS} members, which no image archive needs")
        return members

    def images(self) -> list[ArchivedImage]:
        """Raises `ValueError` with a sentence for a person."""
        try:
            if "manifest.json" in self._members:
                found = [self._saved_image(saved) for saved in self._document("manifest.json", list[_Saved])]
            elif "index.json" in self._members:
                found = self._oci_images()
            else:
                raise ValueError("it holds neither manifest.json (docker-archive) nor index.json (OCI)")
        except (tarfile.TarError, EOFError, OSError, ValueError) as error:
            raise ValueError(f"{self._path} is no image archive that can be loaded: {error}") from error
        if not any(image.references for image in found):
            raise ValueError(
                f"{self._path} names no image; save it with its full name, as in "
                "`skopeo copy … docker-archive:FILE:registry.example/name:tag`"
            )
        return found

    def position(self, blob: Blob) -> int:
        return self._members[blob.member].offset_data if blob.member else 0

    def chunks(self, blob: Blob) -> Iterator[bytes]:
        if not blob.member:
            yield blob.content
            return
        with self._open(blob.member) as file:
            try:
                while chunk := file.read(CHUNK):
                    yield chunk
            except (tarfile.TarError, EOFError, OSError) as error:
                raise ValueError(f"{self._path} breaks off in {blob.member}: {error}") from error

    def _open(self, name: str) -> IO[bytes]:
        try:
            file = self._tar.extractfile(self._members[name.removeprefix("./")])
        except KeyError as error:
            raise ValueError(f"{name} is missing in it") from error
        if file is None:
            raise ValueError(f"{name} in it is no file")
        return file

    def _read(self, name: str) -> bytes:
        with self._open(name) as file:
            content = file.read(DESCRIPTION + 1)
        if len(content) > DESCRIPTION:
            raise ValueError(f"{name} in it is larger than {DESCRIPTION} bytes")
        return content

    def _document(self, name: str, kind: type[_Document]) -> _Document:
        return _decode(name, self._read(name), kind)

    # docker-archive

    def _saved_image(self, saved: _Saved) -> ArchivedImage:
        content = self._read(saved.config)
        config = _decode(saved.config, content, _Config)
        if len(config.rootfs.diff_ids) != len(saved.layers):
            raise ValueError(
                f"{saved.config} tells of {len(config.rootfs.diff_ids)} layers, not of {len(saved.layers)}"
            )
        self._check_platform(config)
        layers = [
            self._saved_layer(member, digest)
            for member, digest in zip(saved.layers, config.rootfs.diff_ids, strict=True)
        ]
        described = Descriptor(media_type=_DOCKER_CONFIG, digest=_digest(content), size=len(content))
        manifest = Manifest(
            schema_version=2,
            media_type=_DOCKER_MANIFEST,
            config=described,
            layers=tuple(descriptor for descriptor, _ in layers),
        )
        encoded = msgspec.json.encode(manifest)
        return ArchivedImage(
            references=tuple(normalise(tag) for tag in saved.repo_tags or ()),
            manifest=Descriptor(media_type=_DOCKER_MANIFEST, digest=_digest(encoded), size=len(encoded)),
            manifest_content=encoded,
            config=described,
            blobs=(Blob(described.digest, described.size, content=content), *(blob for _, blob in layers)),
        )

    def _saved_layer(self, member: str, diff_id: str) -> tuple[Descriptor, Blob]:
        """The configuration tells the digest of a plain tar, as layers are saved; a packed one must be read for it."""
        with self._open(member) as file:
            packed = file.read(2) == b"\x1f\x8b"
            digest = diff_id
            if packed:
                digest = _digest_of_file(file)
            size = file.seek(0, 2)
        media_type = _DOCKER_LAYER + ".gzip" if packed else _DOCKER_LAYER
        return Descriptor(media_type=media_type, digest=_checked(digest), size=size), Blob(digest, size, member)

    def _check_platform(self, config: _Config) -> None:
        if config.architecture and config.architecture != self._wanted.architecture:
            raise ValueError(
                f"it is built for {config.os}/{config.architecture}, and this node is {_text(self._wanted)}"
            )

    # OCI

    def _oci_images(self) -> list[ArchivedImage]:
        images: dict[str, ArchivedImage] = {}
        for entry in self._document("index.json", _Index).manifests:
            reference = _reference(entry.annotations)
            image = self._oci_image(self._own(entry, depth=0))
            known = images.get(image.manifest.digest, image)
            names = tuple(dict.fromkeys((*known.references, reference) if reference else known.references))
            images[image.manifest.digest] = msgspec.structs.replace(image, references=names)
        return list(images.values())

    def _own(self, entry: Descriptor, depth: int) -> Descriptor:
        """The manifest for this node's platform, where the entry is an index of several."""
        if entry.media_type not in _INDEXES:
            return entry
        choices = self._document(_path(entry.digest), _Index).manifests
        for choice in sorted(choices, key=self._preference):
            if depth < 2 and (choice.platform is None or self._suits(choice.platform)):
                return self._own(choice, depth + 1)
        raise ValueError(f"it holds no image for this node's platform, {_text(self._wanted)}")

    def _suits(self, offered: Platform) -> bool:
        wanted = self._wanted
        if (offered.os, offered.architecture) != (wanted.os, wanted.architecture):
            return False
        # An older variant runs on a newer processor, not the other way round.
        return not (offered.variant and wanted.variant) or offered.variant <= wanted.variant

    def _preference(self, choice: Descriptor) -> tuple[bool, list[int]]:
        """Those of a known platform first, and of its variants the newest."""
        if choice.platform is None:
            return True, []
        return False, [-ord(letter) for letter in choice.platform.variant]

    def _oci_image(self, entry: Descriptor) -> ArchivedImage:
        content = self._read(_path(entry.digest))
        if _digest(content) != entry.digest:
            raise ValueError(f"its manifest does not match its digest {entry.digest}")
        manifest = _decode(_path(entry.digest), content, Manifest)
        self._check_platform(self._document(_path(manifest.config.digest), _Config))
        return ArchivedImage(
            references=(),
            manifest=Descriptor(media_type=entry.media_type or _OCI_MANIFEST, digest=entry.digest, size=len(content)),
            manifest_content=content,
            config=manifest.config,
            blobs=tuple(self._oci_blob(blob) for blob in (manifest.config, *manifest.layers)),
        )

    def _oci_blob(self, descriptor: Descriptor) -> Blob:
        name = _path(descriptor.digest)
        if name not in self._members:
            raise ValueError(f"{name} is missing in it")
        return Blob(descriptor.digest, descriptor.size, name)


def _opened(path: Path) -> tuple[Unpacked | None, tarfile.TarFile]:
    """The archive, and what unpacks it where that is not `tarfile` itself. Raises what opening raises."""
    with path.open("rb") as file:
        magic = file.read(len(MAGIC))
    if magic == MAGIC:
        packed = Unpacked(path)
        try:
            return packed, tarfile.open(fileobj=cast(IO[bytes], packed), mode="r:")
        except BaseException:
            packed.close()
            raise
    return None, tarfile.open(path, "r:gz" if magic[:2] == b"\x1f\x8b" else "r:")


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def _digest_of_file(file: IO[bytes]) -> str:
    file.seek(0)
    whole = hashlib.sha256()
    while chunk := file.read(CHUNK):
        whole.update(chunk)
    return "sha256:" + whole.hexdigest()


def _checked(digest: str) -> str:
    algorithm, _, value = digest.partition(":")
    if algorithm != "sha256" or len(value) != 64 or not set(value) <= set("0123456789abcdef"):
        raise ValueError(f"{digest!r} is no sha256 digest")
    return digest


def _path(digest: str) -> str:
    return "blobs/" + _checked(digest).replace(":", "/")


def _decode(name: str, content: bytes, kind: type[_Document]) -> _Document:
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.MsgspecError as error:
        raise ValueError(f"{name} in it is not what it should be: {error}") from error


def _reference(annotations: Mapping[str, str]) -> str | None:
    """containerd and Docker write the full name apart; skopeo writes it where others write the tag alone."""
    name = annotations.get("io.containerd.image.name") or annotations.get("org.opencontainers.image.ref.name", "")
    return normalise(name) if "/" in name or ":" in name else None


def _text(wanted: Platform) -> str:
    return "/".join(part for part in (wanted.os, wanted.architecture, wanted.variant) if part)
