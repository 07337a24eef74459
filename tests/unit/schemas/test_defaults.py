from typing import Any

import pytest
from msgspec import structs

from schemas.apps import Deployment
from schemas.autoscaling import HorizontalPodAutoscaler
from schemas.batch import CronJob, Job
from schemas.core.config import Namespace, Secret
from schemas.core.pod import Pod
from schemas.core.service import Service
from schemas.defaults import defaulted
from schemas.defaults.jobs import identity
from schemas.meta import Object
from tests.unit.schemas.build import autoscaler, cron_job, decoded, deployment, document, job, pod

EVERYTHING: dict[str, Any] = {
    "env": [{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}}],
    "livenessProbe": {"httpGet": {"port": 80}},
    "ports": [{"containerPort": 80}],
    "resources": {"limits": {"cpu": "0.5", "memory": "65536Ki"}},
}
OBJECTS = [
    pytest.param(pod(EVERYTHING, hostNetwork=True, volumes=[{"name": "v"}]), id="pod"),
    pytest.param(deployment(), id="deployment"),
    pytest.param(document("v1", "Secret", stringData={"a": "b"}), id="secret"),
    pytest.param(document("v1", "Service", spec={"type": "LoadBalancer", "ports": [{"port": 80}]}), id="service"),
    pytest.param(document("v1", "Namespace"), id="namespace"),
    pytest.param(document("v1", "Node", status={"capacity": {"cpu": "2000m"}}), id="node"),
]


@pytest.mark.parametrize("written", OBJECTS)
def test_defaults_are_filled_in_once(written: dict[str, Any]) -> None:
    once = decoded(written)
    assert defaulted(once) == once


def of(written: dict[str, Any], type_: type[Object]) -> Any:  # noqa: ANN401
    found = decoded(written)
    assert isinstance(found, type_)
    return found


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        pytest.param("nginx", "Always", id="no tag"),
        pytest.param("nginx:latest", "Always", id="latest"),
        pytest.param("nginx:1.25", "IfNotPresent", id="a tag"),
        pytest.param("host:5000/nginx", "Always", id="a port is no tag"),
        pytest.param("host:5000/nginx:1", "IfNotPresent", id="a port and a tag"),
        pytest.param("nginx@sha256:" + "0" * 64, "IfNotPresent", id="a digest"),
    ],
)
def test_an_image_is_pulled_by_its_tag(image: str, policy: str) -> None:
    assert of(pod({"image": image}), Pod).spec.containers[0].image_pull_policy == policy


def test_requests_of_a_pod_follow_its_limits_but_those_of_a_template_do_not() -> None:
    resources = {"resources": {"limits": {"cpu": "0.5", "memory": "1Gi"}, "requests": {"cpu": "100m"}}}
    assert of(pod(resources), Pod).spec.containers[0].resources.requests == {"cpu": "100m", "memory": "1Gi"}
    written = deployment()
    written["spec"]["template"]["spec"]["containers"][0] |= resources
    assert of(written, Deployment).spec.template.spec.containers[0].resources.requests == {"cpu": "100m"}


def test_a_pod_with_limits_as_a_whole_requests_what_its_containers_do_else_as_much() -> None:
    written = pod({"resources": {"requests": {"cpu": "100m"}, "limits": {"cpu": "1"}}})
    written["spec"]["resources"] = {"limits": {"cpu": "2", "memory": "64Mi"}}
    found = of(written, Pod).spec.resources
    assert found is not None
    assert found.requests == {"cpu": "100m", "memory": "64Mi"}
    written["spec"]["resources"] = {"requests": {"cpu": "2"}}
    found = of(written, Pod).spec.resources
    assert found is not None
    assert found.requests == {"cpu": "2"}


def test_a_negative_grace_period_is_the_shortest() -> None:
    assert of(pod(terminationGracePeriodSeconds=-5), Pod).spec.termination_grace_period_seconds == 1
    assert of(pod(terminationGracePeriodSeconds=0), Pod).spec.termination_grace_period_seconds == 0


def test_the_texts_of_a_secret_become_its_data() -> None:
    secret = of(document("v1", "Secret", data={"a": "YQ==", "b": "Yg=="}, stringData={"a": "ä"}), Secret)
    assert (secret.data, secret.string_data, secret.type) == ({"a": "ä".encode(), "b": b"b"}, {}, "Opaque")


def test_a_namespace_is_labelled_and_finalized_until_it_ends() -> None:
    namespace = of(document("v1", "Namespace"), Namespace)
    assert namespace.metadata.labels == {"kubernetes.io/metadata.name": "a"}
    assert namespace.spec.finalizers == ("kubernetes",)
    ending = structs.replace(
        namespace,
        metadata=structs.replace(namespace.metadata, deletion_timestamp="2026-01-01T00:00:00Z"),
        spec=structs.replace(namespace.spec, finalizers=()),
    )
    assert defaulted(ending).spec.finalizers == ()


def test_a_rollout_may_leave_out_either_bound() -> None:
    strategy = of(deployment(strategy={"rollingUpdate": {"maxSurge": 0}}), Deployment).spec.strategy
    assert (strategy.rolling_update.max_surge, strategy.rolling_update.max_unavailable) == (0, "25%")


def test_a_service_without_address_has_no_traffic_policy() -> None:
    spec = of(document("v1", "Service", spec={"type": "ExternalName", "externalName": "x.y"}), Service).spec
    assert (spec.internal_traffic_policy, spec.external_traffic_policy) == ("", "")


STORED = {"name": "a", "uid": "u"}


def test_a_job_is_labelled_with_its_uid_once_it_has_one() -> None:
    made = identity("a", "u")
    assert of(job(), Job).spec.selector is None
    stored = of({**job(), "metadata": STORED}, Job)
    assert stored.spec.selector.match_labels == {"batch.kubernetes.io/controller-uid": "u"}
    assert stored.metadata.labels == stored.spec.template.metadata.labels == made
    declared = of({**job(), "metadata": {**STORED, "labels": {"of": "mine"}}}, Job)
    assert (declared.metadata.labels, declared.spec.template.metadata.labels) == ({"of": "mine"}, made)


def test_a_job_with_a_selector_of_its_own_is_left_alone() -> None:
    written = {**job(manualSelector=True, selector={"matchLabels": {"a": "b"}}), "metadata": STORED}
    spec = of(written, Job).spec
    assert (spec.selector.match_labels, spec.template.metadata.labels) == ({"a": "b"}, {})


def test_a_job_that_is_still_to_be_made_is_left_open() -> None:
    written = cron_job()
    written["spec"]["jobTemplate"]["spec"]["podFailurePolicy"] = {
        "rules": [{"action": "Ignore", "onPodConditions": [{"type": "A"}]}]
    }
    spec = of(written, CronJob).spec.job_template.spec
    assert (spec.backoff_limit, spec.completions, spec.suspend) == (None, None, None)
    assert spec.pod_failure_policy.rules[0].on_pod_conditions[0].status == "True"
    assert spec.template.spec.dns_policy == "ClusterFirst"


def test_an_autoscaler_may_leave_out_how_it_scales_down() -> None:
    behavior = of(autoscaler(behavior={"scaleUp": {"tolerance": "0.10"}}), HorizontalPodAutoscaler).spec.behavior
    assert (behavior.scale_up.tolerance, behavior.scale_up.stabilization_window_seconds) == ("100m", 0)
    assert [policy.type for policy in behavior.scale_up.policies] == ["Pods", "Percent"]
    assert [policy.type for policy in behavior.scale_down.policies] == ["Percent"]
    assert behavior.scale_down.stabilization_window_seconds is None
