"""What passes on a stream, whatever the broker does to it."""

from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.messages import BadMessage, Topics, rpc_id, split_topic
from schemas.rpc import (
    ABRUPT,
    CHUNK,
    LEAST,
    MOST_WINDOW,
    STDIN,
    STDOUT,
    Broken,
    Conversation,
    Credit,
    Data,
    End,
    ExecRequest,
    Open,
    Started,
    charge,
    decode_frame,
    encode_frame,
    window,
)

REQUEST = ExecRequest(uid="u", container="c", command=("cat",))


def pair(down: int = 4 * CHUNK, up: int = 4 * CHUNK) -> tuple[Conversation, Conversation]:
    """A reconciler and an agent that have greeted each other."""
    ours, theirs = Conversation(up), Conversation(down)
    theirs.take(ours.frame(Open(REQUEST, up)))
    ours.take(theirs.frame(Started(down)))
    return ours, theirs


def test_a_frame_is_a_line_that_a_person_can_read_and_then_the_bytes() -> None:
    payload = encode_frame(3, Data(STDOUT), b"hello\nworld")
    assert payload == b'[3,{"kind":"data","channel":1}]\nhello\nworld'
    assert decode_frame(payload) == (3, Data(STDOUT), b"hello\nworld")


def test_the_topic_of_a_stream_tells_its_name_and_direction() -> None:
    _, _, rest = split_topic(Topics("c", "n").rpc_up("a1-2")) or ("", "", "")
    assert (rpc_id(rest, "up"), rpc_id(rest, "down"), rpc_id("status", "up")) == ("a1-2", None, None)


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{}", id="no list"),
        pytest.param(b'[0,{"kind":"nosuch"}]', id="unknown kind"),
        pytest.param(b'[0,{"kind":"data","channel":1}]\n' + bytes(CHUNK + 1), id="too large"),
    ],
)
def test_what_is_no_frame_breaks_the_stream(payload: bytes) -> None:
    with pytest.raises(BadMessage):
        decode_frame(payload)
    with pytest.raises(Broken):
        Conversation(CHUNK).take(payload)


def test_nothing_is_sent_before_the_other_side_has_said_what_it_has_room_for() -> None:
    assert Conversation(CHUNK).fits(1) == 0


def test_an_end_of_somebody_who_lost_count_ends_the_stream_all_the_same() -> None:
    end = End(code=404, reason="NotFound", message="gone")
    assert pair()[0].take(encode_frame(ABRUPT, end)) == (end, b"")


def test_who_sends_more_than_there_is_room_for_breaks_the_stream() -> None:
    ours, theirs = pair(down=2 * CHUNK)
    for _ in range(2):
        theirs.take(ours.frame(Data(STDIN), bytes(CHUNK)))
    assert ours.fits(1) == 0
    with pytest.raises(Broken, match="room"):
        theirs.take(ours.frame(Data(STDIN), b"x"))


def test_who_gives_back_more_than_was_sent_breaks_the_stream() -> None:
    ours, theirs = pair()
    with pytest.raises(Broken, match="given back"):
        ours.take(theirs.frame(Credit(1)))


@given(st.lists(st.integers(0, 3 * CHUNK), max_size=30), st.integers(CHUNK, MOST_WINDOW), st.data())
@settings(max_examples=60, deadline=None)
def test_everything_arrives_in_order_however_slow_the_reader(sizes: list[int], grant: int, data: st.DataObject) -> None:
    """The wire never holds more than the window, and the sender is never stuck for good."""
    ours, theirs = pair(down=grant)
    left = deque(bytes([index % 256]) * size for index, size in enumerate(sizes))
    expected, arrived = b"".join(left), bytearray()
    wire: deque[bytes] = deque()
    unread: deque[int] = deque()
    while left or wire or unread:
        fits = ours.fits(len(left[0])) if left else 0
        if left and not left[0]:
            left.popleft()
        elif fits and (not wire or data.draw(st.booleans())):
            wire.append(ours.frame(Data(STDIN), left[0][:fits]))
            left[0] = left[0][fits:]
        elif wire and (not unread or data.draw(st.booleans())):
            frame = theirs.take(wire.popleft())
            assert frame is not None
            arrived += frame[1]
            unread.append(len(frame[1]))
        else:
            credit = theirs.consumed(unread.popleft())
            assert credit is None or ours.take(credit) is None
        assert sum(charge(len(decode_frame(payload)[2])) for payload in wire) + sum(map(charge, unread)) <= grant
    assert bytes(arrived) == expected


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_loss_doubling_and_reordering_never_corrupt_what_is_read(data: st.DataObject) -> None:
    """What is read is always a beginning of what was sent; what is missing is noticed with the next message."""
    ours, theirs = pair(down=MOST_WINDOW)
    count = data.draw(st.integers(1, 12))
    frames = [ours.frame(Data(STDIN), bytes([index]) * 3) for index in range(count)]
    delivered = list(frames)
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(0, max(0, len(delivered) - 1)))
        match data.draw(st.sampled_from(["lose", "double", "move"])):
            case "lose" if delivered:
                del delivered[at]
            case "double" if delivered:
                delivered.insert(data.draw(st.integers(at, len(delivered))), delivered[at])
            case "move" if delivered:
                delivered.insert(data.draw(st.integers(0, len(delivered) - 1)), delivered.pop(at))
    read, broken = bytearray(), False
    for payload in [*delivered, ours.frame(End())]:
        try:
            frame = theirs.take(payload)
        except Broken:
            broken = True
            break
        if frame is not None:
            read += frame[1]
    sent = b"".join(bytes([index]) * 3 for index in range(count))
    assert sent.startswith(bytes(read))
    assert broken or bytes(read) == sent


@given(st.integers(0, 1 << 24), st.integers(0, 500))
def test_a_window_is_large_enough_to_get_on_and_never_too_large(pool: int, streams: int) -> None:
    assert LEAST < CHUNK <= window(pool, streams) <= MOST_WINDOW
