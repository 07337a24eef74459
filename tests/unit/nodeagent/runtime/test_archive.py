import json
import shutil
import subprocess
from pathlib import Path

import pytest

from nodeagent.runtime.archive import Archive, ArchivedImage, Manifest, Platform, normalise
from nodeagent.runtime.image_store import references
from tests.unit.nodeagent.runtime.archives import config, digest, docker_archive, layer, oci_archive, tar

AMD64 = Platform("amd64", "linux")


def read(path: Path, wanted: Platform = AMD64) -> list[ArchivedImage]:
    with Archive(path, wanted) as archive:
        return archive.images()


def contents(path: Path, wanted: Platform = AMD64) -> dict[str, bytes]:
    with Archive(path, wanted) as archive:
        (image,) = archive.images()
        return {blob.digest: b"".join(archive.chunks(blob)) for blob in image.blobs}


@pytest.mark.parametrize(
    ("reference", "full"),
    [
        pytest.param("busybox", "docker.io/library/busybox:latest", id="name"),
        pytest.param("busybox:1", "docker.io/library/busybox:1", id="tag"),
        pytest.param("team/app", "docker.io/team/app:latest", id="owner"),
        pytest.param("example.org/app", "example.org/app:latest", id="registry"),
        pytest.param("example.org:5000/app:2", "example.org:5000/app:2", id="port"),
        pytest.param("localhost/app:2", "localhost/app:2", id="localhost"),
        pytest.param("wherry.local/pause:1", "wherry.local/pause:1", id="ours"),
        pytest.param("example.org/app@sha256:00", "example.org/app@sha256:00", id="digest"),
    ],
)
def test_a_reference_is_written_in_full(reference: str, full: str) -> None:
    assert normalise(reference) == full
    assert normalise(full) == full


@pytest.mark.parametrize("packed", [False, True])
def test_a_docker_archive_gives_a_manifest_whose_blobs_are_what_they_are_called(tmp_path: Path, packed: bool) -> None:
    path = docker_archive(tmp_path / "app.tar", tags=("app:1", "app:2"), packed=packed)
    (image,) = read(path)
    assert image.references == ("docker.io/library/app:1", "docker.io/library/app:2")
    assert digest(image.manifest_content) == image.manifest.digest
    manifest = json.loads(image.manifest_content)
    assert manifest["layers"][0]["mediaType"].endswith(".gzip") == packed
    for name, content in contents(path).items():
        assert digest(content) == name
    assert {blob.digest: blob.size for blob in image.blobs} == {
        entry["digest"]: entry["size"] for entry in (manifest["config"], *manifest["layers"])
    }


def test_an_oci_archive_keeps_its_manifest(tmp_path: Path) -> None:
    path = oci_archive(tmp_path / "app.tar", name="example.org/app:1")
    (image,) = read(path)
    assert image.references == ("example.org/app:1",)
    assert digest(image.manifest_content) == image.manifest.digest
    assert set(contents(path)) == {image.config.digest, digest(layer("amd64"))}


@pytest.mark.parametrize(
    ("offered", "wanted", "chosen"),
    [
        pytest.param(("arm64", "amd64"), AMD64, "amd64", id="architecture"),
        pytest.param(("arm64/v8", "amd64"), Platform("arm64", "linux"), "arm64", id="variant not asked for"),
        pytest.param(("arm/v6", "arm/v7"), Platform("arm", "linux", "v7"), "arm", id="variant"),
    ],
)
def test_of_several_platforms_ours_is_taken(
    tmp_path: Path, offered: tuple[str, ...], wanted: Platform, chosen: str
) -> None:
    (image,) = read(oci_archive(tmp_path / "app.tar", platforms=offered), wanted)
    assert image.config.digest == digest(config([layer(chosen)], chosen))


def test_the_manifest_refers_to_everything_that_must_not_be_collected(tmp_path: Path) -> None:
    (image,) = read(docker_archive(tmp_path / "app.tar"))
    assert set(references(image).values()) == {blob.digest for blob in image.blobs}
    assert set(references(image)) == {"containerd.io/gc.ref.content.0", "containerd.io/gc.ref.content.1"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"", "is not a tar", id="empty"),
        pytest.param(b"\x1f\x8bgarbage", "is not a tar", id="broken gzip"),
        pytest.param(tar({"readme": b"hello"}), "neither manifest.json .* nor index.json", id="other tar"),
        pytest.param(tar({"manifest.json": b"{"}), "manifest.json in it is not what it should be", id="broken JSON"),
        pytest.param(tar({"manifest.json": b"[]"}), "names no image", id="no image"),
        pytest.param(tar({"index.json": b'{"manifests":[]}'}), "names no image", id="no manifest"),
        pytest.param(tar({"manifest.json": b"[" + b" " * 5_000_000 + b"]"}), "larger than", id="huge"),
    ],
)
def test_what_is_no_image_archive_is_said_so(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "file.tar"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"file\.tar .*{said}"):
        read(path)


def test_faults_of_a_docker_archive_are_named(tmp_path: Path) -> None:
    path = tmp_path / "app.tar"
    with pytest.raises(ValueError, match=r"config\.json is missing"):
        read(docker_archive(path, without="config.json"))
    with pytest.raises(ValueError, match=r"one/layer\.tar is missing"):
        read(docker_archive(path, without="one/layer.tar"))
    with pytest.raises(ValueError, match="tells of 2 layers, not of 1"):
        read(docker_archive(path, described=config([layer(), layer()])))
    with pytest.raises(ValueError, match=r"built for linux/arm64, and this node is linux/amd64"):
        read(docker_archive(path, described=config([layer()], "arm64")))


def test_faults_of_an_oci_archive_are_named(tmp_path: Path) -> None:
    path = tmp_path / "app.tar"
    with pytest.raises(ValueError, match="no image for this node's platform, linux/amd64"):
        read(oci_archive(path, platforms=("arm64", "s390x")))
    with pytest.raises(ValueError, match="save it with its full name"):
        read(oci_archive(path, name="latest"))


def test_an_archive_that_breaks_off_is_said_so(tmp_path: Path) -> None:
    path = oci_archive(tmp_path / "app.tar")
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ValueError, match=r"app\.tar"):
        contents(path)


def test_manifests_are_written_as_registries_write_them(tmp_path: Path) -> None:
    (image,) = read(docker_archive(tmp_path / "app.tar"))
    manifest = json.loads(image.manifest_content)
    assert manifest["schemaVersion"] == 2
    assert set(manifest) == {"schemaVersion", "mediaType", "config", "layers"}
    assert set(manifest["config"]) == {"mediaType", "digest", "size"}
    assert Manifest.__struct_config__.frozen


def pack(path: Path) -> Path:
    program = shutil.which("zstd")
    if program is None:
        pytest.skip("zstd is not installed")
    packed = path.with_suffix(".zst")
    subprocess.run([program, "-q", str(path), "-o", str(packed)], check=True)
    return packed


def test_an_archive_may_be_packed_with_zstd(tmp_path: Path) -> None:
    plain = docker_archive(tmp_path / "plain.tar")
    assert contents(pack(plain)) == contents(plain)


def test_a_zstd_archive_that_breaks_off_is_said_so(tmp_path: Path) -> None:
    packed = pack(docker_archive(tmp_path / "plain.tar"))
    packed.write_bytes(packed.read_bytes()[:-20])
    with pytest.raises(ValueError, match=r"damaged or not whole|breaks off|is not a tar archive"):
        contents(packed)


def test_without_the_zstd_program_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = tmp_path / "app.tar.zst"
    packed.write_bytes(b"\x28\xb5\x2f\xfdrest")
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(ValueError, match="apt-get install zstd"):
        contents(packed)
