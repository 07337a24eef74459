"""Pull policy, back-off, shared pulls, and the folder of archives."""

import asyncio
from pathlib import Path
from typing import Literal

import pytest

from nodeagent.archives import ArchiveFolder
from nodeagent.images import Images, ImageTrouble, PullBackOff, credentials_for, fault_of, needs_pull, policy_of
from nodeagent.runtime.fake import FakeRuntime
from nodeagent.runtime.interface import Credentials, Image, RuntimeFailure
from tests.unit.nodeagent.pods.virtual import VirtualClock, run

DIGEST = "@sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("image", "written", "policy"),
    [
        pytest.param("nginx", "", "Always", id="no tag"),
        pytest.param("nginx:latest", "", "Always", id="latest"),
        pytest.param("nginx:1.25", "", "IfNotPresent", id="tag"),
        pytest.param("host:5000/nginx", "", "Always", id="a port is no tag"),
        pytest.param("nginx" + DIGEST, "", "IfNotPresent", id="digest"),
        pytest.param("nginx", "Never", "Never", id="written"),
    ],
)
def test_the_policy_is_the_written_one_or_follows_from_the_tag(image: str, written: str, policy: str) -> None:
    assert policy_of(image, written) == policy


@pytest.mark.parametrize(
    ("policy", "present", "image", "pulls"),
    [
        ("IfNotPresent", True, "a:1", False),
        ("IfNotPresent", False, "a:1", True),
        ("Always", True, "a:1", True),
        ("Always", True, "a" + DIGEST, False),
        ("Always", False, "a" + DIGEST, True),
    ],
)
def test_an_image_is_pulled_when_a_registry_could_know_better(
    policy: str, present: bool, image: str, pulls: bool
) -> None:
    assert needs_pull(image, policy, present) == pulls


@pytest.mark.parametrize(
    "image", ["nginx", "a/b/c:1.2_3", "localhost:5000/a", "ghcr.io/a/b" + DIGEST, "[::1]:5000/a:1"]
)
def test_references_are_taken(image: str) -> None:
    assert fault_of(image) == ""


@pytest.mark.parametrize("image", ["", "Nginx", "a b", "a:", "/a", "a//b", "a@sha256:12"])
def test_what_is_no_reference_is_refused(image: str) -> None:
    assert "couldn't parse image name" in fault_of(image)


def test_back_off_doubles_to_five_minutes_and_begins_anew_after_a_rest() -> None:
    back_off = PullBackOff.after(None, "x", 0)
    delays = [back_off.delay]
    for _ in range(6):
        back_off = PullBackOff.after(back_off, "x", back_off.until)
        delays.append(back_off.delay)
    assert delays == [10, 20, 40, 80, 160, 300, 300]
    assert PullBackOff.after(back_off, "x", back_off.until + 601).delay == 10


class Notes(list[str]):
    def __call__(self, type_: Literal["Normal", "Warning"], reason: str, message: str) -> None:
        self.append(f"{reason}: {message}")


def test_a_pull_that_fails_is_told_then_waited_for() -> None:
    async def scene() -> None:
        clock, notes = VirtualClock(), Notes()
        images = Images(FakeRuntime(), clock.monotonic)
        first = await images.ensure("missing:1", "", notes)
        second = await images.ensure("missing:1", "", notes)
        assert isinstance(first, ImageTrouble)
        assert isinstance(second, ImageTrouble)
        assert (first.reason, second.reason) == ("ErrImagePull", "ImagePullBackOff")
        assert second.message.startswith('Back-off pulling image "missing:1": ErrImagePull: ')
        assert second.retry_in == 10
        assert notes[0] == 'Pulling: Pulling image "missing:1"'
        assert notes[2:] == [
            "Failed: Error: ErrImagePull",
            'BackOff: Back-off pulling image "missing:1"',
            "Failed: Error: ImagePullBackOff",
        ]
        await asyncio.sleep(10)
        third = await images.ensure("missing:1", "", notes)
        assert isinstance(third, ImageTrouble)
        assert third.reason == "ErrImagePull"

    run(scene())


def test_pods_that_want_the_same_image_share_one_pull_within_the_limit() -> None:
    async def scene() -> None:
        pulls: list[str] = []
        at_once = most = 0

        class Counting(FakeRuntime):
            async def pull_image(self, reference: str, credentials: Credentials | None = None) -> str:
                nonlocal at_once, most
                pulls.append(reference)
                at_once += 1
                most = max(most, at_once)
                try:
                    return await super().pull_image(reference, credentials)
                finally:
                    at_once -= 1

        images = Images(Counting(pull_seconds=5), VirtualClock().monotonic, parallel_pulls=2)
        wanted = [f"app:{number}" for number in range(4)] * 5
        found = await asyncio.gather(*(images.ensure(one, "", Notes()) for one in wanted))
        assert all(isinstance(one, Image) for one in found)
        assert sorted(pulls) == sorted(set(wanted))
        assert most == 2

    run(scene())


def test_an_image_that_must_not_be_pulled_and_is_not_here_is_an_error() -> None:
    async def scene() -> None:
        images = Images(FakeRuntime(pull_seconds=1), VirtualClock().monotonic)
        found = await images.ensure("app:1", "Never", Notes())
        assert isinstance(found, ImageTrouble)
        assert found.reason == "ErrImageNeverPull"
        assert found.message == 'Container image "app:1" is not present with pull policy of Never'

    run(scene())


def test_credentials_belong_to_the_registry_of_the_image() -> None:
    secret = {
        ".dockerconfigjson": b'{"auths": {"https://ghcr.io": {"auth": "bWU6c2VzYW1l"}, '
        b'"https://index.docker.io/v1/": {"username": "you", "password": "p"}}}'
    }
    assert credentials_for("ghcr.io/a/b:1", [secret]) == [Credentials("me", "sesame")]
    assert credentials_for("nginx", [secret]) == [Credentials("you", "p")]
    assert credentials_for("quay.io/a", [secret, {".dockerconfigjson": b"broken"}]) == []


class Loading(FakeRuntime):
    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.fails: Exception | None = None

    async def load_archive(self, path: Path) -> list[str]:
        self.loaded.append(path.name)
        if self.fails:
            raise self.fails
        return [f"{path.stem}:1"]


async def test_archives_are_loaded_once_when_they_rest_and_again_when_they_change(tmp_path: Path) -> None:
    runtime, came = Loading(), list[str]()
    folder = ArchiveFolder(tmp_path / "images", runtime, came.extend)
    await folder.look()
    (tmp_path / "images").mkdir()
    archive = tmp_path / "images" / "app.tar"
    archive.write_bytes(b"half")
    await folder.look()
    archive.write_bytes(b"whole of it")
    await folder.look()
    assert runtime.loaded == []
    await folder.look()
    await folder.look()
    assert runtime.loaded == ["app.tar"]
    assert came == ["app:1"]
    archive.write_bytes(b"another")
    await folder.look()
    await folder.look()
    assert runtime.loaded == ["app.tar", "app.tar"]


@pytest.mark.parametrize(
    ("failure", "loads"),
    [
        pytest.param(ValueError("no archive"), 1, id="broken: said once"),
        pytest.param(RuntimeFailure("away"), 3, id="runtime away: tried again"),
    ],
)
async def test_an_archive_that_cannot_be_loaded_waits_or_is_left_alone(
    tmp_path: Path, failure: Exception, loads: int
) -> None:
    runtime = Loading()
    runtime.fails = failure
    (tmp_path / "app.tar").write_bytes(b"x")
    folder = ArchiveFolder(tmp_path, runtime, lambda _: None)
    await folder.look(settle=False)
    await folder.look()
    await folder.look()
    assert len(runtime.loaded) == loads
