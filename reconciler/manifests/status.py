"""What the manifests' part says of itself: for `wherry status`, the API and the metrics."""

from datetime import datetime

import msgspec

from reconciler.manifests.documents import SourceFault
from reconciler.manifests.prune import HeldBack


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Only ever growing, since the start of the process."""

    passes: int = 0
    reads: int = 0
    parses: int = 0
    created: int = 0
    updated: int = 0
    deleted: int = 0
    put_back: int = 0
    """Of those created and updated, what had drifted through the API."""
    retries: int = 0


class SyncStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The folder and the cluster, after the last pass.

    `commit` is that of the folder's checkout, empty without one; `revision` the store's after the last pass that
    wrote. `objects` counts the declared ones. `holding` says why the folder is not taken in just now.
    """

    commit: str = ""
    revision: int = 0
    files: int = 0
    objects: int = 0
    faults: tuple[SourceFault, ...] = ()
    held_back: tuple[HeldBack, ...] = ()
    holding: str = ""
    watch_limit: str = ""
    last_pass: datetime | None = None
    last_pass_seconds: float = 0.0
    counts: Counts = Counts()
