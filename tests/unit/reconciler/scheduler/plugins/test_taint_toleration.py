"""https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/ and KEP-5471 (numbers)."""

import pytest

from tests.unit.reconciler.scheduler.plugins.asking import Json, fits, node, pod, refusals, scores

TAINT = {"key": "key1", "value": "value1", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("taints", "tolerations", "goes"),
    [
        pytest.param([], [], True, id="no taint"),
        pytest.param([TAINT], [], False, id="no toleration"),
        pytest.param([TAINT], [TAINT | {"operator": "Equal"}], True, id="equal"),
        pytest.param([TAINT], [TAINT], True, id="equal is the default operator"),
        pytest.param([TAINT], [TAINT | {"value": "value2"}], False, id="another value"),
        pytest.param([TAINT], [TAINT | {"effect": "NoExecute"}], False, id="another effect"),
        pytest.param([TAINT], [{"key": "key1", "operator": "Exists", "effect": "NoSchedule"}], True, id="exists"),
        pytest.param([TAINT], [{"key": "key1", "operator": "Exists"}], True, id="no effect matches all effects"),
        pytest.param([TAINT], [{"operator": "Exists"}], True, id="no key and exists tolerates everything"),
        pytest.param(
            [TAINT, TAINT | {"effect": "NoExecute"}, TAINT | {"key": "key2", "value": "value2"}],
            [TAINT, TAINT | {"effect": "NoExecute"}],
            False,
            id="of three taints one is left",
        ),
        pytest.param([TAINT | {"effect": "PreferNoSchedule"}], [], True, id="a preference keeps nobody off"),
        pytest.param([TAINT | {"effect": "NoExecute"}], [], False, id="what evicts lets nobody in either"),
        pytest.param(
            [{"key": "level", "value": "950", "effect": "NoSchedule"}],
            [{"key": "level", "operator": "Gt", "value": "900"}],
            True,
            id="greater than",
        ),
        pytest.param(
            [{"key": "level", "value": "900", "effect": "NoSchedule"}],
            [{"key": "level", "operator": "Gt", "value": "900"}],
            False,
            id="not greater than itself",
        ),
        pytest.param(
            [{"key": "level", "value": "high", "effect": "NoSchedule"}],
            [{"key": "level", "operator": "Lt", "value": "900"}],
            False,
            id="no number",
        ),
    ],
)
def test_every_taint_has_to_be_tolerated(taints: list[Json], tolerations: list[Json], goes: bool) -> None:
    assert bool(fits(pod(tolerations=tolerations), node(taints=taints))) == goes


def test_the_reason_names_no_taint() -> None:
    assert refusals(pod(), node(taints=[TAINT])) == {"n1": "TaintToleration: node(s) had untolerated taint(s)"}


def test_the_fewer_preferences_are_hurt_the_better() -> None:
    soft = [{"key": key, "effect": "PreferNoSchedule"} for key in "ab"]
    nodes = (node("none"), node("one", taints=soft[:1]), node("two", taints=soft))
    assert scores("TaintToleration", pod(), *nodes) == {"none": 300, "one": 150, "two": 0}
    tolerant = pod(tolerations=[{"key": "a", "operator": "Exists", "effect": "PreferNoSchedule"}])
    assert scores("TaintToleration", tolerant, *nodes) == {"none": 300, "one": 300, "two": 0}
