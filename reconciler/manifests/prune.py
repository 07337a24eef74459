"""Which objects go because no file declares them any more, and which are held back, and why.

Pure. What cannot be undone waits for a word: a folder that vanished, a file that broke and a mistaken `git rm` must
not empty a fleet. An approval is of the set that was shown; should more be in it, all of it is held again.
"""

from collections.abc import Callable, Sequence

import msgspec

from reconciler.manifests.ownership import source_of
from reconciler.store.changes import Delete
from schemas.meta import Object, Ref, ref_of

PRUNE = "wherry.dev/prune"


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """A pass that would delete more than both of these is held back."""

    share: float = 0.5
    count: int = 10


class HeldBack(msgspec.Struct, frozen=True):
    """An object that is declared no more and stays. `approvable`: `wherry approve` lets it go."""

    ref: Ref
    uid: str
    reason: str
    approvable: bool = False


class Pruning(msgspec.Struct, frozen=True):
    """What is deleted, and what is not."""

    deletes: tuple[Delete, ...] = ()
    held_back: tuple[HeldBack, ...] = ()


def prune(
    undeclared: Sequence[Object],
    *,
    owned: int,
    is_empty: bool,
    hidden_in: Callable[[Ref, str], str | None],
    approved: frozenset[tuple[Ref, str]] = frozenset(),
    limits: Limits = Limits(),  # noqa: B008  # it is immutable
) -> Pruning:
    """Decides about live objects that the folder owns (`owned` in all) and that no file names any more.

    `is_empty`: the folder holds no manifest at all. `hidden_in` names the broken file that may still hold an object
    that was last in the given one. `approved` is the set of objects and uids that a person let go.
    """
    held: list[HeldBack] = []
    ready: list[Object] = []
    for live in undeclared:
        if live.metadata.deletion_timestamp is not None:
            continue
        if reason := _kept_for(live, hidden_in):
            held.append(HeldBack(ref_of(live), live.metadata.uid, reason))
        else:
            ready.append(live)
    reason = _suspicion(len(ready), owned, is_empty, limits)
    if reason and not {(ref_of(live), live.metadata.uid) for live in ready} <= approved:
        held += [HeldBack(ref_of(live), live.metadata.uid, reason, approvable=True) for live in ready]
        ready = []
    deletes = (Delete(ref_of(live), uid=live.metadata.uid) for live in ready)
    return Pruning(tuple(deletes), tuple(held))


def _kept_for(live: Object, hidden_in: Callable[[Ref, str], str | None]) -> str:
    if live.metadata.annotations.get(PRUNE) == "false":
        return f'its annotation {PRUNE} is "false"; delete it by hand, or change that first'
    if file := hidden_in(ref_of(live), source_of(live)):
        return f"{file} has faults and may still declare it; mend that file"
    return ""


def _suspicion(count: int, owned: int, is_empty: bool, limits: Limits) -> str:
    if not count:
        return ""
    if is_empty:
        return "the folder holds no manifest at all; approve if that is meant"
    if count > limits.count and count > owned * limits.share:
        return f"{count} of {owned} objects would be deleted at once; approve if that is meant"
    return ""
