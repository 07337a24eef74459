"""Other resources for a pod that runs, by the `resize` subresource."""

import json
from typing import Any

import pytest
from msgspec import structs

from reconciler.api.resizing import faults, with_resources
from reconciler.store.changes import UpdateStatus
from schemas.core.container import ResourceRequirements
from schemas.core.pod import Pod
from schemas.core.podstatus import ContainerStatus
from schemas.defaults import defaulted
from tests.unit.reconciler.api.builders import object_of
from tests.unit.reconciler.api.conftest import Served, created

HAS = {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"cpu": "500m", "memory": "64Mi"}}


def pod(resources: dict[str, Any] = HAS, **more: Any) -> Pod:  # noqa: ANN401 - as YAML
    containers = [{"name": "main", "image": "app:1", "resources": resources}]
    spec = {"containers": containers, "nodeName": "n1", **more}
    made = defaulted(object_of({"kind": "Pod", "metadata": {"name": "web", "namespace": "default"}, "spec": spec}))
    assert isinstance(made, Pod)
    told = ContainerStatus("app:1", "x", "main", True, 0, resources=ResourceRequirements())
    return structs.replace(made, status=structs.replace(made.status, container_statuses=(told,)))


def said(new: Pod, old: Pod) -> list[tuple[str, str]]:
    return [(".".join(map(str, fault.path)), fault.message) for fault in faults(new, old)]


@pytest.mark.parametrize(
    ("resources", "messages"),
    [
        pytest.param(HAS, [], id="nothing"),
        pytest.param(HAS | {"requests": {"cpu": "200m", "memory": "64Mi"}}, [], id="more"),
        pytest.param(HAS | {"limits": {"cpu": "400m", "memory": "32Mi"}}, [], id="less"),
        pytest.param(HAS | {"limits": {"cpu": "500m"}}, ["resource limits cannot be removed"], id="a limit goes"),
        pytest.param(
            HAS | {"requests": HAS["requests"] | {"ephemeral-storage": "1Gi"}},
            ["only cpu and memory resources are mutable"],
            id="another resource",
        ),
        pytest.param(
            {"requests": HAS["limits"], "limits": HAS["limits"]},
            ["Pod QOS Class may not change as a result of resizing"],
            id="another quality",
        ),
    ],
)
def test_cpu_and_memory_may_change_and_nothing_else(resources: dict[str, Any], messages: list[str]) -> None:
    found = [message for _, message in said(pod(resources), pod())]
    assert len(found) == len(messages)
    assert all(message in text for message, text in zip(messages, found, strict=True))


def test_a_pod_of_which_no_node_tells_cannot_be_resized() -> None:
    old = pod()
    silent = structs.replace(old, status=structs.replace(old.status, container_statuses=()))
    ((path, message),) = said(pod(HAS | {"limits": {"cpu": "1", "memory": "64Mi"}}), silent)
    assert (path, message.endswith("Pod running on node without support for resize")) == ("spec", True)


def test_sidecars_may_change_and_init_containers_not() -> None:
    def with_init(cpu: str, **fields: str) -> Pod:
        init = {"name": "init", "image": "app:1", "resources": {"limits": {"cpu": cpu}}, **fields}
        return pod(initContainers=[init])

    assert said(with_init("2", restartPolicy="Always"), with_init("1", restartPolicy="Always")) == []
    ((path, message),) = said(with_init("2"), with_init("1"))
    assert path == "spec.initContainers.0"
    assert "only cpu and memory resources for containers and sidecar containers are mutable" in message


def test_only_resources_are_taken_over() -> None:
    given = pod(HAS | {"limits": {"cpu": "1", "memory": "64Mi"}}, nodeName="elsewhere")
    taken = with_resources(pod(), given)
    assert isinstance(taken, Pod)
    assert taken.spec.node_name == "n1"
    assert taken.spec.containers[0].resources.limits["cpu"] == "1"


async def test_kubectl_resizes_a_pod(served: Served) -> None:
    spec = {"containers": [{"name": "c", "image": "nginx:1.25", "resources": HAS}], "nodeName": "n1"}
    await served.apply(created("Pod", "sized", spec=spec))
    stored = served.find("Pod", "sized")
    told = ContainerStatus("nginx:1.25", "x", "c", True, 0, resources=stored.spec.containers[0].resources)
    await served.apply(
        UpdateStatus(
            structs.replace(
                stored, status=structs.replace(stored.status, container_statuses=(told,), qos_class="Burstable")
            )
        )
    )
    change = {"spec": {"containers": [{"name": "c", "resources": {"limits": {"cpu": "1"}}}]}}
    patch = ("patch", "pod", "sized", "--subresource", "resize", "--patch")
    await served.kubectl(*patch, json.dumps(change))
    resized = served.find("Pod", "sized")
    assert resized.spec.containers[0].resources.limits["cpu"] == "1"
    assert resized.metadata.generation == stored.metadata.generation + 1
    refused = await served.try_kubectl(
        *patch, json.dumps({"spec": {"containers": [{"name": "c", "resources": {"limits": {"cpu": "10m"}}}]}})
    )
    assert refused.code != 0
    assert "must be less than or equal to cpu limit" in refused.err
    other = await served.try_kubectl(
        "patch",
        "pod",
        "sized",
        "--patch",
        json.dumps(change | {"spec": {"containers": [{"name": "c", "resources": {"limits": {"cpu": "2"}}}]}}),
    )
    assert other.code != 0  # only by the subresource
