"""The folder of image archives."""

import asyncio
from pathlib import Path

import pytest

from nodeagent import archives
from nodeagent.archives import ArchiveFolder
from nodeagent.runtime.fake import FakeRuntime
from nodeagent.runtime.interface import RuntimeFailure


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


async def test_an_archive_that_is_still_open_for_writing_is_left_alone_however_long_it_rests(tmp_path: Path) -> None:
    runtime = Loading()
    folder = ArchiveFolder(tmp_path, runtime, lambda _: None)
    with (tmp_path / "app.tar").open("wb") as file:
        file.write(b"half")
        file.flush()
        await folder.look()
        await folder.look()
        await folder.look()
        assert runtime.loaded == []
    await folder.look()
    assert runtime.loaded == ["app.tar"]
    assert folder.references == ["app:1"]
    (tmp_path / "app.tar").unlink()
    await folder.look()
    assert folder.references == []


async def test_what_is_wrong_with_an_archive_is_told(tmp_path: Path) -> None:
    told: list[str] = []
    (tmp_path / "app.tar").write_bytes(b"no archive")
    folder = ArchiveFolder(tmp_path, FakeRuntime(), lambda _: None, told.append)
    await folder.look(settle=False)
    assert len(told) == 1
    assert told[0].startswith(f"image archive app.tar cannot be loaded: {tmp_path / 'app.tar'} is not a tar archive")


async def test_an_archive_is_loaded_once_its_folder_comes_however_seldom_the_folder_is_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "UNTOLD", 3600.0)
    monkeypatch.setattr(archives, "REST", 0.01)
    runtime = Loading()
    folder = ArchiveFolder(tmp_path / "later" / "images", runtime, lambda _: None)
    running = asyncio.create_task(folder.run())
    try:
        await asyncio.sleep(0)  # it has begun to watch what is there
        for name in ("one.tar", "two.tar"):
            (tmp_path / "later" / "images").mkdir(parents=True, exist_ok=True)
            (tmp_path / "later" / "images" / name).write_bytes(b"x")
            async with asyncio.timeout(30):
                while name not in runtime.loaded:
                    await asyncio.sleep(0.01)
    finally:
        running.cancel()
        await asyncio.wait([running])
