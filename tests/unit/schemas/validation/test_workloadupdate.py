from typing import Any

import pytest

from tests.unit.schemas.build import job, running
from tests.unit.schemas.validation.found import faults_of_change


def stateful_set(**spec: Any) -> dict[str, Any]:  # noqa: ANN401
    return running("StatefulSet", **spec)


def indexed(**spec: Any) -> dict[str, Any]:  # noqa: ANN401
    return job(**{"completionMode": "Indexed", "completions": 2, **spec})


def of(written: dict[str, Any], **pod: Any) -> dict[str, Any]:  # noqa: ANN401
    """The same Job with other pods."""
    spec = written["spec"]
    template = {**spec["template"], "spec": {**spec["template"]["spec"], **pod}}
    return {**written, "spec": {**spec, "template": template}}


def having(written: dict[str, Any], **status: Any) -> dict[str, Any]:  # noqa: ANN401
    return {**written, "status": status}


RESTING = job(suspend=True)
BEGUN = having(RESTING, startTime="2026-01-01T00:00:00Z", active=1)
STOPPED = having(RESTING, startTime="2026-01-01T00:00:00Z", conditions=[{"type": "Suspended", "status": "True"}])
SMALL = [{"name": "c", "image": "nginx", "resources": {"limits": {"cpu": "100m"}}}]
ELSEWHERE = {
    "nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "Exists"}]}]
        }
    }
}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(
            stateful_set(),
            stateful_set(
                replicas=3,
                ordinals={"start": 1},
                updateStrategy={"type": "OnDelete"},
                revisionHistoryLimit=1,
                minReadySeconds=1,
                persistentVolumeClaimRetentionPolicy={"whenDeleted": "Delete"},
            ),
            id="what a stateful set allows",
        ),
        pytest.param(running("DaemonSet"), running("DaemonSet", minReadySeconds=5), id="a daemon set"),
        pytest.param(
            job(), job(parallelism=3, completions=1, backoffLimit=1, activeDeadlineSeconds=5, suspend=True), id="a job"
        ),
        pytest.param(indexed(parallelism=2), indexed(completions=5, parallelism=5), id="an indexed job grows"),
        pytest.param(RESTING, of(RESTING, nodeSelector={"a": "b"}, tolerations=[{"operator": "Exists"}]), id="where"),
        pytest.param(RESTING, of(RESTING, affinity=ELSEWHERE), id="near what"),
        pytest.param(RESTING, of(RESTING, containers=SMALL), id="how much"),
        pytest.param(STOPPED, of(STOPPED, containers=SMALL), id="when all its pods are gone"),
        pytest.param(RESTING, of(job(), nodeSelector={"a": "b"}), id="as it goes on"),
    ],
)
def test_what_may_change_of_a_workload_may(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert faults_of_change(old, new) == []


STATEFUL_SET = (
    "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
    "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' "
    "are forbidden"
)
CONTAINERS = "spec.template: Invalid value: {…}: field is immutable; changed: spec.containers"


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        pytest.param(stateful_set(), stateful_set(serviceName="a"), STATEFUL_SET, id="the service"),
        pytest.param(
            stateful_set(),
            stateful_set(volumeClaimTemplates=[{"metadata": {"name": "a"}, "spec": {}}]),
            STATEFUL_SET,
            id="claims",
        ),
        pytest.param(stateful_set(), stateful_set(podManagementPolicy="Parallel"), STATEFUL_SET, id="pod management"),
        pytest.param(
            running("DaemonSet"),
            running("DaemonSet", selector={"matchLabels": {"app": "b"}}),
            'spec.selector: Invalid value: {"matchLabels":{"app":"b"}}: field is immutable',
            id="the selector of a daemon set",
        ),
        pytest.param(
            job(), job(completions=5), "spec.completions: Invalid value: 5: field is immutable", id="completions"
        ),
        pytest.param(
            indexed(),
            indexed(completions=5),
            "spec.completions: Invalid value: 5: can only be modified in tandem with spec.parallelism",
            id="indexes alone",
        ),
        pytest.param(
            indexed(),
            indexed(completionMode="NonIndexed"),
            'spec.completionMode: Invalid value: "NonIndexed": field is immutable',
            id="completion mode",
        ),
        pytest.param(
            job(managedBy="a/b"), job(), "spec.managedBy: Invalid value: null: field is immutable", id="manager"
        ),
        pytest.param(
            indexed(),
            indexed(successPolicy={"rules": [{"succeededCount": 1}]}),
            'spec.successPolicy: Invalid value: {"rules":[{"succeededCount":1}]}: field is immutable',
            id="success",
        ),
        pytest.param(job(), of(job(), containers=SMALL), CONTAINERS, id="a template"),
        pytest.param(
            job(),
            of(job(), nodeSelector={"a": "b"}),
            "spec.template: Invalid value: {…}: field is immutable; changed: spec.nodeSelector",
            id="where its pods go",
        ),
        pytest.param(BEGUN, of(BEGUN, containers=SMALL), CONTAINERS, id="while a pod of it ends"),
        pytest.param(
            RESTING,
            of(RESTING, containers=[{"name": "c", "image": "other"}]),
            CONTAINERS,
            id="what runs, even of one that rests",
        ),
    ],
)
def test_what_may_not_change_of_a_workload_is_refused(old: dict[str, Any], new: dict[str, Any], complaint: str) -> None:
    assert faults_of_change(old, new) == [complaint]
