from typing import Any

import pytest

from tests.unit.schemas.build import document, running
from tests.unit.schemas.validation.found import faults, only_fault


def stateful_set(**spec: Any) -> dict[str, Any]:  # noqa: ANN401
    return running("StatefulSet", **spec)


def daemon_set(**spec: Any) -> dict[str, Any]:  # noqa: ANN401
    return running("DaemonSet", **spec)


def rolling(**bounds: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"rollingUpdate": bounds}


def mounting(*names: str) -> dict[str, Any]:
    mounts = [{"name": name, "mountPath": f"/{name}"} for name in names]
    container = {"name": "c", "image": "nginx", "volumeMounts": mounts}
    return {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [container]}}


CLAIM: dict[str, Any] = {
    "metadata": {"name": "data"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(stateful_set(), id="a stateful set without a service"),
        pytest.param(
            stateful_set(serviceName="a", podManagementPolicy="Parallel", ordinals={"start": 3}), id="parallel"
        ),
        pytest.param(stateful_set(updateStrategy={"type": "OnDelete"}), id="updated by deletion"),
        pytest.param(stateful_set(updateStrategy=rolling(partition=2, maxUnavailable="10%")), id="in part"),
        pytest.param(stateful_set(template=mounting("data"), volumeClaimTemplates=[CLAIM]), id="a claim is mounted"),
        pytest.param(daemon_set(), id="a daemon set"),
        pytest.param(daemon_set(updateStrategy=rolling(maxUnavailable=0, maxSurge=1)), id="surging"),
        pytest.param(daemon_set(updateStrategy=rolling(maxUnavailable="50%")), id="half at a time"),
    ],
)
def test_a_sound_set_has_no_faults(written: dict[str, Any]) -> None:
    assert faults(written) == []


TEMPLATE = "spec.template"


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        pytest.param(
            stateful_set(podManagementPolicy="Odd"),
            "spec.podManagementPolicy: Invalid value: \"Odd\": must be 'OrderedReady' or 'Parallel'",
            id="pod management",
        ),
        pytest.param(
            stateful_set(updateStrategy={"type": "OnDelete", **rolling(partition=1)}),
            'spec.updateStrategy.rollingUpdate: Invalid value: {"Partition":1,"MaxUnavailable":null}: '
            "only allowed for updateStrategy 'RollingUpdate'",
            id="a partition without a rolling update",
        ),
        pytest.param(
            stateful_set(updateStrategy=rolling(maxUnavailable=0)),
            "spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: 0: cannot be 0",
            id="none may be away",
        ),
        pytest.param(
            stateful_set(updateStrategy=rolling(maxUnavailable="101%")),
            'spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: "101%": must not be greater than 100%',
            id="more than all",
        ),
        pytest.param(
            stateful_set(serviceName="a.b"),
            'spec.serviceName: Invalid value: "a.b": must not contain dots',
            id="the service's name",
        ),
        pytest.param(
            stateful_set(template=mounting("other"), volumeClaimTemplates=[CLAIM]),
            'spec.template.spec.containers[0].volumeMounts[0].name: Not found: "other"',
            id="a mount without a claim",
        ),
        pytest.param(
            stateful_set(volumeClaimTemplates=[{**CLAIM, "metadata": {}}]),
            "spec.volumeClaimTemplates[0].metadata.name: Required value",
            id="a claim without a name",
        ),
        pytest.param(
            stateful_set(volumeClaimTemplates=[CLAIM, CLAIM]),
            'spec.volumeClaimTemplates[1].metadata.name: Duplicate value: "data"',
            id="a claim twice",
        ),
        pytest.param(
            stateful_set(volumeClaimTemplates=[{**CLAIM, "spec": {**CLAIM["spec"], "accessModes": []}}]),
            "spec.volumeClaimTemplates[0].spec.accessModes: Required value: at least 1 access mode is required",
            id="a claim that nobody may use",
        ),
        pytest.param(
            stateful_set(selector={}),
            "spec.selector: Invalid value: {}: empty selector is invalid for statefulset",
            id="picks everything",
        ),
        pytest.param(
            stateful_set(revisionHistoryLimit=-1),
            "spec.revisionHistoryLimit: Invalid value: -1: must be greater than or equal to 0",
            id="fewer revisions than none",
        ),
        pytest.param(
            daemon_set(updateStrategy=rolling(maxUnavailable="0%", maxSurge="0%")),
            "spec.updateStrategy.rollingUpdate.maxUnavailable: Required value: cannot be 0 when maxSurge is 0",
            id="no share at all",
        ),
        pytest.param(
            daemon_set(selector={}),
            "spec.selector: Invalid value: {}: empty selector is invalid for daemonset",
            id="runs everything",
        ),
        pytest.param(
            daemon_set(selector={"matchLabels": {"app": "b"}}),
            'spec.template.metadata.labels: Invalid value: {"app":"a"}: `selector` does not match template `labels`',
            id="other labels",
        ),
    ],
)
def test_a_broken_rule_of_sets_is_told_in_the_words_of_kubernetes(written: dict[str, Any], complaint: str) -> None:
    assert only_fault(written) == complaint


def test_a_claim_takes_the_place_of_a_volume_of_its_name() -> None:
    template = mounting("data")
    template["spec"]["volumes"] = [{"name": "data", "emptyDir": {}}]
    assert faults(stateful_set(template=template, volumeClaimTemplates=[CLAIM])) == []


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_pods_of_a_set_run_for_ever(kind: str) -> None:
    written = running(kind)
    written["spec"]["template"]["spec"] |= {"restartPolicy": "Never", "activeDeadlineSeconds": 5}
    assert faults(written) == [
        'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
        f"spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in {kind} is not Supported",
    ]


def test_the_name_of_a_stateful_set_is_part_of_host_names() -> None:
    assert only_fault({**stateful_set(), "metadata": {"name": "a.b"}}).endswith("must not contain dots")
    assert faults({**daemon_set(), "metadata": {"name": "a.b"}}) == []


REPLICATED: dict[str, Any] = {
    "metadata": {"labels": {"app": "a"}},
    "spec": {"containers": [{"name": "c", "image": "nginx"}]},
}


@pytest.mark.parametrize(
    ("written", "complaints"),
    [
        pytest.param(document("v1", "ReplicationController", spec={"template": REPLICATED}), [], id="by its labels"),
        pytest.param(
            document("v1", "ReplicationController", spec={"selector": {"app": "a"}}),
            ["spec.template: Required value"],
            id="no template",
        ),
        pytest.param(
            document("v1", "ReplicationController", spec={"template": {"spec": REPLICATED["spec"]}}),
            ["spec.selector: Required value"],
            id="nothing to pick by",
        ),
        pytest.param(
            document("v1", "ReplicationController", spec={"selector": {"app": "b"}, "template": REPLICATED}),
            ['spec.template.metadata.labels: Invalid value: {"app":"a"}: `selector` does not match template `labels`'],
            id="picks others",
        ),
        pytest.param(document("v1", "PodTemplate", template=REPLICATED), [], id="a pod template"),
        pytest.param(document("v1", "PodTemplate"), ["template.spec.containers: Required value"], id="empty"),
        pytest.param(
            document(
                "v1", "PodTemplate", template={"spec": {**REPLICATED["spec"], "ephemeralContainers": [{"name": "d"}]}}
            ),
            ["template.spec.ephemeralContainers: Forbidden: ephemeral containers not allowed in pod template"],
            id="a debugger that nobody called",
        ),
    ],
)
def test_the_oldest_workloads_have_the_same_rules(written: dict[str, Any], complaints: list[str]) -> None:
    assert faults(written) == complaints


@pytest.mark.parametrize(
    ("written", "complaints"),
    [
        pytest.param({"revision": 1, "data": {"a": 1}}, [], id="of anybody"),
        pytest.param({"revision": 1}, ["data: Required value: data is mandatory"], id="empty"),
        pytest.param(
            {"revision": -1, "data": {}},
            ["revision: Invalid value: -1: must be greater than or equal to 0"],
            id="before the first",
        ),
    ],
)
def test_a_revision_has_data_and_a_number(written: dict[str, Any], complaints: list[str]) -> None:
    assert faults(document("apps/v1", "ControllerRevision", **written)) == complaints
