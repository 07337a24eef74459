from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.api.limits import Bounds, InFlight
from reconciler.api.status import StatusError
from reconciler.api.users import ADMIN, User

ALICE, BOB = User("alice"), User("bob")


def test_a_user_has_a_share_and_leaves_the_rest_to_others() -> None:
    flying = InFlight(Bounds(in_all=5, of_one=2))
    with ExitStack() as held:
        held.enter_context(flying.entered(ALICE))
        held.enter_context(flying.entered(ALICE))
        with pytest.raises(StatusError) as caught, flying.entered(ALICE):
            pass
        assert (caught.value.code, caught.value.reason) == (429, "TooManyRequests")
        assert caught.value.details == {"retryAfterSeconds": 1}
        held.enter_context(flying.entered(BOB))
        for _ in range(2):
            held.enter_context(flying.entered(ADMIN))
        with pytest.raises(StatusError), flying.entered(ADMIN):
            pass
    assert len(flying) == 0
    with flying.entered(ALICE):
        assert len(flying) == 1


@given(st.lists(st.tuples(st.sampled_from([ALICE, BOB, ADMIN]), st.booleans())))
def test_the_count_is_never_over_its_bounds_and_comes_back_to_nothing(steps: list[tuple[User, bool]]) -> None:
    flying = InFlight(Bounds(in_all=4, of_one=2))
    held: list[tuple[User, ExitStack]] = []
    for user, enters in steps:
        if enters:
            mine = sum(1 for other, _ in held if other == user)
            stack = ExitStack()
            fits = len(held) < 4 and (user.is_master or mine < 2)
            try:
                stack.enter_context(flying.entered(user))
            except StatusError:
                assert not fits
            else:
                assert fits
                held.append((user, stack))
        elif held:
            held.pop(0)[1].close()
        assert len(flying) == len(held)
    for _, stack in held:
        stack.close()
    assert len(flying) == 0
