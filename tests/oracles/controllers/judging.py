"""Whether a case is played as it was recorded, and where it goes another way."""

import importlib
import importlib.util
import json
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import msgspec

from tests.oracles.controllers.mix import Json, Mix
from tests.oracles.controllers.player import Player


class Difference(msgspec.Struct, frozen=True):
    """The first step that went another way, or why the case could not be played."""

    case: str
    step: int
    actions: Json
    expected: Sequence[Json]
    reached: Json

    def __str__(self) -> str:
        lines = [f"{self.case} step {self.step}: {json.dumps(self.actions)}"]
        lines += [
            f"  {'expected' if not index else '      or'} {_text(state)}" for index, state in enumerate(self.expected)
        ]
        return "\n".join([*lines, f"   reached {_text(self.reached)}"])


def _text(state: Json) -> str:
    return json.dumps(state, sort_keys=True)


@cache
def mix_named(name: str) -> Mix | None:
    """How cases of the mix are played, None where nobody has told yet."""
    module = f"tests.oracles.controllers.{name}"
    if not name.isidentifier() or importlib.util.find_spec(module) is None:
        return None
    found = getattr(importlib.import_module(module), "MIX", None)
    return found if isinstance(found, Mix) else None


def is_mix(name: str) -> bool:
    return mix_named(name) is not None


def cases(folder: Path, mix: str = "") -> Iterator[Json]:
    """All cases of the folder, or those of one mix, file by file."""
    for path in sorted(folder.glob("*.jsonl")):
        with path.open(encoding="utf-8") as lines:
            for case in map(json.loads, filter(str.strip, lines)):
                if not mix or case["mix"] == mix:
                    yield case


def difference(case: Json) -> Difference | None:
    """None where every step reached what was recorded."""
    mix, steps = mix_named(case["mix"]), case["steps"]
    if mix is None:
        return Difference(case["id"], 0, steps[0]["do"], (steps[0]["then"],), f"no such mix: {case['mix']}")
    player, time = Player(mix, auto=case["recorder"]["terminating"] == "auto"), 0.0
    for index, step in enumerate(steps):
        read_at = step.get("at", time + 1)
        try:
            reached = player.step(step["do"], read_at - time)
        except Exception as error:  # a controller that fails is a difference like any other
            reached = f"{type(error).__name__}: {error}"
        time = read_at
        expected = (step["then"], *step.get("or", ()))
        loose = index >= case.get("looseFrom", len(steps))
        if not any(_equal(mix, state, reached, loose=loose) for state in expected):
            return Difference(case["id"], index, step["do"], expected, reached)
    return None


def _equal(mix: Mix, expected: Json, reached: Json, *, loose: bool) -> bool:
    if isinstance(reached, str):
        return False
    expected = mix.recorded(expected)
    return bool(mix.loose(expected) == mix.loose(reached) if loose else expected == reached)
