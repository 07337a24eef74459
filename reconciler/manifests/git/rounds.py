"""What a git source does next: a state machine over the results of its steps. Pure.

A round asks the remote where the reference is, and only where that differs from what is shown it fetches, verifies,
checks out and shows. Whatever fails ends the round with what is shown left as it is: it changes only by `shown`, to an
object that this round has fetched and, where keys are listed, verified.
"""

from enum import StrEnum

import msgspec
from msgspec.structs import replace

from reconciler.manifests.git.answers import Remote, Trouble

RETRY_SECONDS = 5.0
LONGEST_RETRY_SECONDS = 300.0
JITTER = 0.1
POKE_GAP_SECONDS = 2.0
"""Rounds that a webhook asks for are at least so far apart."""
MOST_PACKS = 20
"""Each fetch leaves a pack; with more than these the repository is packed anew."""


class Step(StrEnum):
    REST = "rest"
    REPAIR = "repair"
    ASK = "ask"
    FETCH = "fetch"
    VERIFY = "verify"
    CHECK_OUT = "check out"


class Judgement(msgspec.Struct, frozen=True):
    """Of one object under one set of keys: good and signed by `signer`, or not to be taken for a `reason`.

    A refusal is remembered, so that the object is not fetched again for as long as the keys are the same.
    """

    object: str
    keys: str
    signer: str = ""
    reason: str = ""


class State(msgspec.Struct, frozen=True):
    """`shown` is in force; `target` is what the round under way is about; `keys` marks the keys of this round.

    `note` is about the commit that is shown, `error` about why there is no later one.
    """

    step: Step = Step.REST
    shown: Remote | None = None
    target: Remote | None = None
    keys: str = ""
    accepted: Judgement | None = None
    refused: Judgement | None = None
    branch: str = ""
    failures: int = 0
    error: str = ""
    note: str = ""
    is_damaged: bool = False


def begun(state: State, keys: str) -> State:
    """A round begins. `keys` changes with the content of the listed keys, empty where nothing need be signed."""
    return replace(state, step=Step.REPAIR if state.is_damaged else Step.ASK, target=None, keys=keys)


def repaired(state: State) -> State:
    """Our repository was emptied; what is shown stays."""
    return replace(state, step=Step.ASK, is_damaged=False)


def answered(state: State, remote: Remote) -> State:
    """The remote said where the reference is."""
    state = replace(state, target=remote, branch=remote.branch or state.branch)
    shown = state.shown
    if shown is not None and (remote.object == shown.object or (remote.commit == shown.commit and not state.keys)):
        return _judged(state, shown)
    if refused := _known(state.refused, remote, state.keys):
        return _at_rest(state, _refusal(remote, refused))
    return replace(state, step=Step.FETCH)


def fetched(state: State, found: Remote) -> State:
    """It may have moved on since it was asked for: what was fetched counts."""
    return _judged(replace(state, target=found), found)


def judged(state: State, judgement: Judgement) -> State:
    """The target was looked at: its signature, or whether it can be used at all."""
    assert state.target is not None
    if judgement.reason:
        return _judged(replace(state, refused=judgement), state.target)
    return _judged(replace(state, accepted=judgement), state.target)


def shown(state: State, note: str) -> State:
    """The target is in force from now on."""
    return _at_rest(replace(state, shown=state.target, note=note), "")


def failed(state: State, trouble: Trouble) -> State:
    """The step failed; the round is over."""
    damaged = state.is_damaged or trouble.is_damage
    return replace(
        state, step=Step.REST, target=None, failures=state.failures + 1, error=trouble.text, is_damaged=damaged
    )


def _judged(state: State, target: Remote) -> State:
    """What comes after its signature is settled, or the settling."""
    if refused := _known(state.refused, target, state.keys):
        return _at_rest(state, _refusal(target, refused))
    if state.keys and _known(state.accepted, target, state.keys) is None:
        return replace(state, step=Step.VERIFY, target=target)
    if state.shown == target:
        return _at_rest(state, "")
    return replace(state, step=Step.CHECK_OUT, target=target)


def _known(judgement: Judgement | None, target: Remote, keys: str) -> Judgement | None:
    """The judgement where it is about this target, under these keys."""
    return judgement if judgement and (judgement.object, judgement.keys) == (target.object, keys) else None


def _refusal(target: Remote, judgement: Judgement) -> str:
    return f"commit {target.commit[:12]} is not taken: {judgement.reason}"


def _at_rest(state: State, error: str) -> State:
    return replace(state, step=Step.REST, target=None, failures=0, error=error)


def rest_seconds(state: State, interval: float, chance: float) -> float:
    """Until the next round. `chance` in [0, 1) keeps many reconcilers from asking at once."""
    seconds = interval
    if state.failures:
        seconds = min(RETRY_SECONDS * 2 ** min(state.failures - 1, 10), LONGEST_RETRY_SECONDS)
    return seconds * (1 + JITTER * (2 * chance - 1))


def signature(state: State) -> str:
    """Whose signature the shown commit bears, as far as it was asked for."""
    if not state.keys or state.shown is None:
        return ""
    if accepted := _known(state.accepted, state.shown, state.keys):
        return f"good: {accepted.signer}"
    refused = _known(state.refused, state.shown, state.keys)
    return f"not verified: {refused.reason}" if refused else ""
