"""Images for containers: pull policy, one pull per reference, a limit of pulls at once, and back-off.

https://kubernetes.io/docs/concepts/containers/images/. Those who ask with the same credentials share a pull; one with
others goes to the registry by itself, which is what gives it the right to the image (see `rights`).
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import msgspec
from msgspec import structs

from nodeagent.images.backoff import FIRST_DELAY, LONGEST_DELAY, PullBackOff, is_out_of_reach
from nodeagent.images.keyring import BadCredentials, Key, keys_of_secret, matching
from nodeagent.images.node_access import NodeAccess
from nodeagent.images.patience import asked_patience, is_refused_for_now
from nodeagent.images.progress import duration, pauses, told
from nodeagent.images.record import Record
from nodeagent.images.references import fault_of, full, needs_pull, policy_of
from nodeagent.images.rights import Rights
from nodeagent.images.settings import Registries
from nodeagent.runtime.interface import Image, PullFailed, Runtime, RuntimeFailure

log = logging.getLogger(__name__)

SOON = 1.0
"""Seconds after which a failed pull shows as waiting for its back-off."""
PRESENT = "already present on machine and can be accessed by the pod"

Note = Callable[[Literal["Normal", "Warning"], str, str], None]
"""Takes an event: type, reason, message."""
Progress = Callable[[str], None]
"""Takes how far a pull is that takes long."""
PullKey = tuple[str, tuple[tuple[str, str], ...]]
"""The image, and the credentials that it is pulled with."""


class ImageTrouble(msgspec.Struct, frozen=True):
    """Why a container has no image; `retry_in` seconds it is worth asking again."""

    reason: str
    message: str
    retry_in: float


class Pulled(msgspec.Struct, frozen=True):
    """What a pull has brought, by which credentials, and how long it took once its turn had come."""

    image_id: str
    key: Key | None
    seconds: float


def unheard(message: str) -> None:
    """For those who need not know how far a pull is."""


class Images:
    """The images of one node. `now` is a monotonic clock, in seconds. `pulled` is called when one has come."""

    def __init__(
        self,
        runtime: Runtime,
        now: Callable[[], float],
        parallel_pulls: int = 3,
        access: NodeAccess | None = None,
        record: Record | None = None,
    ) -> None:
        self._runtime = runtime
        self._now = now
        self._access = access or NodeAccess(Registries(), None)
        self._record = record or Record(None)
        self._slots = asyncio.Semaphore(parallel_pulls)
        self._pulls: dict[PullKey, asyncio.Task[Pulled]] = {}
        self._back_offs: dict[PullKey, PullBackOff] = {}
        self._listeners: dict[PullKey, list[Progress]] = {}
        self.pulled: Callable[[], None] = lambda: None

    async def ensure(
        self,
        image: str,
        written_policy: str,
        note: Note,
        secrets: Mapping[str, Mapping[str, bytes]] | None = None,
        progress: Progress = unheard,
    ) -> Image | ImageTrouble:
        """The image, pulled if it has to be. `secrets` by their config keys. Raises `Unavailable`."""
        fault = fault_of(image)
        if fault:
            note("Warning", "InspectFailed", fault)
            note("Warning", "Failed", "Error: InvalidImageName")
            return ImageTrouble("InvalidImageName", fault, LONGEST_DELAY)
        keys = self._keys(image, secrets or {})
        policy = policy_of(image, written_policy)
        present = await self._runtime.image_id(image)
        usable = present if present is not None and self._rights.allow(present.id, image, keys) else None
        if usable is not None and not needs_pull(image, policy, present=True):
            self._back_offs.pop(_pull_key(image, keys), None)
            return _at_hand(usable, image, note)
        if policy == "Never":
            return _never(image, present is not None, note)
        waits = self._backing_off(image, keys)
        found = waits or await self._pull(image, keys, note, progress)
        if usable is not None and isinstance(found, ImageTrouble) and is_out_of_reach(found.message):
            return _at_hand(usable, image, note)  # offline is normal: what ran before the link went runs again
        if waits is not None:
            note("Normal", "BackOff", f'Back-off pulling image "{image}"')
            note("Warning", "Failed", "Error: ImagePullBackOff")
        return found

    def forget_back_offs(self) -> None:
        """Images have come by another way: what waited may be here."""
        self._back_offs.clear()

    def loaded(self, image_id: str) -> None:
        """Somebody has put this image here by hand: it is for every pod."""
        self._set_rights(self._rights.opened(image_id))

    def gone(self, present: Sequence[str]) -> None:
        """The ids of all images that are left."""
        self._set_rights(self._rights.only(present))

    def under_way(self) -> frozenset[str]:
        """The full names of those that are being pulled."""
        return frozenset(full(image) for image, _ in self._pulls)

    @property
    def _rights(self) -> Rights:
        return self._record.content.rights

    def _set_rights(self, rights: Rights) -> None:
        self._record.put(structs.replace(self._record.content, rights=rights))

    def _keys(self, image: str, secrets: Mapping[str, Mapping[str, bytes]]) -> list[Key]:
        keys: list[Key] = []
        for source, data in secrets.items():
            try:
                keys += keys_of_secret(source, data)
            except BadCredentials as error:
                log.warning("pull secret is passed over secret=%s error=%s", source, error)
        return matching(image, [*keys, *self._access.refresh()])

    def _backing_off(self, image: str, keys: Sequence[Key]) -> ImageTrouble | None:
        key = _pull_key(image, keys)
        back_off = self._back_offs.get(key)
        if back_off is None or back_off.until <= self._now() or key in self._pulls:
            return None
        message = f'Back-off pulling image "{image}": ErrImagePull: {back_off.error}'
        return ImageTrouble("ImagePullBackOff", message, back_off.until - self._now())

    async def _pull(self, image: str, keys: Sequence[Key], note: Note, progress: Progress) -> Image | ImageTrouble:
        begun, key = self._now(), _pull_key(image, keys)
        note("Normal", "Pulling", f'Pulling image "{image}"')

        def heard(message: str) -> None:
            note("Normal", "Pulling", f'Pulling image "{image}": {message}')
            progress(f'pulling image "{image}": {message}')

        listeners = self._listeners.setdefault(key, [])
        listeners.append(heard)
        try:
            pulled = await asyncio.shield(self._shared_pull(image, keys))
        except PullFailed as failure:
            return await self._failed(image, key, str(failure), note)
        finally:
            listeners.remove(heard)
            if not listeners:
                self._listeners.pop(key, None)
        found = await self._runtime.image_id(image) or await self._runtime.image_id(pulled.image_id)
        if found is None:
            return await self._failed(image, key, "the image vanished after it was pulled", note)
        took, waited = duration(pulled.seconds), duration(self._now() - begun)
        size = f"Image size: {found.size} bytes."
        note("Normal", "Pulled", f'Successfully pulled image "{image}" in {took} ({waited} including waiting). {size}')
        self._back_offs.pop(key, None)
        return found

    async def _failed(self, image: str, key: PullKey, error: str, note: Note) -> ImageTrouble:
        back_off = self._back_offs.get(key)
        if back_off is None or back_off.until <= self._now():  # several pods wait for one pull: it has failed once
            self._back_offs[key] = PullBackOff.after(back_off, error, self._now())
            if is_refused_for_now(error):
                patience = await asked_patience(image, self._access.registries)
                self._back_offs[key] = PullBackOff.after(back_off, error, self._now(), patience)
        note("Warning", "Failed", f'Failed to pull image "{image}": {error}')
        note("Warning", "Failed", "Error: ErrImagePull")
        return ImageTrouble("ErrImagePull", error, SOON)

    def _shared_pull(self, image: str, keys: Sequence[Key]) -> "asyncio.Task[Pulled]":
        """A pull that is under way serves all who ask; it goes on when one of them no longer waits."""
        key = _pull_key(image, keys)
        pull = self._pulls.get(key)
        if pull is None:
            pull = asyncio.create_task(self._pull_with(image, keys), name=f"pull[{image}]")
            self._pulls[key] = pull
            pull.add_done_callback(lambda task: self._pull_ended(key, task))
        return pull

    def _pull_ended(self, key: PullKey, task: "asyncio.Task[Pulled]") -> None:
        self._pulls.pop(key, None)
        if task.cancelled():
            return
        if task.exception() is not None:
            log.info("pull failed image=%s error=%s", key[0], task.exception())
        else:
            self.pulled()

    async def _pull_with(self, image: str, keys: Sequence[Key]) -> Pulled:
        """With each of the credentials in turn, as the kubelet tries them; without any when there are none."""
        async with self._slots:
            begun = self._now()
            telling = asyncio.create_task(self._tell(_pull_key(image, keys), begun), name=f"pull-progress[{image}]")
            try:
                image_id, key = await self._try_each(image, keys)
            except PullFailed:
                self._set_rights(self._rights.failed(image))
                raise
            finally:
                telling.cancel()
        self._set_rights(self._rights.pulled(image_id, image, key))
        return Pulled(image_id, key, self._now() - begun)

    async def _try_each(self, image: str, keys: Sequence[Key]) -> tuple[str, Key | None]:
        if any(key.source for key in keys):
            self._set_rights(self._rights.begun(image))
        for key in keys[:-1]:
            try:
                return await self._runtime.pull_image(image, key.credentials), key
            except PullFailed as failure:
                log.info("pull refused, trying other credentials image=%s error=%s", image, failure)
        last = keys[-1] if keys else None
        return await self._runtime.pull_image(image, last.credentials if last else None), last

    async def _tell(self, key: PullKey, begun: float) -> None:
        """Until the pull has ended."""
        for pause in pauses():
            await asyncio.sleep(pause)
            try:
                message = told(await self._runtime.downloads(), self._now() - begun)
            except RuntimeFailure as error:
                log.debug("cannot see how far a pull is image=%s error=%s", key[0], error)
                continue
            for listener in self._listeners.get(key, ()):
                listener(message)

    async def stop(self) -> None:
        """Ends the pulls that are under way."""
        pulls = list(self._pulls.values())
        for pull in pulls:
            pull.cancel()
        await asyncio.gather(*pulls, return_exceptions=True)


def _at_hand(image: Image, name: str, note: Note) -> Image:
    note("Normal", "Pulled", f'Container image "{name}" {PRESENT}')
    return image


def _pull_key(image: str, keys: Sequence[Key]) -> PullKey:
    return image, tuple((key.source, key.hash()) for key in keys)


def _never(image: str, present: bool, note: Note) -> ImageTrouble:
    """Not here, or not for this pod."""
    message = f'Container image "{image}" is not present with pull policy of Never'
    if present:
        message = (
            f'Container image "{image}" is present with pull policy of Never '
            "but does not have the proper credentials to access the image"
        )
    note("Warning", "ErrImageNeverPull", message)
    note("Warning", "Failed", "Error: ErrImageNeverPull")
    return ImageTrouble("ErrImageNeverPull", message, FIRST_DELAY)
