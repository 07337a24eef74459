"""What kubectl makes up itself it sends in protobuf; the cluster has to hold what it meant."""

import json
from typing import Any

import msgspec
import pytest

from tests.unit.reconciler.api.conftest import Served

GENERATED = [
    pytest.param("Namespace made", "namespace made", {}, id="namespace"),
    pytest.param("ConfigMap made", "configmap made --from-literal=a=1", {"data": {"a": "1"}}, id="configmap"),
    pytest.param(
        "Secret made", "secret generic made --from-literal=a=1", {"data": {"a": "MQ=="}, "type": "Opaque"}, id="secret"
    ),
    pytest.param(
        "Secret made",
        "secret docker-registry made --docker-server=r.example --docker-username=u --docker-password=p",
        {"type": "kubernetes.io/dockerconfigjson"},
        id="docker secret",
    ),
    pytest.param(
        "Deployment made",
        "deployment made --image=nginx:1.25 --replicas=0 --port=80 -- sleep 1",
        {
            "spec.replicas": 0,
            "spec.selector.matchLabels": {"app": "made"},
            "spec.template.spec.containers": [{"name": "nginx", "image": "nginx:1.25", "command": ["sleep", "1"]}],
            "spec.template.spec.containers.0.ports": [{"containerPort": 80}],
        },
        id="deployment",
    ),
    pytest.param(
        "Job made", "job made --image=busybox -- true", {"spec.template.spec.restartPolicy": "Never"}, id="job"
    ),
    pytest.param(
        "CronJob made", "cronjob made --image=busybox --schedule=@hourly", {"spec.schedule": "@hourly"}, id="cronjob"
    ),
    pytest.param(
        "Role made",
        "role made --verb=get,list --resource=pods,deployments.apps --resource-name=web",
        {
            "rules": [
                {"apiGroups": [""], "resourceNames": ["web"], "resources": ["pods"], "verbs": ["get", "list"]},
                {"apiGroups": ["apps"], "resourceNames": ["web"], "resources": ["deployments"]},
            ]
        },
        id="role",
    ),
    pytest.param(
        "ClusterRole made",
        "clusterrole made --verb=get --non-resource-url=/metrics",
        {"rules": [{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}]},
        id="clusterrole",
    ),
    pytest.param(
        "RoleBinding made",
        "rolebinding made --clusterrole=view --user=alice --serviceaccount=default:robot",
        {
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
            "subjects": [{"kind": "User", "name": "alice"}, {"kind": "ServiceAccount", "namespace": "default"}],
        },
        id="rolebinding",
    ),
    pytest.param(
        "ClusterRoleBinding made",
        "clusterrolebinding made --clusterrole=view --group=dev",
        {"subjects": [{"kind": "Group", "name": "dev"}]},
        id="clusterrolebinding",
    ),
    pytest.param(
        "Service made",
        "service clusterip made --tcp=80:8080",
        {"spec.ports": [{"name": "80-8080", "port": 80, "targetPort": 8080, "protocol": "TCP"}]},
        id="service",
    ),
    pytest.param("Service made", "service nodeport made --tcp=80", {"spec.type": "NodePort"}, id="node port"),
    pytest.param(
        "Service made",
        "service externalname made --external-name=example.com",
        {"spec.externalName": "example.com"},
        id="external name",
    ),
    pytest.param(
        "Ingress made",
        "ingress made --rule=example.com/a*=web:http --class=own",
        {
            "spec.ingressClassName": "own",
            "spec.rules": [{"host": "example.com"}],
            "spec.rules.0.http.paths": [
                {"path": "/a", "pathType": "Prefix", "backend": {"service": {"name": "web", "port": {"name": "http"}}}}
            ],
        },
        id="ingress",
    ),
    pytest.param(
        "PodDisruptionBudget made",
        "poddisruptionbudget made --selector=app=web --min-available=50%",
        {"spec.minAvailable": "50%", "spec.selector.matchLabels": {"app": "web"}},
        id="budget",
    ),
    pytest.param(
        "ResourceQuota made",
        "quota made --hard=cpu=1500m,pods=3 --scopes=NotTerminating",
        {"spec.hard": {"cpu": "1500m", "pods": "3"}, "spec.scopes": ["NotTerminating"]},
        id="quota",
    ),
    pytest.param("ServiceAccount made", "serviceaccount made", {}, id="service account"),
    pytest.param(
        "PriorityClass made",
        "priorityclass made --value=-7 --description=low --preemption-policy=Never",
        {"value": -7, "description": "low", "preemptionPolicy": "Never"},
        id="priority",
    ),
]
CLUSTER_WIDE = ("Namespace", "ClusterRole", "ClusterRoleBinding", "PriorityClass")


@pytest.mark.parametrize(("name", "command", "expected"), GENERATED)
async def test_what_kubectl_generates_arrives(
    served: Served, name: str, command: str, expected: dict[str, Any]
) -> None:
    await served.kubectl("create", *command.split())
    kind, _, named = name.partition(" ")
    made = served.find(kind, named, "" if kind in CLUSTER_WIDE else "default")
    document = json.loads(msgspec.json.encode(made))
    for path, value in expected.items():
        assert holds(at(document, path), value), (path, at(document, path))


def at(document: Any, path: str) -> Any:  # noqa: ANN401
    for step in path.split("."):
        document = document[int(step)] if isinstance(document, list) else document.get(step)
    return document


def holds(found: Any, wanted: Any) -> bool:  # noqa: ANN401
    """Whether all that is wanted is there; what a default added besides is no matter."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(holds(found.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(found, list) and len(found) == len(wanted) and all(map(holds, found, wanted))
    return bool(found == wanted)


async def test_workloads_are_exposed_autoscaled_and_run(served: Served) -> None:
    await served.kubectl("expose", "deployment", "web", "--name=made", "--port=80", "--target-port=http")
    assert served.find("Service", "made").spec.ports[0].target_port == "http"
    await served.kubectl("autoscale", "deployment", "web", "--min=2", "--max=5", "--cpu=80%")
    assert served.find("HorizontalPodAutoscaler", "web").spec.max_replicas == 5
    await served.kubectl("run", "made", "--image=busybox", "--env=A=1", "--", "sleep", "1")
    assert served.find("Pod", "made").spec.containers[0].args == ("sleep", "1")


@pytest.mark.parametrize("where", ["client", "server"])
async def test_a_dry_run_shows_what_would_be_generated(served: Served, where: str) -> None:
    command = ("create", "deployment", "made", "--image=nginx", f"--dry-run={where}", "-o", "json")
    document = json.loads((await served.kubectl(*command)).out)
    assert document["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx"
    assert ("uid" in document["metadata"]) == (where == "server")
    assert served.find("Deployment", "made") is None
