import json

import pytest

from tests.unit.reconciler.controllers.replay import Replay
from tests.unit.reconciler.recordings import Json, recorded

KNOWN_DIFFERENCES = {
    "deployment-a069": "the progress deadline of 4 s falls on the edge of a step",
    "deployment-a086": "the progress deadline of 3 s falls on the edge of a step",
}


@pytest.mark.parametrize("mix", ["deployment", "replicaset"])
def test_controllers_take_the_steps_of_the_real_controller_manager(mix: str) -> None:
    differs = [case["id"] for case in recorded("controller-cases", mix) if not _same(mix, case)]
    assert [each for each in differs if each not in KNOWN_DIFFERENCES] == []


def _same(mix: str, case: Json) -> bool:
    replay, time = Replay(mix, auto=case["recorder"]["terminating"] == "auto"), 0.0
    for index, step in enumerate(case["steps"]):
        read_at = step.get("at", time + 1)
        reached, time = replay.step(step["do"], read_at, time), read_at
        loose = index >= case.get("looseFrom", len(case["steps"]))
        accepted = [_comparable(state, loose=loose) for state in (step["then"], *step.get("or", ()))]
        if _comparable(reached, loose=loose) not in accepted:
            return False
    return True


def _comparable(state: Json, *, loose: bool) -> Json:
    """What the API refused is no affair of the controllers; `loose`: which of several equals was taken is open."""
    kept = {key: value for key, value in state.items() if key != "refused"}
    if loose:
        kept["pods"] = sorted(json.dumps(value) for value in kept["pods"].values())
    return kept
