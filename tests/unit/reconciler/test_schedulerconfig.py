from pathlib import Path

import pytest

from reconciler.config import load_config
from reconciler.scheduler.profile import DEFAULT_WEIGHTS, Profile
from schemas.configuration import BadConfiguration

_USUAL = "manifests: m\nbroker: {url: 'mqtt://localhost:1883'}\n"


def _profile(folder: Path, written: str) -> Profile:
    path = folder / "reconciler.yaml"
    path.write_text(f"{_USUAL}{written}")
    return load_config(path).scheduler.profile()


def test_weights_that_are_left_out_stay_as_they_are(tmp_path: Path) -> None:
    profile = _profile(tmp_path, "scheduler: {weights: {ImageLocality: 5}}")
    assert profile.weights == {**DEFAULT_WEIGHTS, "ImageLocality": 5}
    assert _profile(tmp_path, "") == Profile()


def test_nodes_can_be_filled_one_after_the_other(tmp_path: Path) -> None:
    written = "scheduler: {scoringStrategy: MostAllocated, resources: {cpu: 2, wherry.dev/gpio: 1}}"
    profile = _profile(tmp_path, written)
    assert (profile.strategy, profile.resources) == ("MostAllocated", {"cpu": 2, "wherry.dev/gpio": 1})


_RATIO = "scoringStrategy: RequestedToCapacityRatio"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        pytest.param("weights: {Locality: 1}", "scheduler.weights: there is no score 'Locality'", id="unknown score"),
        pytest.param("weights: {ImageLocality: 101}", "weights.ImageLocality: must be from 0 to 100", id="too much"),
        pytest.param("resources: {cpu: 0}", "resources.cpu: must be from 1 to 100", id="a resource of no weight"),
        pytest.param("scoringStrategy: Best", "scoringStrategy: 'Best' is unknown", id="unknown strategy"),
        pytest.param(_RATIO, "shape: give it with", id="a ratio without a shape"),
        pytest.param("shape: [{utilization: 0, score: 1}]", "shape: give it with", id="a shape without a ratio"),
        pytest.param(
            f"{_RATIO}, shape: [{{utilization: 9, score: 1}}, {{utilization: 9, score: 2}}]", "must grow", id="no line"
        ),
        pytest.param(f"{_RATIO}, shape: [{{utilization: 9, score: 11}}]", "from 0 to 10", id="a score too high"),
    ],
)
def test_what_cannot_be_is_told_with_its_field(tmp_path: Path, written: str, said: str) -> None:
    with pytest.raises(BadConfiguration, match=r"reconciler\.yaml: scheduler\..*") as raised:
        _profile(tmp_path, f"scheduler: {{{written}}}")
    assert said in str(raised.value)
