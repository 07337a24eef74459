import asyncio
import errno
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

import pytest
from watchdog.observers.inotify_c import InotifyFD

from reconciler.manifests.gathering import LONGEST_SECONDS, QUIET_SECONDS, Gathering
from reconciler.manifests.versions import Versions
from reconciler.manifests.watch import FolderWatch, is_passing


@asynccontextmanager
async def watching(folder: Path, *more: Path) -> AsyncIterator[tuple[FolderWatch, Gathering]]:
    gathering = Gathering()
    watch = FolderWatch(gathering, Versions())
    name_all(watch, folder, *more)
    watch.changed = False
    try:
        yield watch, gathering
    finally:
        watch.close()


def name_all(watch: FolderWatch, folder: Path, *more: Path) -> None:
    watch.start_round(folder)
    for place in (folder, *more):
        watch.add(str(place))
    watch.end_round()


async def is_told(watch: FolderWatch, gathering: Gathering, seconds: float = 60.0) -> bool:
    told = await gathering.at_rest(watch.is_writing, seconds)
    return told and watch.changed


def rename(folder: Path, name: str, text: str = "x") -> None:
    temporary = folder / f".{name}.tmp"
    temporary.write_text(text)
    temporary.rename(folder / name)


async def test_a_finished_write_is_told_in_about_the_quiet_time(tmp_path: Path) -> None:
    async with watching(tmp_path) as (watch, gathering):
        times = []
        for number in range(5):
            started = monotonic()
            rename(tmp_path, f"{number}.yaml")
            assert await is_told(watch, gathering)
            times.append(monotonic() - started)
        assert QUIET_SECONDS <= min(times) < 5 * QUIET_SECONDS


@pytest.mark.parametrize(
    "action",
    [
        pytest.param(lambda folder: (folder / "new.yaml").write_text("x"), id="written in place"),
        pytest.param(lambda folder: (folder / "old.yaml").unlink(), id="deleted"),
        pytest.param(lambda folder: (folder / "old.yaml").rename(folder / "b.yaml"), id="renamed"),
        pytest.param(lambda folder: (folder / "old.yaml").rename(folder.parent / "b.yaml"), id="moved out"),
        pytest.param(lambda folder: (folder / "sub").mkdir(), id="folder made"),
        pytest.param(lambda folder: (folder / "link.yaml").symlink_to("old.yaml"), id="symlink made"),
        pytest.param(lambda folder: folder.rename(folder.parent / "away"), id="folder itself moved"),
        pytest.param(lambda folder: (folder / ".wherryignore").write_text("x"), id="ignore file"),
        pytest.param(lambda folder: (folder / ".git").mkdir(), id="became a checkout"),
    ],
)
async def test_what_changes_the_folder_is_told(tmp_path: Path, action: object) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "old.yaml").write_text("x")
    async with watching(folder) as (watch, gathering):
        assert callable(action)
        action(folder)
        assert await is_told(watch, gathering)


async def test_reading_and_editors_own_files_are_not_told(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("x")
    async with watching(tmp_path) as (watch, gathering):
        (tmp_path / "a.yaml").read_text()
        os.listdir(tmp_path)
        for name in (".a.yaml.swp", "a.yaml~", "4913", ".#a.yaml", "a.yaml.tmp"):
            (tmp_path / name).write_text("x")
            (tmp_path / name).unlink()
        (tmp_path.parent / "beside.yaml").write_text("x")
        assert not await is_told(watch, gathering, 0.1)


async def test_a_symlink_swap_and_a_new_folder_of_the_name_are_told(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    link = tmp_path / "link"
    link.symlink_to("one")
    async with watching(link) as (watch, gathering):
        (tmp_path / "next").symlink_to("two")
        (tmp_path / "next").rename(link)
        assert await is_told(watch, gathering)
        name_all(watch, link)
        watch.changed = False
        rename(tmp_path / "one", "old.yaml")
        assert not await is_told(watch, gathering, 0.05)
        rename(tmp_path / "two", "new.yaml")
        assert await is_told(watch, gathering)


async def test_a_folder_that_is_not_there_yet_is_seen_to_come(tmp_path: Path) -> None:
    async with watching_nothing(tmp_path / "a" / "b") as (watch, gathering):
        (tmp_path / "a").mkdir()
        assert await is_told(watch, gathering)
        watch.start_round(tmp_path / "a" / "b")
        watch.end_round()
        watch.changed = False
        (tmp_path / "a" / "b").mkdir()
        assert await is_told(watch, gathering)


@asynccontextmanager
async def watching_nothing(folder: Path) -> AsyncIterator[tuple[FolderWatch, Gathering]]:
    gathering = Gathering()
    watch = FolderWatch(gathering, Versions())
    watch.start_round(folder)
    watch.end_round()
    watch.changed = False
    try:
        yield watch, gathering
    finally:
        watch.close()


async def test_a_file_open_for_writing_holds_the_pass_back_until_it_is_closed(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("long" * 100)
    async with watching(tmp_path) as (watch, gathering):
        with open(tmp_path / "a.yaml", "w") as half:  # noqa: ASYNC230  # that it stays open is the point
            rename(tmp_path, "b.yaml")
            waiting = asyncio.create_task(is_told(watch, gathering))
            done, _ = await asyncio.wait({waiting}, timeout=0.1)
            assert not done
            assert watch.is_writing()
            half.write("x")
        assert await waiting
        assert watch.writing() == frozenset()


async def test_a_writer_that_takes_its_time_is_not_waited_for_twice(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("long")
    async with watching(tmp_path) as (watch, gathering):
        with open(tmp_path / "a.yaml", "w"):  # noqa: ASYNC230  # that it stays open is the point
            started = monotonic()
            rename(tmp_path, "b.yaml")
            assert await is_told(watch, gathering)
            assert monotonic() - started >= LONGEST_SECONDS * 0.9
            assert watch.writing() == {str(tmp_path / "a.yaml")}
            taken = []
            for name in "cdefg":  # a busy machine may hold one of them up, hardly all
                started = monotonic()
                rename(tmp_path, f"{name}.yaml")
                assert await is_told(watch, gathering)
                taken.append(monotonic() - started)
            assert min(taken) < LONGEST_SECONDS / 2


async def test_edits_that_keep_coming_are_gathered_and_still_told_within_a_second() -> None:
    gathering, loop, started = Gathering(), asyncio.get_running_loop(), monotonic()

    def edit() -> None:  # in every turn of the loop, so that a slow machine makes no pause between two edits
        gathering.note(quiet=LONGEST_SECONDS / 5)
        again.append(loop.call_soon(edit))
        del again[:-1]

    again: list[asyncio.Handle] = []
    edit()
    assert await gathering.at_rest(lambda: False)
    again[-1].cancel()
    assert LONGEST_SECONDS * 0.9 <= monotonic() - started < LONGEST_SECONDS * 30


@pytest.mark.parametrize(
    ("number", "says"),
    [
        pytest.param(errno.ENOSPC, "fs.inotify.max_user_watches", id="watches"),
        pytest.param(errno.EMFILE, "fs.inotify.max_user_instances", id="instances"),
    ],
)
async def test_a_limit_of_the_kernel_is_said_with_the_line_that_mends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, says: str
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, "limit reached")

    monkeypatch.setattr(InotifyFD, "add_callback", refuse)
    async with watching(tmp_path) as (watch, _):
        assert says in watch.limit


@pytest.mark.parametrize(
    ("name", "passing"),
    [
        pytest.param(b"a.yaml", False, id="manifest"),
        pytest.param(b".wherryignore", False, id="ignore file"),
        pytest.param(b"..data", False, id="link of a mounted ConfigMap"),
        pytest.param(b".a.yaml.swp", True, id="vim"),
        pytest.param(b"4913", True, id="vim's probe"),
        pytest.param(b"#a.yaml#", True, id="emacs"),
        pytest.param(b"a.yaml~", True, id="backup"),
    ],
)
def test_files_of_editors_are_known_by_name(name: bytes, passing: bool) -> None:
    assert is_passing(name) is passing
