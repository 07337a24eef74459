import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from nodeagent.runtime import processes


@pytest.fixture
def deaf() -> Iterator[subprocess.Popen[bytes]]:
    """A process that does not heed SIGTERM, and says when it has come so far."""
    script = "trap '' TERM; echo; while :; do read -r _ || exec cat; done"
    with subprocess.Popen(
        ["sh", "-c", script, "wherry-test"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def test_a_process_is_found_by_what_it_was_started_with(deaf: subprocess.Popen[bytes]) -> None:
    assert processes.find(lambda arguments: arguments[-1] == "wherry-test") == [deaf.pid]


async def test_what_does_not_end_by_itself_is_killed(deaf: subprocess.Popen[bytes]) -> None:
    waiting = asyncio.create_task(processes.ended(deaf.pid))
    await processes.terminate(deaf.pid, grace_seconds=0.05)
    await waiting
    assert not Path("/proc", str(deaf.pid)).exists()


async def test_what_has_ended_is_ended() -> None:
    pid = processes.spawn(Path("/bin/true"), [], Path("/dev/null"), {})
    await processes.ended(pid)
    await processes.ended(pid)
    await processes.terminate(pid, 1)


async def test_a_spawned_process_has_a_session_of_its_own_and_appends_to_its_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("before\n")
    script = "echo $A; echo fault >&2; cut -d ' ' -f 6 /proc/$$/stat"
    pid = processes.spawn(Path("/bin/sh"), ["-c", script], log, {"A": "b", "PATH": "/usr/bin:/bin"})
    await processes.ended(pid)
    assert log.read_text() == f"before\nb\nfault\n{pid}\n"
