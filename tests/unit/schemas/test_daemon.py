"""One process for each data directory, ended when it is asked to."""

import asyncio
import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from schemas.configuration import BadConfiguration
from schemas.daemon import AlreadyRunning, ended, heed_cancellation, holder, lock, log_to, run_until, stop_process

HOLD = "import sys; from pathlib import Path; from schemas.daemon import lock; f = lock(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"  # noqa: E501
STUBBORN = "import signal; signal.signal(15, signal.SIG_IGN); print('held', flush=True); signal.pause()"


def started(*arguments: str) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def closed(process: "subprocess.Popen[str]") -> None:
    with process:
        process.kill()


def test_a_directory_is_held_by_one_process_until_that_is_killed(tmp_path: Path) -> None:
    process = started(HOLD, str(tmp_path))
    with pytest.raises(AlreadyRunning, match=str(process.pid)):
        lock(tmp_path)
    assert holder(tmp_path) == process.pid
    closed(process)
    assert holder(tmp_path) is None
    lock(tmp_path).close()


def test_a_directory_never_used_has_no_holder(tmp_path: Path) -> None:
    assert holder(tmp_path / "new") is None


def test_a_process_that_does_not_listen_is_killed_when_the_patience_is_over() -> None:
    process = started(STUBBORN)
    stop_process(process.pid, 0.1)
    assert process.wait(5) == -9
    closed(process)


async def test_the_end_of_a_process_is_told_without_polling() -> None:
    process = started(STUBBORN)
    waiting = asyncio.create_task(ended(process.pid))
    await asyncio.sleep(0)
    assert not waiting.done()
    closed(process)
    await asyncio.wait_for(waiting, 60)
    await asyncio.wait_for(ended(process.pid), 60)


def test_logs_are_one_json_object_a_line_where_asked(tmp_path: Path) -> None:
    log_to(tmp_path / "logs" / "x.log", as_json=True)
    try:
        logging.getLogger("part").info("objects=%d", 3)
        line = json.loads((tmp_path / "logs" / "x.log").read_text())
    finally:
        root = logging.getLogger()
        for handler in root.handlers[:]:
            handler.close()
            root.removeHandler(handler)
    assert (line["level"], line["logger"], line["message"]) == ("info", "part", "objects=3")


def test_a_data_directory_that_cannot_be_made_is_named_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadConfiguration, match="file/data: the data directory cannot be written: Not a directory"):
        lock(tmp_path / "file" / "data")


async def test_rooms_run_until_they_are_to_stop() -> None:
    stop, ended_rooms = asyncio.Event(), []

    async def room(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended_rooms.append(name)

    running = asyncio.create_task(run_until(stop, {"a": room("a"), "b": room("b")}))
    await asyncio.sleep(0)
    stop.set()
    await running
    assert sorted(ended_rooms) == ["a", "b"]


async def test_the_failure_of_one_room_ends_the_others_and_is_told_as_it_is() -> None:
    ended_rooms = []

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended_rooms.append("waits")

    async def fails() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(wrong())

    async def wrong() -> None:
        raise BadConfiguration("wrong")

    with pytest.raises(BadConfiguration, match="wrong"):
        await run_until(asyncio.Event(), {"waits": waits(), "fails": fails()})
    assert ended_rooms == ["waits"]


async def test_a_task_ends_when_it_is_told_though_its_group_forgot_it() -> None:
    async def fails_when_it_is_to_end() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise OSError("the connection is lost")

    async def connected() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(fails_when_it_is_to_end())
            await asyncio.Event().wait()

    async def stays() -> None:
        while True:
            try:
                await asyncio.create_task(connected())
            except* OSError:
                pass
            heed_cancellation()

    staying = asyncio.create_task(stays())
    for _ in range(3):
        await asyncio.sleep(0)
    staying.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(60):
            await staying
