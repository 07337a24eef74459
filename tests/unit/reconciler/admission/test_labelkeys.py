"""KEP-3243 and KEP-3633: label keys become part of the selectors of a pod that comes."""

import msgspec
import pytest

from reconciler.admission import labelkeys
from reconciler.store.cache import Cache
from schemas.core.pod import Pod

SPREAD = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def _spread(**more: object) -> object:
    return {"topologySpreadConstraints": [SPREAD | more]}


def _near(side: str, **more: object) -> object:
    return {"affinity": {side: {REQUIRED: [{"topologyKey": "zone"} | more]}}}


APP: dict[str, object] = {"matchLabels": {"app": "web"}}


def _and(key: str, operator: str, value: str) -> dict[str, object]:
    return APP | {"matchExpressions": [{"key": key, "operator": operator, "values": [value]}]}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        pytest.param(
            _spread(labelSelector=APP, matchLabelKeys=["hash"]),
            _spread(labelSelector=_and("hash", "In", "1"), matchLabelKeys=["hash"]),
            id="spread",
        ),
        pytest.param(
            _near("podAffinity", labelSelector=APP, matchLabelKeys=["hash"]),
            _near("podAffinity", labelSelector=_and("hash", "In", "1"), matchLabelKeys=["hash"]),
            id="affinity",
        ),
        pytest.param(
            _near("podAntiAffinity", labelSelector=APP, mismatchLabelKeys=["hash"]),
            _near("podAntiAffinity", labelSelector=_and("hash", "NotIn", "1"), mismatchLabelKeys=["hash"]),
            id="others than one's own revision",
        ),
        pytest.param(
            _spread(labelSelector=APP, matchLabelKeys=["absent"]),
            _spread(labelSelector=APP, matchLabelKeys=["absent"]),
            id="a key that the pod does not bear",
        ),
        pytest.param(
            _spread(matchLabelKeys=["hash"]), _spread(matchLabelKeys=["hash"]), id="nothing without a selector"
        ),
    ],
)
def test_label_keys_become_part_of_the_selector_once(written: object, expected: object) -> None:
    pod, then = _pod(written), _pod(expected)
    once = labelkeys.complete(pod, Cache(1))
    assert once == then
    assert labelkeys.complete(once, Cache(1)) == once


def test_preferred_terms_are_joined_too() -> None:
    term = {"topologyKey": "zone", "labelSelector": APP, "matchLabelKeys": ["hash"]}
    joined = term | {"labelSelector": _and("hash", "In", "1")}
    written, expected = (
        _pod({"affinity": {"podAffinity": {PREFERRED: [{"weight": 5, "podAffinityTerm": one}]}}})
        for one in (term, joined)
    )
    assert labelkeys.complete(written, Cache(1)) == expected


def _pod(spec: object) -> Pod:
    assert isinstance(spec, dict)
    metadata = {"name": "p", "namespace": "default", "labels": {"app": "web", "hash": "1"}}
    containers = [{"name": "c", "image": "app:1"}]
    return msgspec.convert({"metadata": metadata, "spec": spec | {"containers": containers}}, Pod)
