from typing import Any

import pytest

from schemas.validation import validate_update
from tests.unit.schemas.build import decoded, deployment, document, pod


def faults(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    return [str(fault) for fault in validate_update(decoded(new), decoded(old))]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(pod(), pod({"image": "nginx:2", "imagePullPolicy": "Always"}), id="the image of a pod"),
        pytest.param(pod(), pod(tolerations=[{"operator": "Exists"}]), id="one more toleration"),
        pytest.param(pod(activeDeadlineSeconds=5), pod(activeDeadlineSeconds=4), id="an earlier deadline"),
        pytest.param(deployment(), deployment(replicas=5, paused=True), id="the size of a deployment"),
        pytest.param(
            document("v1", "ConfigMap", data={"a": "1"}), document("v1", "ConfigMap", data={"a": "2"}), id="config"
        ),
        pytest.param(
            document("v1", "Secret", data={"a": "YQ=="}, immutable=True),
            document("v1", "Secret", stringData={"a": "a"}, immutable=True),
            id="the same secret, written otherwise",
        ),
    ],
)
def test_what_may_change_may(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert faults(old, new) == []


@pytest.mark.parametrize(
    ("old", "new", "field", "words"),
    [
        pytest.param(pod(), pod({"command": ["a"]}), "spec", "may not change fields other than", id="a command"),
        pytest.param(pod(), pod(nodeName="n"), "spec", "changed: nodeName", id="the node of a pod"),
        pytest.param(
            pod(tolerations=[{"operator": "Exists"}]), pod(), "spec.tolerations", "can not be modified", id="toleration"
        ),
        pytest.param(
            pod(activeDeadlineSeconds=4),
            pod(activeDeadlineSeconds=5),
            "spec.activeDeadlineSeconds",
            "less than or equal",
            id="a later deadline",
        ),
        pytest.param(
            deployment(),
            deployment(selector={"matchLabels": {"app": "b"}}),
            "spec.selector",
            "field is immutable",
            id="a selector",
        ),
        pytest.param(
            document("v1", "ConfigMap", data={"a": "1"}, immutable=True),
            document("v1", "ConfigMap", data={"a": "2"}, immutable=True),
            "data",
            "immutable when `immutable` is set",
            id="an immutable config map",
        ),
        pytest.param(
            document("v1", "Secret", immutable=True), document("v1", "Secret"), "immutable", "Forbidden", id="thawing"
        ),
        pytest.param(
            document("v1", "Secret", type="a"),
            document("v1", "Secret", type="b"),
            "type",
            "immutable",
            id="secret type",
        ),
        pytest.param(
            document("v1", "Service", spec={"clusterIP": "10.96.0.1"}),
            document("v1", "Service", spec={"clusterIP": "10.96.0.2"}),
            "spec.clusterIPs[0]",
            "may not change once set",
            id="a service address",
        ),
    ],
)
def test_what_may_not_change_is_refused(old: dict[str, Any], new: dict[str, Any], field: str, words: str) -> None:
    found = faults(old, new)
    assert len(found) == 1, found
    assert found[0].startswith(f"{field}: ")
    assert words in found[0]
