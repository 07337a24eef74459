"""Word of stalls for memory, where the kernel has it; and none where it has not."""

import asyncio
from pathlib import Path

import pytest

from nodeagent.machine import stalls
from nodeagent.machine.stalls import stalls_of_memory


async def test_watching_costs_nothing_while_nothing_stalls() -> None:
    """No word of urgency is made of the file being readable, as it always is."""
    told = asyncio.Event()
    with stalls_of_memory(told.set):
        for _ in range(20):
            await asyncio.sleep(0)
    assert not told.is_set()


async def test_where_the_kernel_has_no_such_file_nothing_is_watched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in (tmp_path / "none", tmp_path / "plain"):
        (tmp_path / "plain").touch()
        monkeypatch.setattr(stalls, "FILE", str(file))
        with stalls_of_memory(lambda: None):
            await asyncio.sleep(0)
