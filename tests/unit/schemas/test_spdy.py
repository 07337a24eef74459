"""SPDY frames, against themselves and against what they must refuse."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import spdy

TEXTS = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)


@given(st.lists(st.dictionaries(TEXTS, TEXTS, max_size=5), max_size=4), st.binary(max_size=300), st.integers(1, 50))
@settings(max_examples=60, deadline=None)
def test_what_one_side_says_the_other_hears_in_pieces_of_any_size(
    headers: list[dict[str, str]], content: bytes, size: int
) -> None:
    speaker, hearer = spdy.Connection(), spdy.Connection()
    said = b"".join(speaker.open(2 * index + 1, each) for index, each in enumerate(headers))
    said += spdy.data(1, content) + speaker.accept(2) + spdy.data(3, b"", last=True) + spdy.reset(1)
    heard = [event for at in range(0, len(said), size) for event in hearer.feed(said[at : at + size])]
    assert heard == [
        *(spdy.Opened(2 * index + 1, each) for index, each in enumerate(headers)),
        spdy.Received(1, content),
        spdy.Replied(2),
        spdy.Received(3, b"", last=True),
        spdy.Reset(1),
    ]


def test_a_ping_is_answered_with_itself_and_what_has_no_meaning_here_is_passed_over() -> None:
    hearer = spdy.Connection()
    settings_frame = struct.pack(">HHI", 0x8003, 4, 4) + bytes(4)
    (ping,) = hearer.feed(settings_frame + struct.pack(">HHII", 0x8003, 6, 4, 9))
    assert isinstance(ping, spdy.Pinged)
    assert list(hearer.feed(spdy.pong(ping))) == [ping]


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(struct.pack(">HHI", 0x8002, 1, 10) + bytes(10), id="another version"),
        pytest.param(struct.pack(">II", 1, spdy.MAX_FRAME + 1), id="too large"),
        pytest.param(struct.pack(">HHI", 0x8003, 1, 12) + bytes(10) + b"ab", id="headers that are none"),
        pytest.param(struct.pack(">HHI", 0x8003, 3, 2) + bytes(2), id="cut short"),
    ],
)
def test_what_is_no_spdy_is_refused(said: bytes) -> None:
    with pytest.raises(spdy.SpdyError):
        list(spdy.Connection().feed(said))


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_chance_is_refused_or_waited_for_and_never_breaks_anything(noise: bytes) -> None:
    try:
        list(spdy.Connection().feed(noise))
    except spdy.SpdyError:
        return
