"""Names for pods that a controller makes.

A name is made from the owner and the revision of the view, not by chance: a plan can be replayed, and the Event beside
the pod can name it.
"""

from collections.abc import Iterator

from reconciler.store.planning import SUFFIX_LENGTH, suffix_of
from reconciler.store.view import View
from schemas.core.pod import Pod
from schemas.meta import Object

LONGEST_PREFIX = 63 - SUFFIX_LENGTH


def free_suffixes(owner: Object, view: View) -> Iterator[str]:
    """Suffixes without end, each another one, in the same order whenever the view is at the same revision."""
    attempt = 0
    while True:
        yield _suffix(owner.metadata.uid, view.revision, attempt)
        attempt += 1


def free_name(prefix: str, namespace: str, suffixes: Iterator[str], view: View) -> str:
    """A name that no pod of the namespace has."""
    return next(
        name for suffix in suffixes if view.get(Pod, namespace, name := prefix[:LONGEST_PREFIX] + suffix) is None
    )


def _suffix(uid: str, revision: int, attempt: int) -> str:
    return suffix_of(f"{uid}/{revision}/{attempt}")
