"""Images from a registry that is slow, cut, refusing or in want of a password, by a real containerd."""

import asyncio
import base64
import json
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Literal

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from nodeagent.images import progress
from nodeagent.images.collector import Collector
from nodeagent.images.node_access import NodeAccess
from nodeagent.images.pulls import Images, ImageTrouble
from nodeagent.images.record import Record
from nodeagent.images.settings import ImageCollection, Registries, RegistryHost
from nodeagent.runtime.cri import CriRuntime
from nodeagent.runtime.interface import Image
from tests.lab.containerd import BUSYBOX, BUSYBOX_2, Lab, containerd, images
from tests.lab.registry import Mood, Registry

MIB = 1024 * 1024
PAUSE = "wherry.local/pause:1"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with asyncio.Runner() as runner:
        context = containerd(node="images", pod_cidr="10.196.0.0/24")
        yield runner.run(context.__aenter__())
        runner.run(context.__aexit__(None, None, None))


@pytest.fixture
def registry() -> Iterator[Registry]:
    registry = Registry()
    yield registry
    registry.close()


class Node:
    """The images of one node, on a clock that is turned by hand."""

    def __init__(self, runtime: CriRuntime, lab: Lab, directory: Path, registries: Registries) -> None:
        self.time = 1000.0
        self.notes: list[str] = []
        self.record = Record(directory / "images.json")
        access = NodeAccess(registries, lab.own.layout.registries)
        self.images = Images(runtime, lambda: self.time, access=access, record=self.record)

    def note(self, type_: Literal["Normal", "Warning"], reason: str, message: str) -> None:
        self.notes.append(f"{reason}: {message}")

    async def ensure(
        self, image: str, policy: str = "", secrets: dict[str, dict[str, bytes]] | None = None
    ) -> Image | ImageTrouble:
        return await self.images.ensure(image, policy, self.note, secrets)


Make = Callable[[Registries], Node]


@pytest.fixture
async def runtime(lab: Lab) -> AsyncIterator[CriRuntime]:
    runtime = CriRuntime(lab.own.address, "images", lab.own.cgroup_root)
    yield runtime
    runtime.close()


@pytest.fixture
def node(lab: Lab, runtime: CriRuntime, tmp_path: Path) -> Make:
    return lambda registries: Node(runtime, lab, tmp_path, registries)


def secret(host: str, user: str, password: str) -> dict[str, bytes]:
    auth = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {".dockerconfigjson": json.dumps({"auths": {host: {"auth": auth}}}).encode()}


def archive() -> Path:
    return images() / "busybox-1.tar"


async def test_a_pull_that_was_cut_goes_on_where_it_ended(node: Make, registry: Registry) -> None:
    registry.add(archive(), "cut", extra=os.urandom(6 * MIB))
    one, image = node(Registries()), f"{registry.host}/cut:1"
    registry.mood = Mood(cut_after=3 * MIB, gone_after_cut=True)
    failed = await one.ensure(image)
    assert isinstance(failed, ImageTrouble)
    assert failed.reason == "ErrImagePull"
    waiting = await one.ensure(image)
    assert isinstance(waiting, ImageTrouble)
    assert waiting.reason == "ImagePullBackOff"
    assert waiting.message.startswith(f'Back-off pulling image "{image}": ErrImagePull: ')
    before = len(registry.begun)
    registry.mood = Mood()
    one.time += 10
    found = await one.ensure(image)
    assert isinstance(found, Image)
    large = max(registry.blobs, key=lambda digest: len(registry.blobs[digest]))
    assert [begin > 0 for digest, begin in registry.begun[before:] if digest == large] == [True]
    assert registry.sent[large] < len(registry.blobs[large]) + 3 * MIB
    assert one.notes[-1].startswith(f'Pulled: Successfully pulled image "{image}" in ')
    assert one.notes[-1].endswith(f"Image size: {found.size} bytes.")


async def test_a_connection_that_breaks_in_mid_layer_fetches_nothing_twice(node: Make, registry: Registry) -> None:
    registry.add(archive(), "broken", extra=os.urandom(4 * MIB))
    registry.mood = Mood(cut_after=2 * MIB)
    assert isinstance(await node(Registries()).ensure(f"{registry.host}/broken:1"), Image)
    assert any(begin > 0 for _, begin in registry.begun)
    assert all(sent <= len(registry.blobs[digest]) + MIB for digest, sent in registry.sent.items())


@pytest.mark.parametrize(
    ("mood", "waits"),
    [
        pytest.param(Mood(status=500), 10, id="broken"),
        pytest.param(Mood(status=401), 10, id="forbidden"),
        pytest.param(Mood(status=429, retry_after="90"), 90, id="too many, with a time to wait"),
        pytest.param(Mood(status=429), 10, id="too many"),
    ],
)
async def test_a_registry_that_refuses_is_left_alone_for_a_while(
    node: Make, registry: Registry, mood: Mood, waits: float
) -> None:
    registry.mood = mood
    one, image = node(Registries()), f"{registry.host}/refused:1"
    failed = await one.ensure(image)
    assert isinstance(failed, ImageTrouble)
    assert str(mood.status) in failed.message
    asked = len(registry.asked)
    waiting = await one.ensure(image)
    assert isinstance(waiting, ImageTrouble)
    assert waiting.retry_in == waits
    assert len(registry.asked) == asked


async def test_an_image_that_a_secret_has_brought_is_for_those_who_have_it(
    node: Make, registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    registry.add(archive(), "private", extra=b"private")
    registry.mood = Mood(users={"me": "sesame"})
    one, image = node(Registries()), f"{registry.host}/private:1"
    mine = {"secret/shop/pull": secret(registry.host, "me", "sesame")}
    assert isinstance(
        await one.ensure(image, "IfNotPresent", {"secret/shop/other": secret("elsewhere", "x", "y")}), ImageTrouble
    )
    assert isinstance(await one.ensure(image, "IfNotPresent", mine), Image)
    asked = len(registry.asked)
    assert isinstance(await one.ensure(image, "IfNotPresent", mine), Image)
    assert len(registry.asked) == asked
    one.time += 1000
    stranger = await one.ensure(image, "IfNotPresent")
    assert isinstance(stranger, ImageTrouble)
    assert stranger.reason == "ErrImagePull"
    never = await one.ensure(image, "Never")
    assert isinstance(never, ImageTrouble)
    assert "does not have the proper credentials" in never.message
    copy = {"secret/other/copy": secret(registry.host, "me", "sesame")}
    assert isinstance(await one.ensure(image, "Never", copy), Image)
    assert "sesame" not in caplog.text


async def test_credentials_of_the_node_are_read_again_when_they_are_rotated(
    node: Make, registry: Registry, tmp_path: Path
) -> None:
    registry.add(archive(), "rotated", extra=b"rotated")
    registry.mood = Mood(users={"node": "new"})
    path = tmp_path / "config.json"
    path.write_bytes(secret(registry.host, "node", "old")[".dockerconfigjson"])
    one, image = node(Registries(credentials=path)), f"{registry.host}/rotated:1"
    assert isinstance(await one.ensure(image), ImageTrouble)
    rotated = path.with_name("new.json")
    rotated.write_bytes(secret(registry.host, "node", "new")[".dockerconfigjson"])
    rotated.rename(path)
    one.time += 10
    assert isinstance(await one.ensure(image), Image)
    assert isinstance(await one.ensure(image, "Never"), Image)


def _certificate(folder: Path) -> tuple[Path, Path]:
    """For 127.0.0.1, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mirror")]), datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_path, key_path = folder / "mirror.pem", folder / "mirror.key"
    certificate_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    encoding, format_ = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    key_path.write_bytes(key.private_bytes(encoding, format_, serialization.NoEncryption()))
    return certificate_path, key_path


async def test_a_mirror_with_an_authority_and_a_password_of_its_own_stands_in_for_a_registry(
    node: Make, tmp_path: Path
) -> None:
    certificate = _certificate(tmp_path)
    mirror = Registry(certificate=certificate)
    try:
        digest = mirror.add(archive(), "team/app", extra=b"mirrored")
        mirror.mood = Mood(users={"mirror": "open"})
        path = tmp_path / "config.json"
        path.write_bytes(secret(mirror.host, "mirror", "open")[".dockerconfigjson"])
        settings = Registries(
            credentials=path,
            hosts={
                "registry.invalid": RegistryHost(mirrors=(f"https://{mirror.host}",)),
                mirror.host: RegistryHost(ca_file=certificate[0]),
            },
        )
        one = node(settings)
        # What a pod has for the registry is not shown to the mirror.
        secrets = {"secret/shop/pull": secret("registry.invalid", "me", "sesame")}
        assert isinstance(await one.ensure("registry.invalid/team/app:1", "", secrets), Image)
        by_digest = await one.ensure(f"registry.invalid/team/app@{digest}", "", secrets)
        assert isinstance(by_digest, Image)
        assert any(f"@{digest}" in name for name in by_digest.digests)
        assert isinstance(await one.ensure(f"registry.invalid/team/app:1@{digest}", "Always", secrets), Image)
        assert {line.split()[-1] for line in mirror.asked if "/manifests/" in line} == {"mirror"}
    finally:
        mirror.close()


async def test_a_pull_that_takes_long_is_told_to_be_under_way(
    node: Make, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "FIRST_WORD", 0.1)
    registry.add(archive(), "slow", extra=os.urandom(MIB))
    registry.mood = Mood(bytes_per_second=200_000)
    one, told = node(Registries()), asyncio.Event()
    shown: list[str] = []

    def heard(message: str) -> None:
        shown.append(message)
        if " of 1.0 MiB of the layers under way" in message:
            told.set()

    pull = asyncio.create_task(one.images.ensure(f"{registry.host}/slow:1", "", one.note, None, heard))
    async with asyncio.timeout(60):
        await told.wait()
    registry.mood = Mood()
    assert isinstance(await pull, Image)
    assert f"Pulling: {shown[-1].replace('pulling', 'Pulling', 1)}" in one.notes


async def test_images_that_nobody_needs_go_when_the_disk_is_full(
    node: Make, registry: Registry, runtime: CriRuntime
) -> None:
    registry.add(archive(), "old", extra=b"old")
    one, told = node(Registries()), list[str]()
    assert isinstance(await one.ensure(f"{registry.host}/old:1"), Image)
    settings = ImageCollection(high_percent=1, low_percent=0, minimum_age_seconds=60)
    collector = Collector(
        runtime,
        one.images,
        one.record,
        settings,
        kept=lambda: {BUSYBOX},
        now=lambda: one.time,
        tell=lambda type_, reason, message: told.append(f"{type_} {reason}: {message}"),
        changed=lambda: None,
    )
    assert await collector.collect() == 0
    one.time += 60
    assert await collector.collect() > 0
    left = {tag for image in await runtime.list_images() for tag in image.tags}
    assert left == {BUSYBOX, PAUSE}
    assert told[-1].startswith("Warning FreeDiskSpaceFailed: Failed to garbage collect required amount of images. ")
    await runtime.load_archive(images() / "busybox-2.tar")
    assert await runtime.image_id(BUSYBOX_2) is not None
