from typing import Any

import pytest

from schemas.validation import validate
from tests.unit.schemas.build import decoded, deployment, document, pod

V: dict[str, Any] = {"volumes": [{"name": "v"}]}


def mounted(**mount: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"volumeMounts": [{"name": "v", "mountPath": "/x", **mount}]}


def probed(**probe: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"livenessProbe": probe}


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(pod(), id="a plain pod"),
        pytest.param(pod(mounted(subPath="a/b", readOnly=True), **V), id="a mount"),
        pytest.param(pod(probed(tcpSocket={"port": "http"})), id="a probe by port name"),
        pytest.param(pod({"ports": [{"containerPort": 80, "name": "http"}, {"containerPort": 81}]}), id="ports"),
        pytest.param(pod(initContainers=[{"name": "i", "image": "x"}]), id="an init container"),
        pytest.param(pod(tolerations=[{"operator": "Exists"}]), id="tolerates everything"),
        pytest.param(deployment(), id="a deployment"),
        pytest.param(deployment(strategy={"type": "Recreate"}), id="recreated"),
        pytest.param(deployment(strategy={"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "10%"}}), id="no surge"),
        pytest.param(document("v1", "ConfigMap", data={"a.b-C_d": "x"}), id="a config map"),
        pytest.param(document("v1", "Secret", stringData={"a": "x"}), id="a secret"),
        pytest.param(document("v1", "Namespace"), id="a namespace"),
        pytest.param(document("v1", "Node"), id="a node"),
        pytest.param(document("v1", "Service", spec={"clusterIP": "None"}), id="a headless service without ports"),
        pytest.param(document("v1", "ServiceAccount"), id="a service account"),
    ],
)
def test_a_sound_object_has_no_faults(written: dict[str, Any]) -> None:
    assert validate(decoded(written)) == ()


CONTAINER = "spec.containers[0]"
TEMPLATE = "spec.template"


@pytest.mark.parametrize(
    ("written", "field", "words"),
    [
        pytest.param(pod({"name": "A"}), f"{CONTAINER}.name", "RFC 1123 label", id="container name"),
        pytest.param(pod({"name": "a.b"}), f"{CONTAINER}.name", "must not contain dots", id="dotted container name"),
        pytest.param(pod({"image": " x"}), f"{CONTAINER}.image", "whitespace", id="image with a space"),
        pytest.param(pod({"image": ""}), f"{CONTAINER}.image", "Required", id="no image"),
        pytest.param(pod({"imagePullPolicy": "No"}), f"{CONTAINER}.imagePullPolicy", "Unsupported", id="pull policy"),
        pytest.param(pod({"env": [{"name": "a=b"}]}), f"{CONTAINER}.env[0].name", "other than '='", id="env name"),
        pytest.param(
            pod({"env": [{"name": "A", "valueFrom": {}}]}), f"{CONTAINER}.env[0].valueFrom", "one of", id="no source"
        ),
        pytest.param(
            pod({"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels"}}}]}),
            f"{CONTAINER}.env[0].valueFrom.fieldRef.fieldPath",
            "Unsupported value",
            id="all labels in one variable",
        ),
        pytest.param(pod(mounted(name="w"), **V), f"{CONTAINER}.volumeMounts[0].name", "Not found", id="no volume"),
        pytest.param(pod(mounted(subPath="../a"), **V), f"{CONTAINER}.volumeMounts.subPath", "'..'", id="a way out"),
        pytest.param(
            pod(mounted(subPath="/a"), **V), f"{CONTAINER}.volumeMounts.subPath", "relative", id="absolute subPath"
        ),
        pytest.param(
            pod(mounted(mountPropagation="Bidirectional"), **V),
            f"{CONTAINER}.volumeMounts[0].mountPropagation",
            "only to privileged",
            id="propagation out of an ordinary container",
        ),
        pytest.param(pod(probed()), f"{CONTAINER}.livenessProbe", "must specify a handler", id="probe of nothing"),
        pytest.param(
            pod(probed(exec={"command": ["a"]}, timeoutSeconds=-1)),
            f"{CONTAINER}.livenessProbe.timeoutSeconds",
            "greater than or equal to 0",
            id="negative timeout",
        ),
        pytest.param(
            pod({"resources": {"requests": {"memory": "2Gi"}, "limits": {"memory": "1Gi"}}}),
            f"{CONTAINER}.resources.requests",
            "less than or equal to memory limit of 1Gi",
            id="request over limit",
        ),
        pytest.param(
            pod({"resources": {"limits": {"cpu": -1}}}),
            f"{CONTAINER}.resources.limits[cpu]",
            "equal to 0",
            id="below 0",
        ),
        pytest.param(pod(restartPolicy="Maybe"), "spec.restartPolicy", "Unsupported value", id="restart policy"),
        pytest.param(
            pod(volumes=[{"name": "a"}, {"name": "a"}]), "spec.volumes[1].name", "Duplicate", id="volume name"
        ),
        pytest.param(
            pod(volumes=[{"name": "a", "hostPath": {"path": "/a/../b"}}]),
            "spec.volumes[0].hostPath.path",
            "'..'",
            id="host path up",
        ),
        pytest.param(
            pod(volumes=[{"name": "a", "configMap": {"name": "x", "items": [{"key": "k", "path": "/etc/x"}]}}]),
            "spec.volumes[0].configMap.items[0].path",
            "relative",
            id="item outside the volume",
        ),
        pytest.param(deployment(replicas=-1), "spec.replicas", "equal to 0", id="negative replicas"),
        pytest.param(
            deployment(selector={"matchLabels": {"app": "b"}}),
            f"{TEMPLATE}.metadata.labels",
            "`selector` does not match",
            id="selector of another",
        ),
        pytest.param(deployment(selector={}), "spec.selector", "empty selector", id="empty selector"),
        pytest.param(
            deployment(strategy={"rollingUpdate": {"maxSurge": "0%", "maxUnavailable": 0}}),
            "spec.strategy.rollingUpdate.maxUnavailable",
            "may not be 0 when `maxSurge` is 0",
            id="no way to roll",
        ),
        pytest.param(
            deployment(strategy={"rollingUpdate": {"maxSurge": "a third"}}),
            "spec.strategy.rollingUpdate.maxSurge",
            "valid percent",
            id="no percent",
        ),
        pytest.param(document("v1", "ConfigMap", data={"a/b": ""}), "data[a/b]", "valid config key", id="config key"),
        pytest.param(document("v1", "Secret", stringData={"..a": ""}), "data[..a]", "start with '..'", id="secret key"),
        pytest.param(
            document("v1", "ConfigMap", data={"a": "x" * 2**20 + "x"}), "[]", "Too long", id="too much config"
        ),
        pytest.param(document("v1", "Secret", stringData={"a": "x" * 2**20 + "x"}), "data", "Too long", id="secret"),
        pytest.param(document("v1", "Secret", type="kubernetes.io/tls"), "data[tls.crt]", "Required", id="tls secret"),
        pytest.param(
            document("v1", "ConfigMap", metadata={"name": "a", "labels": {"a b": ""}}),
            "metadata.labels",
            "name part must consist",
            id="label key",
        ),
        pytest.param(
            document("v1", "ConfigMap", metadata={"name": "a", "annotations": {"a": "x" * 300_000}}),
            "metadata.annotations",
            "may not be more than 262144 bytes",
            id="annotations",
        ),
        pytest.param(document("v1", "ConfigMap", metadata={}), "metadata.name", "Required", id="no name"),
        pytest.param(document("v1", "Node", metadata={"name": "A"}), "metadata.name", "subdomain", id="node name"),
        pytest.param(
            document("v1", "Node", metadata={"name": "a", "namespace": "b"}),
            "metadata.namespace",
            "not allowed on this type",
            id="namespace of a node",
        ),
    ],
)
def test_a_broken_rule_names_field_and_rule(written: dict[str, Any], field: str, words: str) -> None:
    faults = [fault for fault in validate(decoded(written)) if fault.field == field]
    assert any(words in fault.message for fault in faults), validate(decoded(written))
    assert all(fault.severity == "error" for fault in faults)


def test_a_fraction_of_a_byte_is_only_warned_about() -> None:
    (fault, *_) = validate(decoded(pod({"resources": {"limits": {"memory": "100m"}}})))
    assert fault.severity == "warning"
    assert fault.field == "spec.containers[0].resources.limits[memory]"


def test_a_secret_is_not_shown() -> None:
    written = document("v1", "Secret", type="kubernetes.io/dockerconfigjson", stringData={".dockerconfigjson": "hush"})
    (fault,) = validate(decoded(written))
    assert "hush" not in str(fault)
