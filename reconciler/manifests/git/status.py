"""What the git source says of itself, for `wherry status` and the API."""

from datetime import datetime

import msgspec


class GitStatus(msgspec.Struct, frozen=True, kw_only=True):
    """`commit` is in force since `fetched`; `error` says why there is no later one, or what is wrong with it.

    `signature` is empty where none is asked for, else `good: WHO` or `not verified: WHY`, of the commit in force.
    `failures` counts the attempts in a row that failed.
    """

    url: str
    ref: str
    path: str = ""
    commit: str = ""
    fetched: datetime | None = None
    asked: datetime | None = None
    error: str = ""
    signature: str = ""
    failures: int = 0
