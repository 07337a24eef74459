"""Reading logs that grow and are turned over."""

from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodeagent.pods.logs import _shift
from nodeagent.rpc import logfiles
from nodeagent.rpc.logfiles import LogReader


def read(reader: LogReader) -> bytes:
    return b"".join(block for block, _ in reader.read())


@given(st.lists(st.integers(0, 30), min_size=1, max_size=3), st.integers(0, 100), st.integers(1, 64))
@settings(max_examples=80, deadline=None)
def test_the_tail_is_found_in_whatever_files_it_lies(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], tail: int, block: int
) -> None:
    path = tmp_path_factory.mktemp("log") / "0.log"
    lines = [f"line {number}".encode() + b"\n" for number in range(sum(sizes))]
    at = 0
    for age, size in zip(range(len(sizes) - 1, -1, -1), sizes, strict=True):
        file = path if age == 0 else path.with_name(f"0.log.{age}")
        file.write_bytes(b"".join(lines[at : at + size]))
        at += size
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logfiles, "BLOCK", block)
        with closing(LogReader(path, tail)) as reader:
            assert read(reader) == b"".join(lines[len(lines) - tail :] if tail < len(lines) else lines)


@given(st.lists(st.sampled_from(["write", "write", "rotate", "read"]), max_size=40))
@settings(max_examples=80, deadline=None)
def test_a_follower_reads_each_line_once_while_files_are_turned_over(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    """Unless it falls so far behind that the oldest file is gone: then it misses whole files, and reads none twice."""
    path = tmp_path_factory.mktemp("log") / "0.log"
    path.write_bytes(b"")
    written, number, behind = b"", 0, 0
    got = b""
    with closing(LogReader(path, None)) as reader:
        for step in [*steps, "read"]:
            if step == "write":
                line = f"line {number}\n".encode()
                number += 1
                with path.open("ab") as file:
                    file.write(line)
                written += line
            elif step == "rotate" and behind < 3:
                _shift(path, 5)
                path.touch()
                behind += 1
            elif step == "read":
                got += read(reader)
                behind = 0
    assert got == written


def test_a_log_that_is_not_there_is_empty_and_may_come(tmp_path: Path) -> None:
    with closing(LogReader(tmp_path / "0.log", None)) as reader:
        assert read(reader) == b""
        (tmp_path / "0.log").write_bytes(b"x\n")
        assert read(reader) == b"x\n"
