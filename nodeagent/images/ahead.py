"""Images that are to be on the node before their pods are: those of updates, and of `wherry.dev/prepull`.

The digest names them, so that they are fetched by whatever agent runs and on a node without a link as well. One is
pulled at a time, beside those of pods. What is told of each: `present`, `pulling`, or `failed: …` once it has failed
for so long that nobody should wait for it any more; it is tried on all the same.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Literal

from nodeagent.accepted import Accepted
from nodeagent.images.pulls import Images, ImageTrouble
from nodeagent.runtime.interface import RuntimeFailure
from schemas.messages import IMAGE_FAILED, IMAGE_PRESENT, IMAGE_PULLING, Config, WantedImage

log = logging.getLogger(__name__)

GIVE_UP_SECONDS = 300.0
"""Of failing; a pull that is under way may take as long as it takes."""
BACK_OFF = "ImagePullBackOff"
RUNTIME_SECONDS = 2.0
TOLD_AT_MOST = 300
"""Letters of an error."""

Tell = Callable[[Literal["Normal", "Warning"], str, str], None]
Report = Callable[[Mapping[str, str]], None]


class Ahead:
    """`report` takes how each wanted image stands; `tell` an Event of the node."""

    def __init__(self, images: Images, now: Callable[[], float], tell: Tell, report: Report) -> None:
        self._images, self._now, self._tell, self._report = images, now, tell, report
        self._wanted: Mapping[str, WantedImage] = {}
        self._configs: Mapping[str, Config] = {}
        self._states: dict[str, str] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._turn = asyncio.Semaphore(1)
        self._running = False

    @property
    def names(self) -> tuple[str, ...]:
        """All that the digest names, those that are only to be kept included."""
        return tuple(self._wanted)

    def accept(self, accepted: Accepted) -> None:
        self._wanted, self._configs = accepted.digest.images, accepted.configs
        if self._running:
            self._apply()

    async def run(self) -> None:
        """Until cancelled."""
        self._running = True
        self._apply()
        try:
            await asyncio.Event().wait()
        finally:
            self._running = False
            tasks = list(self._tasks.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _apply(self) -> None:
        fetched = [image for image, order in self._wanted.items() if order.fetch]
        for image in self._tasks.keys() - set(fetched):
            self._tasks.pop(image).cancel()
        self._states = {image: self._states.get(image, IMAGE_PULLING) for image in fetched}
        for image in fetched:
            if image not in self._tasks:
                self._tasks[image] = asyncio.create_task(self._fetch(image), name=f"image-ahead[{image}]")
        self._report(dict(self._states))

    async def _fetch(self, image: str) -> None:
        began = self._now()
        said: set[str] = set()

        def note(type_: Literal["Normal", "Warning"], reason: str, message: str) -> None:
            """Each once: a back-off that goes on is no news."""
            if reason in ("Pulling", "Pulled", "Failed") and "already present" not in message and message not in said:
                said.add(message)
                self._tell(type_, reason, message)

        while True:
            try:
                async with self._turn:
                    found = await self._images.ensure(image, "IfNotPresent", note, self._secrets(image))
            except RuntimeFailure as error:
                log.debug("an image is not fetched ahead yet image=%s error=%s", image, error)
                await asyncio.sleep(RUNTIME_SECONDS)
                continue
            if not isinstance(found, ImageTrouble):
                self._set(image, IMAGE_PRESENT)
                return
            if self._now() - began >= GIVE_UP_SECONDS and found.reason != BACK_OFF:
                self._set(image, f"{IMAGE_FAILED}: {found.message[:TOLD_AT_MOST]}")
            await asyncio.sleep(found.retry_in)

    def _secrets(self, image: str) -> dict[str, dict[str, bytes]]:
        order = self._wanted.get(image)
        keys = order.secrets if order is not None else ()
        return {key: self._configs[key].data for key in keys if key in self._configs}

    def _set(self, image: str, state: str) -> None:
        if self._states.get(image) != state:
            self._states[image] = state
            self._report(dict(self._states))
