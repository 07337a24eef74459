"""The images of one agent: pulls, what is fetched ahead, and what is collected, joined."""

import asyncio
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from nodeagent.accepted import Accepted
from nodeagent.config import Config
from nodeagent.images.ahead import Ahead
from nodeagent.images.collector import Collector, Tell
from nodeagent.images.node_access import NodeAccess
from nodeagent.images.pulls import Images
from nodeagent.images.record import Record
from nodeagent.images.references import names
from nodeagent.pods.resources import all_containers
from nodeagent.runtime.interface import Runtime, RuntimeFailure
from schemas.core.pod import Pod

RECORD = "images.json"


class ImageRoom:
    """`registries`: where the containerd in use looks for `hosts.toml`, None for nowhere. `archived`: references of
    the images whose archives lie on the node. `report` takes how wanted images stand; `changed` is called when the
    node has other images."""

    def __init__(
        self,
        runtime: Runtime,
        config: Config,
        *,
        registries: Path | None,
        archived: Callable[[], Sequence[str]],
        tell: Callable[[Literal["Normal", "Warning"], str, str], None],
        report: Callable[[Mapping[str, str]], None],
        changed: Callable[[], None],
    ) -> None:
        record = Record(config.data / RECORD)
        access = NodeAccess(config.registries, registries)
        self.pulls = Images(runtime, time.monotonic, config.parallel_pulls, access, record)
        self.pulls.pulled = self._pulled
        self._ahead = Ahead(self.pulls, time.monotonic, tell, report)
        self._runtime, self._archived, self._changed = runtime, archived, changed
        self._pinned = names((config.pause_image, *config.image_collection.pinned))
        self._of_pods: frozenset[str] = frozenset()
        self.collector = self._collector(config, record, tell)

    def _collector(self, config: Config, record: Record, tell: Tell) -> Collector:
        return Collector(
            self._runtime,
            self.pulls,
            record,
            config.image_collection,
            kept=self._kept,
            now=time.monotonic,
            tell=tell,
            changed=self._changed,
        )

    def accept(self, accepted: Accepted) -> None:
        self._of_pods = names(name for assignment in accepted.pods.values() for name in _images(assignment.pod))
        self._ahead.accept(accepted)

    async def run(self) -> None:
        """Until cancelled. To be begun once the runtime has been prepared."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._ahead.run(), name="images-ahead")
            tasks.create_task(self.collector.run(), name="image-collection")

    async def loaded(self, references: Sequence[str]) -> None:
        """These have come from archives: by a person's hand, for every pod."""
        for reference in references:
            try:
                found = await self._runtime.image_id(reference)
            except RuntimeFailure:
                continue  # the next load of it will say so again
            if found is not None:
                self.pulls.loaded(found.id)

    def _pulled(self) -> None:
        self.collector.look_soon()
        self._changed()

    def _kept(self) -> Collection[str]:
        return {*self._of_pods, *self._pinned, *names(self._ahead.names), *names(self._archived())}


def _images(pod: Pod) -> Iterator[str]:
    """Of its containers, and of volumes that are images."""
    yield from (container.image for container in all_containers(pod))
    yield from (volume.image.reference for volume in pod.spec.volumes if volume.image)
