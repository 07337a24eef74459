from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.manifests.prune import PRUNE, Limits, Pruning, prune
from reconciler.provenance import SOURCE
from schemas.core.config import ConfigMap
from schemas.meta import ObjectMeta, Ref
from tests.unit.reconciler.manifests.builders import NOW


def live(number: int, **annotations: str) -> ConfigMap:
    metadata = ObjectMeta(name=f"c{number}", namespace="default", uid=f"u{number}", annotations=annotations)
    return ConfigMap(metadata=metadata)


def seen(*_: object) -> None:
    return None


def decide(
    gone: int | list[ConfigMap],
    owned: int = 100,
    *,
    is_empty: bool = False,
    hidden_in: Callable[[Ref, str], str | None] = seen,
    approved: frozenset[tuple[Ref, str]] = frozenset(),
) -> Pruning:
    objects = [live(number) for number in range(gone)] if isinstance(gone, int) else gone
    return prune(objects, owned=owned, is_empty=is_empty, hidden_in=hidden_in, approved=approved)


@pytest.mark.parametrize(
    ("gone", "owned", "is_empty", "deleted"),
    [
        pytest.param(1, 1, False, True, id="the only one"),
        pytest.param(10, 10, False, True, id="all of ten"),
        pytest.param(11, 21, False, False, id="more than half and more than ten"),
        pytest.param(11, 22, False, True, id="half"),
        pytest.param(11, 1000, False, True, id="few of many"),
        pytest.param(1, 1000, True, False, id="an empty folder"),
    ],
)
def test_what_looks_wrong_waits_for_a_word(gone: int, owned: int, is_empty: bool, deleted: bool) -> None:
    pruning = decide(gone, owned, is_empty=is_empty)
    assert (len(pruning.deletes), len(pruning.held_back)) == ((gone, 0) if deleted else (0, gone))
    assert all(one.approvable for one in pruning.held_back)


def test_an_approval_is_of_the_set_that_was_shown() -> None:
    shown = frozenset((one.ref, one.uid) for one in decide(20, 20).held_back)
    assert len(decide(20, 20, approved=shown).deletes) == 20
    assert len(decide(19, 20, approved=shown).deletes) == 19
    grown = decide(21, 21, approved=shown)
    assert (len(grown.deletes), len(grown.held_back)) == (0, 21)


def test_an_approval_does_not_reach_an_object_that_was_made_anew() -> None:
    shown = frozenset((one.ref, "another") for one in decide(20, 20).held_back)
    assert not decide(20, 20, approved=shown).deletes


def test_an_object_can_forbid_its_pruning() -> None:
    pruning = decide([live(1, **{PRUNE: "false"}), live(2)])
    assert [one.ref.name for one in pruning.deletes] == ["c2"]
    assert [(one.ref.name, one.approvable) for one in pruning.held_back] == [("c1", False)]


def test_an_object_that_a_broken_file_may_still_hold_stays() -> None:
    def hidden_in(_: Ref, last_file: str) -> str | None:
        return last_file if last_file == "broken.yaml" else None

    pruning = decide([live(1, **{SOURCE: "broken.yaml:3"}), live(2, **{SOURCE: "fine.yaml:3"})], hidden_in=hidden_in)
    assert [one.ref.name for one in pruning.deletes] == ["c2"]
    assert "broken.yaml has faults" in pruning.held_back[0].reason


def test_deletes_name_the_uid_that_was_seen() -> None:
    assert [one.uid for one in decide(1).deletes] == ["u0"]


def test_what_is_ending_already_is_not_deleted_again() -> None:
    ending = ConfigMap(metadata=ObjectMeta(name="x", namespace="default", uid="u", deletion_timestamp=NOW))
    assert decide([ending]) == Pruning()


@given(st.integers(0, 40), st.integers(0, 60), st.integers(0, 30), st.booleans())
@settings(max_examples=80, deadline=None)
def test_every_object_is_either_deleted_or_held_back_and_never_too_many_go(
    gone: int, more: int, count: int, is_empty: bool
) -> None:
    objects, owned = [live(number) for number in range(gone)], gone + more
    pruning = prune(objects, owned=owned, is_empty=is_empty, hidden_in=seen, limits=Limits(count=count))
    assert len(pruning.deletes) + len(pruning.held_back) == gone
    assert len(pruning.deletes) <= max(count, owned / 2)
    assert not (is_empty and pruning.deletes)
