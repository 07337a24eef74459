"""Who may use an image that is there."""

from nodeagent.images.keyring import Key
from nodeagent.images.rights import Rights
from nodeagent.runtime.interface import Credentials

ID, IMAGE = "sha256:1", "ghcr.io/team/app:1"


def key(source: str, password: str = "p") -> Key:
    return Key("ghcr.io", "", Credentials("me", password), source)


MINE, OTHERS, COPY, NODE = key("secret/a/pull"), key("secret/b/pull", "q"), key("secret/c/copy"), key("")


def test_what_nobody_pulled_with_a_secret_is_for_everybody() -> None:
    assert Rights().allow(ID, IMAGE, [])
    assert Rights().begun(IMAGE).pulled(ID, IMAGE, None).allow(ID, IMAGE, [])
    assert Rights().begun(IMAGE).pulled(ID, IMAGE, NODE).allow(ID, IMAGE, [])


def test_what_a_secret_has_brought_is_for_those_who_have_it_or_its_content() -> None:
    rights = Rights().begun(IMAGE).pulled(ID, IMAGE, MINE)
    assert rights.pending == ()
    assert rights.allow(ID, IMAGE, [MINE])
    assert rights.allow(ID, IMAGE, [key("secret/a/pull", "rotated")])
    assert rights.allow(ID, IMAGE, [COPY])
    assert not rights.allow(ID, IMAGE, [OTHERS])
    assert not rights.allow(ID, IMAGE, [])
    assert not rights.allow(ID, "quay.io/team/app:1", [MINE])


def test_a_pull_of_ones_own_gives_the_right() -> None:
    rights = Rights().pulled(ID, IMAGE, MINE).pulled(ID, IMAGE, OTHERS)
    assert rights.allow(ID, IMAGE, [OTHERS])
    assert rights.allow(ID, IMAGE, [MINE])
    opened = rights.pulled(ID, IMAGE, None)
    assert opened.allow(ID, IMAGE, [])
    assert opened.pulled(ID, IMAGE, MINE).allow(ID, IMAGE, [])


def test_a_pull_that_was_never_seen_to_end_gives_nobody_a_right() -> None:
    begun = Rights().begun(IMAGE)
    assert not begun.allow(ID, IMAGE, [MINE])
    assert begun.allow(ID, "other:1", [])
    assert begun.failed(IMAGE).allow(ID, IMAGE, [])
    assert begun.pulled(ID, IMAGE, MINE).begun(IMAGE).allow(ID, IMAGE, [MINE])


def test_what_a_person_loaded_is_for_everybody_and_what_is_gone_is_forgotten() -> None:
    rights = Rights().pulled(ID, IMAGE, MINE)
    assert rights.opened(ID).allow(ID, IMAGE, [])
    assert rights.only({"sha256:2"}) == Rights()
