"""Cases of https://kubernetes.io/docs/concepts/workloads/controllers/deployment/."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from reconciler.controllers.replicacounts import (
    Share,
    max_surge,
    max_unavailable,
    new_set_size,
    old_set_sizes,
    proportional_sizes,
)
from tests.unit.reconciler.controllers.builders import deployment, replica_set


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "expected"),
    [
        pytest.param(4, "25%", "25%", (1, 1), id="even"),
        pytest.param(3, "25%", "25%", (1, 0), id="surge rounds up, unavailable down"),
        pytest.param(10, 3, 2, (3, 2), id="numbers"),
        pytest.param(1, 0, "25%", (0, 1), id="both come to nothing: one may be missing"),
        pytest.param(3, "0%", "0%", (0, 1), id="both are nothing"),
        pytest.param(2, 1, 5, (1, 2), id="no more can be missing than there are"),
        pytest.param(0, 1, 1, (1, 0), id="nothing is wanted"),
        pytest.param(7, "100%", "0%", (7, 0), id="all twice"),
    ],
)
def test_bounds_of_a_rolling_update(
    replicas: int, surge: int | str, unavailable: int | str, expected: tuple[int, int]
) -> None:
    rolling = deployment(replicas, surge=surge, unavailable=unavailable)
    assert (max_surge(rolling), max_unavailable(rolling)) == expected


def test_recreate_has_no_bounds() -> None:
    recreate = deployment(4, strategy="Recreate")
    assert (max_surge(recreate), max_unavailable(recreate)) == (0, 0)


@pytest.mark.parametrize(
    ("old", "old_available", "new", "new_available", "expected"),
    [
        pytest.param(10, 10, 3, 0, 8, id="down to what may be missing"),
        pytest.param(8, 8, 5, 0, 8, id="waits for the new ones"),
        pytest.param(8, 8, 5, 5, 3, id="as many as are available anew"),
        pytest.param(10, 8, 3, 0, 8, id="the unhealthy first"),
        pytest.param(10, 12, 3, 0, 8, id="what is about to go is not counted on"),
        pytest.param(2, 2, 10, 10, 0, id="the last ones"),
    ],
)
def test_old_sets_shrink(old: int, old_available: int, new: int, new_available: int, expected: int) -> None:
    sizes = old_set_sizes(
        deployment(10, surge=3, unavailable=2),
        [replica_set("old", old, available=old_available)],
        replica_set("new", new, available=new_available),
    )
    assert sizes == {"old": expected}


@pytest.mark.parametrize(
    ("shares", "replicas", "surge", "expected"),
    [
        pytest.param([("a", 8, 13), ("b", 5, 13)], 15, 3, {"a": 11, "b": 7}, id="up, as in the documentation"),
        pytest.param([("a", 8, 13), ("b", 5, 13)], 5, 3, {"a": 5, "b": 3}, id="down"),
        pytest.param([("a", 8, 13), ("b", 5, 13)], 0, 3, {"a": 0, "b": 0}, id="to nothing"),
        pytest.param([("a", 8, 13), ("b", 5, 13)], 10, 3, {"a": 8, "b": 5}, id="no change"),
    ],
)
def test_sets_are_scaled_by_their_share(
    shares: list[tuple[str, int, int]], replicas: int, surge: int, expected: dict[str, int]
) -> None:
    assert proportional_sizes([Share(*one) for one in shares], replicas=replicas, surge=surge) == expected


@given(
    sizes=st.lists(st.integers(0, 30), min_size=1, max_size=5),
    replicas=st.integers(0, 40),
    surge=st.integers(0, 10),
    before=st.integers(1, 60),
)
def test_shares_add_up_to_what_is_allowed(sizes: list[int], replicas: int, surge: int, before: int) -> None:
    shares = [Share(f"s{index}", size, before) for index, size in enumerate(sorted(sizes, reverse=True)) if size]
    if not shares:
        return
    scaled = proportional_sizes(shares, replicas=replicas, surge=surge)
    assert sum(scaled.values()) >= (replicas + surge if replicas else 0)
    assert all(size >= 0 for size in scaled.values())


@given(
    replicas=st.integers(0, 20),
    surge=st.integers(0, 5),
    unavailable=st.integers(0, 5),
    old=st.lists(st.tuples(st.integers(0, 20), st.integers(0, 25)), max_size=4),
    new=st.tuples(st.integers(0, 20), st.integers(0, 25)),
)
def test_no_step_leaves_the_bounds(
    replicas: int, surge: int, unavailable: int, old: list[tuple[int, int]], new: tuple[int, int]
) -> None:
    rolling = deployment(replicas, surge=surge, unavailable=unavailable)
    olds = [replica_set(f"o{index}", size, available=ready) for index, (size, ready) in enumerate(old)]
    newest = replica_set("new", new[0], available=new[1])
    grown = new_set_size(rolling, [*olds, newest], newest)
    total = sum(size for size, _ in old)
    assert grown <= max(new[0], replicas + max_surge(rolling) - total)

    shrunk = old_set_sizes(rolling, olds, newest)
    assert all(0 <= shrunk[one.metadata.name] <= (one.spec.replicas or 0) for one in olds)
    before = sum(min(size, ready) for size, ready in (*old, new))
    left = min(new) + sum(min(shrunk[one.metadata.name], ready) for one, (_, ready) in zip(olds, old, strict=True))
    assert left >= min(before, replicas - max_unavailable(rolling))


def test_a_deployment_without_numbers_has_those_of_kubernetes() -> None:
    plain = deployment(8)
    strategy = structs.replace(plain.spec.strategy, type="", rolling_update=None)
    plain = structs.replace(plain, spec=structs.replace(plain.spec, strategy=strategy))
    assert (max_surge(plain), max_unavailable(plain)) == (2, 2)
