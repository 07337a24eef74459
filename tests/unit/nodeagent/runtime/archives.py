"""Builders of image archives."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path


def tar(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def layer(text: str = "hello") -> bytes:
    return tar({"etc/greeting": text.encode()})


def config(layers: Sequence[bytes], architecture: str = "amd64") -> bytes:
    rootfs = {"type": "layers", "diff_ids": [digest(each) for each in layers]}
    return json.dumps({"architecture": architecture, "os": "linux", "config": {}, "rootfs": rootfs}).encode()


def docker_archive(
    path: Path,
    *,
    tags: Sequence[str] = ("example.org/app:1",),
    packed: bool = False,
    stored_layer: bytes | None = None,
    described: bytes | None = None,
    without: str = "",
) -> Path:
    """`stored_layer` and `described` lie in the place of the layer and configuration that belong together."""
    plain = layer()
    manifest = [{"Config": "config.json", "RepoTags": list(tags), "Layers": ["one/layer.tar"]}]
    files = {
        "one/layer.tar": stored_layer or (gzip.compress(plain) if packed else plain),
        "config.json": described or config([plain]),
        "manifest.json": json.dumps(manifest).encode(),
    }
    files.pop(without, None)
    path.write_bytes(tar(files))
    return path


def _descriptor(content: bytes, media_type: str, **more: object) -> dict[str, object]:
    return {"mediaType": media_type, "digest": digest(content), "size": len(content), **more}


def oci_archive(path: Path, *, name: str = "example.org/app:1", platforms: Sequence[str] = ()) -> Path:
    """Of one image, or of an index with one image for each platform."""
    blobs: dict[str, bytes] = {}

    def keep(content: bytes) -> bytes:
        blobs["blobs/" + digest(content).replace(":", "/")] = content
        return content

    def image(architecture: str) -> bytes:
        plain = keep(layer(architecture))
        described = keep(config([plain], architecture))
        layers = [_descriptor(plain, "application/vnd.oci.image.layer.v1.tar")]
        about = _descriptor(described, "application/vnd.oci.image.config.v1+json")
        return keep(json.dumps({"schemaVersion": 2, "config": about, "layers": layers}).encode())

    annotations = {"org.opencontainers.image.ref.name": name}
    kind = "application/vnd.oci.image.manifest.v1+json"
    if platforms:
        choices = []
        for each in platforms:
            architecture, _, variant = each.partition("/")
            chosen = {"os": "linux", "architecture": architecture} | ({"variant": variant} if variant else {})
            choices.append(_descriptor(image(architecture), kind, platform=chosen))
        index = keep(json.dumps({"schemaVersion": 2, "manifests": choices}).encode())
        top = _descriptor(index, "application/vnd.oci.image.index.v1+json", annotations=annotations)
    else:
        top = _descriptor(image("amd64"), kind, annotations=annotations)
    files = {"oci-layout": b"{}", "index.json": json.dumps({"manifests": [top]}).encode(), **blobs}
    path.write_bytes(gzip.compress(tar(files)))
    return path
