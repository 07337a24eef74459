"""Where the recordings of a real Kubernetes are, which the decisions are compared with.

They are no part of the project: the folder is named by `WHERRY_SHARED`, else it is `shared` beside the checkout.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

Json = Any
"""Of a case, as recorded."""

_BESIDE = Path(__file__).resolve().parents[4] / "shared"


def recorded(folder: str, mix: str) -> Iterator[Json]:
    """The cases of one file. Skips the test where the folder is not there."""
    path = Path(os.environ.get("WHERRY_SHARED", _BESIDE)) / folder / f"{mix}.jsonl"
    if not path.is_file():
        pytest.skip(f"no recordings: {path} is absent; set WHERRY_SHARED to the folder that holds {folder}")
    with path.open() as lines:
        yield from map(json.loads, lines)
