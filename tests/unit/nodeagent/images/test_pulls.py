"""Pull policy, back-off and shared pulls."""

import asyncio
from typing import Literal

import pytest

from nodeagent.images.backoff import PullBackOff
from nodeagent.images.pulls import Images, ImageTrouble
from nodeagent.images.references import fault_of, needs_pull, policy_of
from nodeagent.runtime.fake import FakeRuntime
from nodeagent.runtime.interface import Credentials, Image, PullFailed
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


class Refusing(FakeRuntime):
    """Has `app:1`, and every pull fails with these words."""

    def __init__(self, error: str) -> None:
        super().__init__(pull_seconds=1)
        self._error = error
        self.pulls = 0

    async def pull_image(self, reference: str, credentials: Credentials | None = None) -> str:
        self.pulls += 1
        if self.pulls == 1:
            return await super().pull_image(reference, credentials)
        raise PullFailed(self._error)


@pytest.mark.parametrize(
    ("error", "starts"),
    [
        pytest.param("dial tcp: lookup ghcr.io: no such host", True, id="no name service"),
        pytest.param("dial tcp 10.0.0.1:443: connect: network is unreachable", True, id="no link"),
        pytest.param("failed with status code [manifests 1]: 503 Service Unavailable", True, id="registry is down"),
        pytest.param("failed with status code [manifests 1]: 401 Unauthorized", False, id="forbidden"),
        pytest.param("ghcr.io/app:1: not found", False, id="unknown"),
    ],
)
def test_without_a_registry_in_reach_what_is_here_has_to_do(error: str, starts: bool) -> None:
    async def scene() -> None:
        runtime, notes = Refusing(error), Notes()
        images = Images(runtime, VirtualClock().monotonic)
        assert isinstance(await images.ensure("app:1", "Always", notes), Image)
        for _ in range(3):
            assert isinstance(await images.ensure("app:1", "Always", notes), Image) == starts
        assert runtime.pulls == 2  # in between it waits for its back-off
        assert any("Failed to pull image" in note for note in notes)
        assert isinstance(await images.ensure("app:2", "Always", notes), ImageTrouble)

    run(scene())
