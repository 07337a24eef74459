import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.store.history import Bounds, History
from reconciler.store.interface import Compacted

AMPLE = Bounds(seconds=1e9, commits=10**9, size=10**9)


def history(bounds: Bounds, *sizes: int) -> History[str]:
    kept = History[str](10, bounds)
    for i, size in enumerate(sizes, 11):
        kept.add(i, f"commit {i}", size, now=float(i))
    return kept


@pytest.mark.parametrize(
    ("bounds", "sizes", "left"),
    [
        pytest.param(AMPLE, (1, 1, 1), [11, 12, 13], id="within all bounds"),
        pytest.param(AMPLE._replace(commits=2), (1, 1, 1), [12, 13], id="too many"),
        pytest.param(AMPLE._replace(size=5), (2, 2, 3), [12, 13], id="too large"),
        pytest.param(AMPLE._replace(seconds=1), (1, 1, 1), [12, 13], id="too old"),
        pytest.param(AMPLE._replace(size=5), (1, 1, 9), [13], id="the newest stays, however large"),
    ],
)
def test_the_oldest_commits_are_forgotten_when_a_bound_is_passed(
    bounds: Bounds, sizes: tuple[int, ...], left: list[int]
) -> None:
    kept = history(bounds, *sizes)
    assert [revision for revision, _ in kept.after(left[0] - 1)] == left
    assert len(kept) == len(left)
    assert kept.size == sum(sizes[-len(left) :])
    with pytest.raises(Compacted):
        kept.after(left[0] - 2)


def test_nothing_is_missing_after_the_floor() -> None:
    kept = history(AMPLE)
    assert kept.after(10) == []
    assert kept.next_after(10) is None
    with pytest.raises(Compacted):
        kept.next_after(9)


@settings(max_examples=50)
@given(
    steps=st.lists(st.tuples(st.integers(1, 3), st.booleans()), min_size=1, max_size=400),
    commits=st.integers(1, 50),
    asked=st.integers(0, 900),
)
def test_what_is_told_is_every_commit_after_the_revision_or_an_error(
    steps: list[tuple[int, bool]], commits: int, asked: int
) -> None:
    kept, everything, revision = History[int](0, AMPLE._replace(commits=commits)), [], 0
    for gap, forget in steps:
        revision += gap
        kept.add(revision, -revision, 1, 0.0)
        everything.append((revision, -revision))
        if forget:
            kept.forget_before(revision - 5)
    wanted = [(at, payload) for at, payload in everything if at > asked]
    if asked < kept.floor:
        with pytest.raises(Compacted):
            kept.after(asked)
    else:
        assert kept.after(asked) == wanted
        assert kept.next_after(asked) == (wanted[0] if wanted else None)
    assert kept.after(kept.floor) == everything[-len(kept) :]
