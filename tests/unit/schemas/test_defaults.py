from typing import Any

import pytest
from msgspec import structs

from schemas.apps import Deployment
from schemas.core.config import Namespace, Secret
from schemas.core.pod import Pod
from schemas.core.service import Service
from schemas.defaults import defaulted
from schemas.meta import Object
from tests.unit.schemas.build import decoded, deployment, document, pod

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
