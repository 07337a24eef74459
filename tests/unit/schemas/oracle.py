"""Where the recorded answers of a real Kubernetes lie, on machines that have them."""

import json
import os
from pathlib import Path
from typing import Any

import pytest


def shared(*parts: str) -> Path:
    """A path among the shared data; skips the test where there are none."""
    root = Path(os.environ.get("WHERRY_SHARED") or Path(__file__).parents[4] / "shared")
    if not root.is_dir():
        pytest.skip(f"no recorded Kubernetes answers at {root}; set WHERRY_SHARED")
    return root.joinpath(*parts)


def kubectl_steps(part: str) -> list[dict[str, Any]]:
    """The recorded kubectl invocations of one part."""
    with shared("transcripts", "kubectl.jsonl").open(encoding="utf-8") as lines:
        steps = [json.loads(line) for line in lines]
    return [step for step in steps if step["id"].startswith(f"{part}/")]
