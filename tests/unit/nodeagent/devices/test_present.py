"""Which device files are there, and word of them. `/dev/null` and its like stand for devices."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from nodeagent.devices.declared import DeviceResource
from nodeagent.devices.present import along_with, present, watch


def resource(*paths: str | Path, also: tuple[str, ...] = ()) -> DeviceResource:
    return DeviceResource(resource="a.b/c", paths=tuple(map(str, paths)), also=also)


def test_files_that_are_no_devices_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "tty1").touch()
    (tmp_path / "tty2").symlink_to("/dev/null")
    (tmp_path / "tty3").symlink_to("/nowhere")
    assert present([resource(tmp_path / "tty*", "/dev/zero")]) == {"a.b/c": ("/dev/zero", str(tmp_path / "tty2"))}


def test_a_resource_without_the_files_that_belong_to_it_is_not_there() -> None:
    assert present([resource("/dev/null", also=("/dev/zero", "/dev/fulll"))]) == {"a.b/c": ()}
    both = resource("/dev/null", also=("/dev/zero",))
    assert present([both]) == {"a.b/c": ("/dev/null",)}
    assert along_with(both) == ("/dev/zero",)


async def test_whoever_watches_hears_of_what_comes_and_goes(tmp_path: Path) -> None:
    heard = asyncio.Event()
    seen = resource(tmp_path / "by-id" / "*")
    task = asyncio.create_task(watch([seen], heard.set))
    try:
        async with asyncio.timeout(60):
            await heard.wait()  # at first, for what is there already
            folder = tmp_path / "by-id"
            changes: list[Callable[[], None]] = [
                lambda: folder.mkdir(),
                lambda: (folder / "modem").symlink_to("/dev/null"),
                lambda: (folder / "modem").unlink(),
            ]
            for change in changes:
                heard.clear()
                change()
                await heard.wait()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
