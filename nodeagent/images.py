"""Images for containers: pull policy, one pull per reference, a limit of pulls at once, and back-off.

https://kubernetes.io/docs/concepts/containers/images/
`needs_pull`, `fault_of` and `PullBackOff` decide; `Images` does.
"""

import asyncio
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import msgspec

from nodeagent.runtime.interface import Credentials, Image, PullFailed, Runtime

log = logging.getLogger(__name__)

FIRST_DELAY = 10.0
LONGEST_DELAY = 300.0
"""Seconds between pulls of a reference that fails."""
SOON = 1.0
"""Seconds after which a failed pull shows as waiting for its back-off."""
PRESENT = "already present on machine and can be accessed by the pod"
_REFERENCE = re.compile(
    r"(?:(?:[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?\.)*[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?(?::[0-9]+)?/"
    r"|\[[0-9a-fA-F:]+\](?::[0-9]+)?/)?"
    r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*"
    r"(?::[\w][\w.-]{0,127})?(?:@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?",
    re.ASCII,
)

Note = Callable[[Literal["Normal", "Warning"], str, str], None]
"""Takes an event: type, reason, message."""


class ImageTrouble(msgspec.Struct, frozen=True):
    """Why a container has no image; `retry_in` seconds it is worth asking again."""

    reason: str
    message: str
    retry_in: float


def policy_of(image: str, written: str) -> str:
    """`imagePullPolicy`, or what Kubernetes takes when it is left out."""
    if written:
        return written
    name = image.rpartition("/")[2]
    return "Always" if "@" not in name and (":" not in name or name.endswith(":latest")) else "IfNotPresent"


def needs_pull(image: str, policy: str, present: bool) -> bool:
    """A digest never changes its meaning: what is here is what a registry would give, so none is asked."""
    return not present or (policy == "Always" and "@sha256:" not in image)


def fault_of(image: str) -> str:
    """Why this is no reference of an image; empty for one that is."""
    if _REFERENCE.fullmatch(image):
        return ""
    kind = "repository name must be lowercase" if _REFERENCE.fullmatch(image.lower()) else "invalid reference format"
    return f'Failed to apply default image tag "{image}": couldn\'t parse image name "{image}": {kind}'


class PullBackOff(msgspec.Struct, frozen=True):
    """Of one reference: what the last pull failed with, and until when the next one waits."""

    error: str
    delay: float
    until: float

    @staticmethod
    def after(before: "PullBackOff | None", error: str, now: float) -> "PullBackOff":
        """One that has rested for long begins anew."""
        fresh = before is None or now - before.until > 2 * LONGEST_DELAY
        delay = FIRST_DELAY if before is None or fresh else min(before.delay * 2, LONGEST_DELAY)
        return PullBackOff(error, delay, now + delay)


class Images:
    """The images of one node. `now` is a monotonic clock, in seconds."""

    def __init__(self, runtime: Runtime, now: Callable[[], float], parallel_pulls: int = 3) -> None:
        self._runtime = runtime
        self._now = now
        self._slots = asyncio.Semaphore(parallel_pulls)
        self._pulls: dict[str, asyncio.Task[str]] = {}
        self._back_offs: dict[str, PullBackOff] = {}

    async def ensure(
        self, image: str, written_policy: str, note: Note, credentials: Sequence[Credentials] = ()
    ) -> Image | ImageTrouble:
        """The image, pulled if it has to be. Raises `Unavailable` while the runtime is away."""
        fault = fault_of(image)
        if fault:
            note("Warning", "InspectFailed", fault)
            note("Warning", "Failed", "Error: InvalidImageName")
            return ImageTrouble("InvalidImageName", fault, LONGEST_DELAY)
        policy = policy_of(image, written_policy)
        present = await self._runtime.image_id(image)
        if present is not None and not needs_pull(image, policy, present=True):
            note("Normal", "Pulled", f'Container image "{image}" {PRESENT}')
            self._back_offs.pop(image, None)
            return present
        if policy == "Never":
            message = f'Container image "{image}" is not present with pull policy of Never'
            note("Warning", "ErrImageNeverPull", message)
            note("Warning", "Failed", "Error: ErrImageNeverPull")
            return ImageTrouble("ErrImageNeverPull", message, FIRST_DELAY)
        return self._backing_off(image, note) or await self._pull(image, note, credentials)

    def forget_back_offs(self) -> None:
        """Images have come by another way: what waited may be here."""
        self._back_offs.clear()

    def _backing_off(self, image: str, note: Note) -> ImageTrouble | None:
        back_off = self._back_offs.get(image)
        if back_off is None or back_off.until <= self._now() or image in self._pulls:
            return None
        note("Normal", "BackOff", f'Back-off pulling image "{image}"')
        note("Warning", "Failed", "Error: ImagePullBackOff")
        message = f'Back-off pulling image "{image}": ErrImagePull: {back_off.error}'
        return ImageTrouble("ImagePullBackOff", message, back_off.until - self._now())

    async def _pull(self, image: str, note: Note, credentials: Sequence[Credentials]) -> Image | ImageTrouble:
        begun = self._now()
        note("Normal", "Pulling", f'Pulling image "{image}"')
        try:
            image_id = await asyncio.shield(self._shared_pull(image, credentials))
        except PullFailed as failure:
            return self._failed(image, str(failure), note)
        found = await self._runtime.image_id(image) or await self._runtime.image_id(image_id)
        if found is None:
            return self._failed(image, "the image vanished after it was pulled", note)
        took = f"{self._now() - begun:.3g}s"
        size = f"Image size: {found.size} bytes."
        note("Normal", "Pulled", f'Successfully pulled image "{image}" in {took} ({took} including waiting). {size}')
        self._back_offs.pop(image, None)
        return found

    def _failed(self, image: str, error: str, note: Note) -> ImageTrouble:
        back_off = self._back_offs.get(image)
        if back_off is None or back_off.until <= self._now():  # several pods wait for one pull: it has failed once
            self._back_offs[image] = PullBackOff.after(back_off, error, self._now())
        note("Warning", "Failed", f'Failed to pull image "{image}": {error}')
        note("Warning", "Failed", "Error: ErrImagePull")
        return ImageTrouble("ErrImagePull", error, SOON)

    def _shared_pull(self, image: str, credentials: Sequence[Credentials]) -> "asyncio.Task[str]":
        """A pull that is under way serves all who ask; it goes on when one of them no longer waits."""
        pull = self._pulls.get(image)
        if pull is None:
            pull = asyncio.create_task(self._pull_with(image, credentials), name=f"pull[{image}]")
            self._pulls[image] = pull
            pull.add_done_callback(lambda task: self._pull_ended(image, task))
        return pull

    def _pull_ended(self, image: str, task: "asyncio.Task[str]") -> None:
        self._pulls.pop(image, None)
        if not task.cancelled() and task.exception() is not None:
            log.info("pull failed image=%s error=%s", image, task.exception())

    async def _pull_with(self, image: str, credentials: Sequence[Credentials]) -> str:
        """With each of the credentials in turn, as the kubelet tries them; without any when there are none."""
        async with self._slots:
            for one in credentials[:-1]:
                try:
                    return await self._runtime.pull_image(image, one)
                except PullFailed as failure:
                    log.info("pull refused, trying other credentials image=%s error=%s", image, failure)
            return await self._runtime.pull_image(image, credentials[-1] if credentials else None)

    async def stop(self) -> None:
        """Ends the pulls that are under way."""
        pulls = list(self._pulls.values())
        for pull in pulls:
            pull.cancel()
        await asyncio.gather(*pulls, return_exceptions=True)


def credentials_for(image: str, secrets: Sequence[Mapping[str, bytes]]) -> list[Credentials]:
    """Those of the pull secrets (`kubernetes.io/dockerconfigjson`) that belong to the image's registry."""
    registry = image.partition("/")[0] if _names_registry(image) else "docker.io"
    found = []
    for secret in secrets:
        try:
            document = msgspec.json.decode(secret.get(".dockerconfigjson", b"{}"), type=_DockerConfig)
        except msgspec.DecodeError:
            log.warning("pull secret is not a dockerconfigjson and is passed over image=%s", image)
            continue
        for host, entry in document.auths.items():
            if _host(host) == registry and (entry.username or entry.auth):
                found.append(entry.credentials())
    return found


class _Entry(msgspec.Struct, frozen=True):
    username: str = ""
    password: str = ""
    auth: str = ""

    def credentials(self) -> Credentials:
        if self.username:
            return Credentials(self.username, self.password)
        import base64
        import binascii

        try:
            user, _, password = base64.b64decode(self.auth).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            user, password = "", ""
        return Credentials(user, password)


class _DockerConfig(msgspec.Struct, frozen=True):
    auths: dict[str, _Entry] = {}


def _names_registry(image: str) -> bool:
    first, slash, _ = image.partition("/")
    return bool(slash) and ("." in first or ":" in first or first == "localhost")


def _host(name: str) -> str:
    host = name.removeprefix("https://").removeprefix("http://").partition("/")[0]
    return "docker.io" if host == "index.docker.io" else host
