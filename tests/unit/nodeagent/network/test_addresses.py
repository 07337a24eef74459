import struct

from nodeagent.network.addresses import GONE, NEW, scopes


def message(type_: int, scope: int) -> bytes:
    body = struct.pack("=BBBBI", 2, 24, 0, scope, 7) + bytes(5)
    whole = struct.pack("=IHHII", 16 + len(body), type_, 0, 0, 0) + body
    return whole + bytes(-len(whole) % 4)


def test_each_address_that_comes_or_goes_is_seen_with_its_scope() -> None:
    said = message(NEW, 0) + message(16, 0) + message(GONE, 253)
    assert list(scopes(said)) == [0, 253]


def test_what_is_cut_off_ends_it() -> None:
    assert list(scopes(message(NEW, 0)[:20])) == []
    assert list(scopes(b"\0" * 40)) == []
    assert list(scopes(b"")) == []
