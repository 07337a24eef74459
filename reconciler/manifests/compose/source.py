"""What a project may ask of the folder that it lies in."""

from collections.abc import Callable, Sequence

import msgspec

MOST_LISTED = 500
"""Files of one folder that are made into a ConfigMap; a listing may stop behind them."""
Read = Callable[[str], bytes | None]
"""The content of a file, by its path in the source's folder; None where there is none."""
Listing = Callable[[str], Sequence[str]]
"""All files below a folder of the source (`.` is its own), by their paths in the source; none where there is none."""


def nothing_listed(folder: str) -> Sequence[str]:
    """For a caller that knows of single files only."""
    return ()


class Source(msgspec.Struct, frozen=True):
    """The folder, as values."""

    read: Read
    files: Listing = nothing_listed
