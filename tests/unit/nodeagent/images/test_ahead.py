"""Images that are fetched before their pods, and the agent's images as a whole."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import msgspec

from nodeagent.accepted import Accepted
from nodeagent.config import Config
from nodeagent.images.ahead import GIVE_UP_SECONDS, Ahead
from nodeagent.images.collector import Collector
from nodeagent.images.pulls import Images
from nodeagent.images.record import Record, Remembered
from nodeagent.images.rights import Rights
from nodeagent.images.room import ImageRoom
from nodeagent.images.settings import ImageCollection
from nodeagent.runtime.fake import FakeRuntime
from nodeagent.runtime.interface import ImageDisk
from schemas.configuration import BrokerAddress
from schemas.core.container import Container
from schemas.core.pod import Pod, PodSpec
from schemas.messages import Assignment, Digest, WantedImage
from tests.unit.nodeagent.pods.virtual import VirtualClock, run


def accepted(*fetch: str, keep: tuple[str, ...] = (), pods: tuple[str, ...] = ()) -> Accepted:
    images = {image: WantedImage(True) for image in fetch} | {image: WantedImage() for image in keep}
    assignments = {
        image: Assignment(Pod(spec=PodSpec(containers=(Container(name="c", image=image),)))) for image in pods
    }
    return Accepted(Digest("s", 1, images=images), pods=assignments)


class Stage:
    def __init__(self, pull_seconds: float = 5) -> None:
        clock = VirtualClock()
        self.runtime = FakeRuntime(pull_seconds=pull_seconds)
        self.told: list[str] = []
        self.reports: list[dict[str, str]] = []
        self.ahead = Ahead(Images(self.runtime, clock.monotonic), clock.monotonic, self._tell, self._report)

    def _tell(self, type_: str, reason: str, message: str) -> None:
        self.told.append(f"{type_} {reason}: {message}")

    def _report(self, states: Mapping[str, str]) -> None:
        self.reports.append(dict(states))


def test_what_the_digest_names_is_fetched_and_told_and_what_is_only_kept_is_not() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.ahead.accept(accepted("app:1", keep=("app:0",)))
        task = asyncio.create_task(stage.ahead.run())
        await asyncio.sleep(20)
        assert stage.reports == [{"app:1": "pulling"}, {"app:1": "present"}]
        assert stage.told[0] == 'Normal Pulling: Pulling image "app:1"'
        assert stage.told[1].startswith('Normal Pulled: Successfully pulled image "app:1" in 5s (5s including waiting)')
        assert await stage.runtime.image_id("app:0") is None
        assert stage.ahead.names == ("app:1", "app:0")
        stage.ahead.accept(accepted())
        assert stage.reports[-1] == {}
        task.cancel()

    run(scene())


def test_an_image_that_cannot_be_had_is_given_up_after_a_time_and_tried_on() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.ahead.accept(accepted("missing:1"))
        task = asyncio.create_task(stage.ahead.run())
        await asyncio.sleep(GIVE_UP_SECONDS - 60)
        assert stage.reports[-1] == {"missing:1": "pulling"}
        await asyncio.sleep(400)
        assert stage.reports[-1]["missing:1"].startswith("failed: ")
        assert len(stage.told) == len(set(stage.told))
        count = len(stage.reports)
        await asyncio.sleep(3600)
        assert len(stage.reports) <= count + 1
        task.cancel()

    run(scene())


def test_a_runtime_that_is_away_is_waited_for() -> None:
    async def scene() -> None:
        stage = Stage(0.1)
        stage.runtime.set_available(False)
        stage.ahead.accept(accepted("app:1"))
        task = asyncio.create_task(stage.ahead.run())
        await asyncio.sleep(30)
        assert stage.reports[-1] == {"app:1": "pulling"}
        stage.runtime.set_available(True)
        await asyncio.sleep(5)
        assert stage.reports[-1] == {"app:1": "present"}
        task.cancel()

    run(scene())


class FullDisk(FakeRuntime):
    async def image_disk(self) -> ImageDisk:
        return ImageDisk(1000, 0, 1000)


def test_the_collection_leaves_what_pods_digest_configuration_and_archives_name(tmp_path: Path) -> None:
    async def scene() -> None:
        runtime, told = FullDisk(pull_seconds=0), list[str]()
        config = Config(
            broker=BrokerAddress(url="mqtt://x"),
            data=tmp_path,
            image_collection=ImageCollection(minimum_age_seconds=0, pinned=("pinned:1",)),
        )
        room = ImageRoom(
            runtime,
            config,
            registries=None,
            archived=lambda: ["docker.io/library/archived:1"],
            tell=lambda type_, reason, message: told.append(reason),
            report=lambda states: None,
            changed=lambda: None,
        )
        names = ("pod:1", "ahead:1", "before:1", "pinned:1", "archived:1", config.pause_image, "useless:1")
        for name in names:
            await runtime.pull_image(name)
        room.accept(accepted("ahead:1", keep=("before:1",), pods=("pod:1",)))
        assert await room.collector.collect() > 0
        left = {image.tags[0].removeprefix("docker.io/library/") for image in await runtime.list_images()}
        assert left == set(names) - {"useless:1"}
        assert told == []  # that it is enough
        assert await room.collector.collect() == 0
        assert told == ["FreeDiskSpaceFailed"]

    run(scene())


def test_nothing_is_written_while_nothing_changes(tmp_path: Path) -> None:
    async def scene() -> None:
        path = tmp_path / "images.json"
        clock, runtime = VirtualClock(), FakeRuntime(pull_seconds=0)
        record = Record(path)
        images = Images(runtime, clock.monotonic, record=record)
        collector = Collector(
            runtime,
            images,
            record,
            ImageCollection(),
            kept=tuple,
            now=clock.monotonic,
            tell=lambda *_: None,
            changed=lambda: None,
        )
        await images.ensure("app:1", "", lambda *_: None)
        await collector.collect()
        assert not path.exists()
        secret = {".dockerconfigjson": b'{"auths": {"docker.io": {"username": "me", "password": "sesame"}}}'}
        await images.ensure("app:2", "", lambda *_: None, {"secret/a/pull": secret})
        first = path.stat()
        assert first.st_mode & 0o777 == 0o600
        assert b"sesame" not in path.read_bytes()
        await collector.collect()
        assert path.stat().st_ino == first.st_ino
        assert Record(path).content == record.content != Remembered()

    run(scene())


def test_a_damaged_record_is_said_and_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "images.json"
    path.write_text("half of i")
    record = Record(path)
    assert record.content == Remembered()
    record.put(Remembered(rights=Rights().begun("app:1")))
    assert msgspec.json.decode(path.read_bytes(), type=Remembered) == record.content
