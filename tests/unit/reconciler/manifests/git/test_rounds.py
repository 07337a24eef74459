"""The state machine of a git source, over everything that can happen to it."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from reconciler.manifests.git import rounds
from reconciler.manifests.git.answers import Remote, Trouble
from reconciler.manifests.git.rounds import Judgement, State, Step

REMOTES = [Remote(f"{tag}{commit}", commit) for commit in ("c1", "c2", "c3") for tag in ("", "t")]
SIGNED = {"c1", "tc2"}
remotes = st.sampled_from(REMOTES)


@st.composite
def lives(draw: st.DrawFn) -> list[tuple[State, str]]:
    """Some rounds with whatever may come of each step, and the keys of each."""
    state, seen = State(), []
    for _ in range(draw(st.integers(1, 8))):
        keys = draw(st.sampled_from(("", "k", "k2")))
        state = rounds.begun(state, keys)
        for _ in range(6):
            seen.append((state, keys))
            if state.step is Step.REST:
                break
            state = _after(draw, state)
        assert state.step is Step.REST, "a round ends"
    return seen


def _after(draw: st.DrawFn, state: State) -> State:
    if draw(st.integers(0, 3)) == 0:
        return rounds.failed(state, Trouble("it failed", draw(st.booleans())))
    match state.step:
        case Step.REPAIR:
            return rounds.repaired(state)
        case Step.ASK:
            return rounds.answered(state, draw(remotes))
        case Step.FETCH:
            return rounds.fetched(state, draw(remotes))  # it may have moved since it was asked for
        case Step.VERIFY:
            assert state.target is not None
            is_good = state.target.object in SIGNED
            reason = "" if is_good else "it is not signed"
            return rounds.judged(state, Judgement(state.target.object, state.keys, "ann" if is_good else "", reason))
        case _:
            if draw(st.booleans()):
                assert state.target is not None
                return rounds.judged(state, Judgement(state.target.object, state.keys, reason="it leads out"))
            return rounds.shown(state, "")


@given(lives())
def test_nothing_is_shown_that_was_not_signed_while_keys_were_listed(life: list[tuple[State, str]]) -> None:
    for (before, _), (after, keys) in pairwise(life):
        if after.shown != before.shown:
            assert before.step is Step.CHECK_OUT
            assert after.shown == before.target
            assert not keys or (after.shown is not None and after.shown.object in SIGNED)


@given(lives())
def test_what_is_shown_never_goes(life: list[tuple[State, str]]) -> None:
    for (before, _), (after, _) in pairwise(life):
        assert after.shown is not None or before.shown is None


@given(lives(), remotes)
def test_when_all_goes_well_the_signed_commit_of_the_remote_is_shown_and_then_nothing_is_done(
    life: list[tuple[State, str]], remote: Remote
) -> None:
    state = life[-1][0]
    for _ in range(2):
        state = rounds.begun(state, "k3")
        steps = []
        while state.step is not Step.REST:
            steps.append(state.step)
            match state.step:
                case Step.REPAIR:
                    state = rounds.repaired(state)
                case Step.ASK:
                    state = rounds.answered(state, remote)
                case Step.FETCH:
                    state = rounds.fetched(state, remote)
                case Step.VERIFY:
                    assert state.target is not None
                    reason = "" if state.target.object in SIGNED else "it is not signed"
                    state = rounds.judged(state, Judgement(state.target.object, "k3", "ann", reason))
                case _:
                    state = rounds.shown(state, "")
    assert steps == [Step.ASK]
    assert state.failures == 0
    if remote.object in SIGNED:
        assert (state.shown, state.error) == (remote, "")
    else:
        assert "it is not signed" in state.error


@given(st.integers(0, 1_000), st.floats(0, 1, exclude_max=True), st.floats(1, 86_400))
def test_a_failing_remote_is_asked_ever_more_seldom_but_every_five_minutes(
    failures: int, chance: float, interval: float
) -> None:
    seconds = rounds.rest_seconds(State(failures=failures), interval, chance)
    wanted = interval if not failures else min(rounds.RETRY_SECONDS * 2 ** (failures - 1), rounds.LONGEST_RETRY_SECONDS)
    assert wanted * 0.9 <= seconds <= wanted * 1.1


def test_the_signature_of_what_is_in_force_is_told_while_a_later_one_is_refused() -> None:
    state = State(
        shown=REMOTES[0], keys="k", accepted=Judgement("c1", "k", "ann"), refused=Judgement("c3", "k", "", "no")
    )
    assert rounds.signature(state) == "good: ann"
