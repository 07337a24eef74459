"""Which lines of a log come out, whatever pieces it is read in."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodeagent.rpc.loglines import MAX_LINE, LineFilter, newlines_from_end

START = datetime(2026, 1, 1, tzinfo=UTC)
LOG = b"""2026-01-01T00:00:00.123456789Z stdout F one
2026-01-01T00:00:01.5+00:00 stderr F two
2026-01-01T01:00:02+01:00 stdout P thr
2026-01-01T00:00:02.1Z stdout F ee
2026-01-01T00:00:03Z stdout F four words are one text
"""


def shown(log: bytes = LOG, **options: Any) -> bytes:  # noqa: ANN401
    return LineFilter(**options).feed(log)


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        pytest.param({}, b"one\ntwo\nthree\nfour words are one text\n", id="all, parts joined"),
        pytest.param({"stream": "stderr"}, b"two\n", id="one stream"),
        pytest.param({"since": START + timedelta(seconds=2)}, b"three\nfour words are one text\n", id="since"),
        pytest.param({"since": START + timedelta(days=1)}, b"", id="since later than all"),
        pytest.param({"limit_bytes": 6}, b"one\ntw", id="limit"),
        pytest.param({"timestamps": True, "stream": "stderr"}, b"2026-01-01T00:00:01.5+00:00 two\n", id="timestamps"),
        pytest.param(
            {"timestamps": True, "since": START + timedelta(seconds=2)},
            b"2026-01-01T01:00:02+01:00 three\n2026-01-01T00:00:03Z four words are one text\n",
            id="one time for a line in parts",
        ),
    ],
)
def test_what_was_asked_for_comes_out(options: dict[str, Any], wanted: bytes) -> None:
    assert shown(**options) == wanted


@given(st.lists(st.integers(1, 40), min_size=1, max_size=40))
@settings(max_examples=60, deadline=None)
def test_the_size_of_the_pieces_changes_nothing(sizes: list[int]) -> None:
    filter_, out, at = LineFilter(timestamps=True, limit_bytes=120), b"", 0
    for size in [*sizes, len(LOG)]:
        out += filter_.feed(LOG[at : at + size])
        at += size
    assert out == shown(timestamps=True, limit_bytes=120)


def test_what_is_no_log_line_is_passed_over() -> None:
    assert shown(b"nonsense\n\n2026-01-01T00:00:00Z stdout F x\n") == b"x\n"
    assert shown(b"nonsense stdout F x\n", since=START) == b""


def test_a_line_without_an_end_is_not_kept_for_ever() -> None:
    filter_ = LineFilter()
    assert filter_.feed(bytes(MAX_LINE + 1)) == b""
    assert filter_.feed(b"\n2026-01-01T00:00:00Z stdout F x\n") == b"x\n"


def test_half_a_line_is_not_continued_in_another_file() -> None:
    filter_ = LineFilter()
    filter_.feed(b"2026-01-01T00:00:00Z stdout F ha")
    filter_.new_file()
    assert filter_.feed(b"2026-01-01T00:00:00Z stdout F x\n") == b"x\n"


@given(st.lists(st.binary(max_size=5).map(lambda text: text.replace(b"\n", b"")), max_size=20), st.integers(1, 25))
def test_the_last_newlines_are_found(lines: list[bytes], wanted: int) -> None:
    block = b"".join(line + b"\n" for line in lines)
    at, found = newlines_from_end(block, wanted)
    assert found == min(wanted, len(lines))
    if found == wanted:
        assert block[at:].count(b"\n") == wanted
        assert block[at : at + 1] == b"\n"
    else:
        assert at == -1
