import json
from pathlib import Path

import pytest

from tests.oracles import controllers
from tests.oracles.controllers import judging
from tests.oracles.controllers.__main__ import main
from tests.unit.reconciler.recordings import Json, recorded

EVERY = 4
"""One case in so many is played here; `python -m tests.oracles.controllers DIR` plays all."""

MIXES = sorted(path.stem for path in Path(controllers.__file__).parent.glob("*.py") if judging.is_mix(path.stem))


@pytest.mark.parametrize("mix", MIXES)
def test_controllers_take_the_steps_of_the_real_controller_manager(mix: str) -> None:
    told = judging.mix_named(mix)
    assert told is not None
    differs = [found for case in [*recorded("controller-cases", mix)][::EVERY] if (found := judging.difference(case))]
    assert [str(found) for found in differs if found.case not in told.differences] == []


def test_the_program_ends_with_one_line_for_all_cases(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = {"replicas": 1, "selector": {"matchLabels": {"app": "a"}}}
    template = {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "c", "image": "a:1"}]}}
    create = {"create": {"kind": "ReplicaSet", "metadata": {"name": "a"}, "spec": {**asked, "template": template}}}
    status = {"replicas": 1, "fullyLabeledReplicas": 1, "terminatingReplicas": 0}
    then: Json = {"replicaSets": {"a": {"replicas": 1, "status": status}}, "pods": {}, "made": {"a": {"pending": 1}}}
    usual: Json = {"recorder": {"terminating": "auto"}, "runs": 2}
    cases = [
        {**usual, "id": "as-recorded", "mix": "replicaset", "steps": [{"do": [create], "then": then}]},
        {**usual, "id": "otherwise", "mix": "replicaset", "steps": [{"do": [create], "then": {**then, "made": {}}}]},
        {**usual, "id": "unheard-of", "mix": "elsewhere", "steps": [{"do": [create], "then": then}]},
    ]
    (tmp_path / "any.jsonl").write_text("\n".join(map(json.dumps, cases)) + "\n")
    monkeypatch.setattr("sys.argv", ["controllers", str(tmp_path), "-v"])
    assert main() == 0
    lines = capsys.readouterr().out.splitlines()
    assert json.loads(lines[-1]) == {"cases": 3, "equal": 1, "differs": ["otherwise", "unheard-of"]}
    assert json.loads(lines[-3]) == {"mix": "replicaset", "cases": 2, "equal": 1, "differs": ["otherwise"]}
