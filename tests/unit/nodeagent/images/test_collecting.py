"""Which images go when the disk fills."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodeagent.images.collecting import Seen, everything_unused, judge
from nodeagent.images.settings import ImageCollection
from nodeagent.runtime.interface import Image, ImageDisk

NOW = 10_000.0
FULL = ImageDisk(capacity=1000, available=100, used=0)


def image(name: str, size: int = 60, pinned: bool = False) -> Image:
    return Image(id=name, tags=(f"docker.io/library/{name}:1",), size=size, pinned=pinned)


def doomed(*images: Image, kept: str = "", seen: Seen | None = None, disk: ImageDisk = FULL) -> list[str]:
    seen = seen or Seen({one.id: 0.0 for one in images})
    verdict = judge(images, {f"docker.io/library/{kept}:1"}, seen, disk, ImageCollection(), NOW)
    return [one.id for one in verdict.doomed]


@pytest.mark.parametrize(
    ("available", "count"),
    [
        pytest.param(160, 0, id="84 percent: below the high mark"),
        pytest.param(150, 1, id="85 percent: down to 80"),
        pytest.param(100, 2, id="90 percent"),
        pytest.param(0, 3, id="full: all that may go"),
    ],
)
def test_images_go_from_the_high_mark_down_to_the_low_one(available: int, count: int) -> None:
    disk = ImageDisk(1000, available, 0)
    assert len(doomed(image("a"), image("b"), image("c"), disk=disk)) == count


def test_those_go_first_whose_last_use_is_the_longest_ago() -> None:
    images = [image(name, 50) for name in "abcd"]
    seen = Seen(dict.fromkeys("abcd", 0.0), released=("c", "a", "d"))
    assert doomed(*images, seen=seen) == ["b", "c"]


def test_what_is_used_kept_pinned_or_young_stays() -> None:
    images = [image("used"), image("kept"), image("pinned", pinned=True), image("young"), image("old")]
    since = {one.id: 0.0 for one in images} | {"young": NOW - 60}
    assert doomed(*images, kept="kept", seen=Seen(since, frozenset(["used"]))) == ["old"]
    unused = everything_unused(images, {"docker.io/library/kept:1"}, Seen(since, frozenset(["used"])))
    assert [one.id for one in unused] == ["young", "old"]


def test_unused_images_go_after_their_maximum_age_whatever_the_disk() -> None:
    verdict = judge(
        [image("a"), image("b")],
        (),
        Seen({"a": NOW - 500, "b": NOW - 10}),
        ImageDisk(1000, 900, 0),
        ImageCollection(maximum_age_seconds=300),
        NOW,
    )
    assert [one.id for one in verdict.doomed] == ["a"]


def test_the_order_of_release_is_remembered_and_forgets_what_is_gone_or_used_again() -> None:
    images = [image(name) for name in "abc"]
    seen = Seen().looked(images, {"a", "b"}, 1).looked(images, {"b"}, 2).looked(images, {"c"}, 3)
    assert seen.released == ("a", "b")
    assert seen.since == {"a": 1, "b": 2, "c": 3}
    again = seen.looked(images, {"a"}, 4)
    assert again.released == ("b", "c")
    assert again.looked(images[1:], set(), 5).released == ("b", "c")
    assert again.looked(images, {"a"}, 6).released == again.released


@settings(max_examples=50)
@given(
    st.lists(st.tuples(st.integers(0, 300), st.booleans(), st.booleans(), st.booleans()), max_size=8),
    st.integers(0, 1000),
)
def test_what_somebody_needs_never_goes_and_no_more_goes_than_has_to(
    made: list[tuple[int, bool, bool, bool]], available: int
) -> None:
    images = [image(f"i{number}", size, pinned) for number, (size, pinned, _, _) in enumerate(made)]
    used = {f"i{number}" for number, one in enumerate(made) if one[2]}
    kept = {f"docker.io/library/i{number}:1" for number, one in enumerate(made) if one[3]}
    seen = Seen().looked(images, used, 0.0)
    verdict = judge(images, kept, seen, ImageDisk(1000, available, 0), ImageCollection(), NOW)
    gone = {one.id for one in verdict.doomed}
    assert not gone & used
    assert all(not one.pinned and one.tags[0] not in kept for one in verdict.doomed)
    before_last = sum(one.size for one in verdict.doomed[:-1])
    assert not verdict.doomed or before_last < verdict.wanted
    if verdict.found < verdict.wanted:
        assert gone == {one.id for one in everything_unused(images, kept, seen)}
