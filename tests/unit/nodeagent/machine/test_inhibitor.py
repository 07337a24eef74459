"""Holding up the machine's shutdown, with a program in place of systemd's."""

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from nodeagent.machine import inhibitor
from nodeagent.machine.inhibitor import Inhibitor

SIGNAL = '{"type":"signal","member":"PrepareForShutdown","payload":{"type":"b","data":[%s]}}'


class Held:
    def __init__(self, tmp_path: Path, lines: Sequence[str]) -> None:
        """The program says these lines, when it runs first, and holds on until it is ended; `pid` is its file."""
        self.happened: list[str] = []
        self.pid = tmp_path / "pid"
        script = f"import os,time\nfirst = not os.path.exists({str(self.pid)!r})\n"
        script += f"open({str(self.pid)!r},'w').write(str(os.getpid()))\n"
        script += "".join(f"if first: print({line!r}, flush=True)\n" for line in lines) + "time.sleep(600)\n"
        self.inhibitor = Inhibitor(
            30,
            down=self._down,
            up=lambda: self.happened.append("up"),
            command=(sys.executable, "-c", script) if lines else ("systemd-inhibit",),
            settings=tmp_path / "logind.conf",
        )

    async def _down(self) -> None:
        self.happened.append("down")

    def is_running(self) -> bool:
        return Path("/proc", self.pid.read_text()).exists()


@pytest.fixture(autouse=True)
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs of its names that do nothing."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("busctl", "systemctl"):
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


async def until(held: Held, happened: list[str]) -> None:
    async with asyncio.timeout(30):
        while held.happened != happened:
            await asyncio.sleep(0.01)


async def ended(held: Held) -> None:
    async with asyncio.timeout(30):
        while held.is_running():
            await asyncio.sleep(0.01)


async def test_pods_are_ended_and_then_the_lock_is_let_go(tmp_path: Path) -> None:
    held = Held(tmp_path, ["something else", SIGNAL % "true"])
    task = asyncio.create_task(held.inhibitor.run())
    try:
        await until(held, ["down"])
        await ended(held)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert "InhibitDelayMaxSec=31\n" in (tmp_path / "logind.conf").read_text()


async def test_a_shutdown_that_is_called_off_is_told(tmp_path: Path) -> None:
    held = Held(tmp_path, [SIGNAL % "false"])
    task = asyncio.create_task(held.inhibitor.run())
    await until(held, ["up"])
    assert held.is_running()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await ended(held)


async def test_a_machine_that_stays_up_after_pods_were_ended_is_told_although_nobody_listened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inhibitor, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(inhibitor, "STANDS_SECONDS", 0.01)
    held = Held(tmp_path, [SIGNAL % "true"])
    task = asyncio.create_task(held.inhibitor.run())
    await until(held, ["down", "up"])
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_where_there_is_no_systemd_it_is_said_and_nothing_is_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    await Held(tmp_path, []).inhibitor.run()
    assert "pods are not ended before the machine goes down" in caplog.text
    assert not (tmp_path / "logind.conf").exists()
