"""Old API versions: what they become, and where the faults of the new document were written."""

import re
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.manifests.documents import load
from schemas.conversion import convert
from schemas.decode import decode
from schemas.kinds import BY_GROUP_VERSION_KIND
from tests.unit.schemas.oracle import shared

POD = "spec: {containers: [{name: c, image: i}]}"
LABELLED = f"template: {{metadata: {{labels: {{app: web}}}}, {POD}}}"


def converted(text: str) -> dict[str, Any]:
    """The newer document, which has to be sound, less what it has in common with every other."""
    document = yaml.safe_load(text)
    found = convert(document["apiVersion"], document["kind"], document)
    assert found is not None
    assert found.document["apiVersion"] == found.api_version
    decoded = decode(BY_GROUP_VERSION_KIND[found.api_version, document["kind"]], found.document)
    assert decoded.faults == ()
    return found.document


@pytest.mark.parametrize(
    ("version", "kind", "implied"),
    [
        pytest.param(
            "extensions/v1beta1",
            "Deployment",
            {
                "strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}},
                "progressDeadlineSeconds": 2147483647,
            },
            id="the oldest deployment",
        ),
        pytest.param("apps/v1beta1", "Deployment", {"revisionHistoryLimit": 2}, id="deployment"),
        pytest.param("extensions/v1beta1", "DaemonSet", {"updateStrategy": {"type": "OnDelete"}}, id="daemon set"),
        pytest.param("extensions/v1beta1", "ReplicaSet", {}, id="replica set"),
        pytest.param("apps/v1beta1", "StatefulSet", {"updateStrategy": {"type": "OnDelete"}}, id="stateful set"),
    ],
)
def test_what_an_old_workload_implied_is_written_out(version: str, kind: str, implied: dict[str, Any]) -> None:
    text = f"apiVersion: {version}\nkind: {kind}\nmetadata: {{name: web}}\nspec: {{{LABELLED}}}\n"
    document = converted(text)
    template = document["spec"].pop("template")
    assert document == {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": "web", "labels": {"app": "web"}},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, **implied},
    }
    assert template["metadata"]["labels"] == {"app": "web"}


def test_what_an_old_workload_says_itself_holds() -> None:
    spec = (
        f"{LABELLED}, selector: {{matchLabels: {{app: web}}}}, progressDeadlineSeconds: 60, "
        "strategy: {type: Recreate}, rollbackTo: {revision: 1}"
    )
    document = converted(
        f"apiVersion: extensions/v1beta1\nkind: Deployment\nmetadata: {{name: w, labels: {{a: b}}}}\nspec: {{{spec}}}\n"
    )
    assert document["metadata"]["labels"] == {"a": "b"}
    assert document["spec"]["strategy"] == {"type": "Recreate"}
    assert document["spec"]["progressDeadlineSeconds"] == 60
    assert "rollbackTo" not in document["spec"]


INGRESS = """
apiVersion: networking.k8s.io/v1beta1
kind: Ingress
metadata:
  name: web
  annotations: {kubernetes.io/ingress.class: traefik}
spec:
  backend: {serviceName: fallback, servicePort: http}
  tls: [{hosts: [a.example.com], secretName: t}]
  rules:
  - host: a.example.com
    http:
      paths:
      - backend:
          serviceName: web
          servicePort: 80
      - path: /x
        pathType: Exact
        backend: {resource: {kind: Bucket, name: b, apiGroup: example.com}}
"""


def test_an_old_ingress_names_its_services_anew() -> None:
    document = converted(INGRESS)
    assert document["metadata"]["annotations"] == {"kubernetes.io/ingress.class": "traefik"}
    assert document["spec"]["defaultBackend"] == {"service": {"name": "fallback", "port": {"name": "http"}}}
    assert "backend" not in document["spec"]
    first, second = document["spec"]["rules"][0]["http"]["paths"]
    assert first == {
        "backend": {"service": {"name": "web", "port": {"number": 80}}},
        "pathType": "ImplementationSpecific",
    }
    assert second["pathType"] == "Exact"
    assert second["backend"]["resource"]["name"] == "b"


V2BETA1 = """
apiVersion: autoscaling/v2beta1
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  maxReplicas: 5
  metrics:
  - {type: Resource, resource: {name: cpu, targetAverageUtilization: 50}}
  - {type: Pods, pods: {metricName: packets, targetAverageValue: 1k}}
  - type: Object
    object: {metricName: requests, targetValue: 2k, target: {apiVersion: v1, kind: Service, name: main}}
  - type: External
    external: {metricName: depth, metricSelector: {matchLabels: {queue: q}}, targetAverageValue: 30}
"""


def test_old_metrics_are_nested() -> None:
    assert converted(V2BETA1)["spec"]["metrics"] == [
        {
            "type": "Resource",
            "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}},
        },
        {
            "type": "Pods",
            "pods": {"metric": {"name": "packets"}, "target": {"type": "AverageValue", "averageValue": "1k"}},
        },
        {
            "type": "Object",
            "object": {
                "describedObject": {"apiVersion": "v1", "kind": "Service", "name": "main"},
                "metric": {"name": "requests"},
                "target": {"type": "Value", "value": "2k"},
            },
        },
        {
            "type": "External",
            "external": {
                "metric": {"name": "depth", "selector": {"matchLabels": {"queue": "q"}}},
                "target": {"type": "AverageValue", "averageValue": 30},
            },
        },
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "apiVersion: autoscaling/v1\nkind: HorizontalPodAutoscaler\nmetadata: {name: a}\n"
            "spec: {maxReplicas: 3, targetCPUUtilizationPercentage: 70, scaleTargetRef: {kind: D, name: w}}\n",
            {
                "maxReplicas": 3,
                "scaleTargetRef": {"kind": "D", "name": "w"},
                "metrics": [
                    {
                        "type": "Resource",
                        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}},
                    }
                ],
            },
            id="the one metric of autoscaling/v1",
        ),
        pytest.param(
            "apiVersion: autoscaling/v1\nkind: HorizontalPodAutoscaler\nmetadata: {name: a}\n"
            "spec: {maxReplicas: 3, scaleTargetRef: {kind: D, name: w}}\n",
            {"maxReplicas": 3, "scaleTargetRef": {"kind": "D", "name": "w"}},
            id="no metric, whose default is the same",
        ),
        pytest.param(
            "apiVersion: policy/v1beta1\nkind: PodDisruptionBudget\nmetadata: {name: a}\n"
            "spec: {minAvailable: 1, selector: {}}\n",
            {"minAvailable": 1},
            id="an empty selector of a budget, which selected nothing",
        ),
        pytest.param(
            "apiVersion: policy/v1beta1\nkind: PodDisruptionBudget\nmetadata: {name: a}\n"
            "spec: {minAvailable: 1, selector: {matchLabels: {a: b}}}\n",
            {"minAvailable": 1, "selector": {"matchLabels": {"a": "b"}}},
            id="any other selector of a budget",
        ),
    ],
)
def test_the_meaning_of_a_specification_stays(text: str, expected: dict[str, Any]) -> None:
    assert converted(text)["spec"] == expected


def test_old_subjects_become_those_they_stood_for() -> None:
    document = converted(
        "apiVersion: rbac.authorization.k8s.io/v1alpha1\nkind: ClusterRoleBinding\nmetadata: {name: a}\n"
        "roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}\n"
        "subjects:\n- {kind: User, name: '*', apiVersion: rbac.authorization.k8s.io/v1alpha1}\n"
        "- {kind: ServiceAccount, name: a, namespace: n, apiVersion: v1}\n"
    )
    assert document["subjects"] == [
        {"kind": "Group", "name": "system:authenticated"},
        {"kind": "ServiceAccount", "name": "a", "namespace": "n"},
    ]


def test_the_topology_of_an_old_endpoint_is_taken_apart() -> None:
    document = converted(
        "apiVersion: discovery.k8s.io/v1beta1\nkind: EndpointSlice\nmetadata: {name: a}\naddressType: IPv4\n"
        "endpoints:\n- addresses: [192.0.2.1]\n"
        "  topology: {kubernetes.io/hostname: n, topology.kubernetes.io/zone: z, other: o}\n"
    )
    assert document["endpoints"] == [
        {"addresses": ["192.0.2.1"], "nodeName": "n", "zone": "z", "deprecatedTopology": {"other": "o"}}
    ]


@pytest.mark.parametrize(
    ("version", "kind"),
    [
        pytest.param("apps/v1", "Deployment", id="a version that is served"),
        pytest.param("policy/v1beta1", "PodSecurityPolicy", id="a kind that is gone"),
        pytest.param("extensions/v1beta2", "Deployment", id="a version that never was"),
    ],
)
def test_anything_else_is_not_converted(version: str, kind: str) -> None:
    assert convert(version, kind, {}) is None


def said(text: str) -> list[str]:
    return [str(fault) for fault in load("a.yaml", text.encode()).faults]


def test_the_version_to_write_is_named_with_what_has_to_be_added() -> None:
    text = f"apiVersion: apps/v1beta1\nkind: StatefulSet\nmetadata: {{name: db}}\nspec: {{{LABELLED}}}\n"
    assert said(text)[:1] == [
        "a.yaml:1: StatefulSet/db: apiVersion: apps/v1beta1 is an old version of StatefulSet; write apiVersion: "
        "apps/v1, and what the old one implied: spec.selector, spec.updateStrategy.type"
    ]
    assert {fault.severity for fault in load("a.yaml", text.encode()).faults} == {"warning"}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param(
            "serviceName: web\n",
            "serviceName: Web\n",
            "a.yaml:14: Ingress/web: spec.rules[0].http.paths[0].backend.serviceName: Invalid value",
            id="name of a service",
        ),
        pytest.param(
            "servicePort: 80\n",
            "servicePort: 70000\n",
            "a.yaml:15: Ingress/web: spec.rules[0].http.paths[0].backend.servicePort: Invalid value",
            id="port of a service",
        ),
        pytest.param(
            "serviceName: web\n",
            "serviceNme: web\n",
            "a.yaml:14: Ingress/web: spec.rules[0].http.paths[0].backend.serviceNme: unknown field",
            id="misspelt field",
        ),
        pytest.param(
            "servicePort: http}",
            "servicePort: [1]}",
            "a.yaml:7: Ingress/web: spec.backend.servicePort: expected an integer",
            id="value of a wrong type",
        ),
    ],
)
def test_a_fault_is_told_where_and_as_it_was_written(before: str, after: str, expected: str) -> None:
    text = INGRESS.strip("\n").replace(before, after) + "\n"
    assert any(line.startswith(expected) for line in said(text)), said(text)


def test_a_fault_of_what_was_implied_is_told_once_where_it_came_from() -> None:
    text = (
        "apiVersion: extensions/v1beta1\nkind: ReplicaSet\nmetadata: {name: web}\nspec:\n"
        f"  template:\n    metadata:\n      labels: {{app: 'a b'}}\n    {POD}\n"
    )
    found = [line for line in said(text) if "labels" in line]
    assert found
    assert all(line.startswith("a.yaml:7: ReplicaSet/web: spec.template.metadata.labels") for line in found)
    assert len(found) == len(set(found))


FIELDS = (
    "spec",
    "metadata",
    "labels",
    "template",
    "backend",
    "rules",
    "http",
    "paths",
    "strategy",
    "metrics",
    "resource",
    "pods",
    "object",
    "selector",
    "updateStrategy",
    "rollingUpdate",
    "type",
    "subjects",
    "kind",
    "endpoints",
    "topology",
    "annotations",
    "serviceName",
    "servicePort",
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(FIELDS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("version", "kind"),
    [
        ("extensions/v1beta1", "Deployment"),
        ("extensions/v1beta1", "DaemonSet"),
        ("extensions/v1beta1", "Ingress"),
        ("autoscaling/v1", "HorizontalPodAutoscaler"),
        ("autoscaling/v2beta1", "HorizontalPodAutoscaler"),
        ("policy/v1beta1", "PodDisruptionBudget"),
        ("rbac.authorization.k8s.io/v1alpha1", "RoleBinding"),
        ("discovery.k8s.io/v1beta1", "EndpointSlice"),
    ],
)
@given(
    rest=st.dictionaries(st.sampled_from(["spec", "metadata", "subjects", "endpoints"]), JSON, max_size=4),
)
@settings(max_examples=40)
def test_no_document_is_too_odd_and_none_is_changed_in_place(version: str, kind: str, rest: dict[str, Any]) -> None:
    document = {"apiVersion": version, "kind": kind, **rest}
    before = repr(document)
    found = convert(version, kind, document)
    assert found is not None
    assert repr(document) == before
    assert all(found.as_written(new)[: len(old)] == old for new, old in found.moved)


def old_documents() -> list[Any]:
    """What real repositories still hold."""
    try:
        files = sorted(shared("corpus").rglob("*.y*ml"))
    except pytest.skip.Exception as reason:
        return [pytest.param(b"", marks=pytest.mark.skip(reason=str(reason)), id="absent")]
    contents = [(file, file.read_bytes()) for file in files if file.is_file()]
    return [
        pytest.param(content, id=file.name)
        for file, content in contents
        if any(f"apiVersion: {version}\nkind: {kind}\n".encode() in content for version, kind in WILD)
    ]


WILD = (
    ("extensions/v1beta1", "Ingress"),
    ("networking.k8s.io/v1beta1", "Ingress"),
    ("autoscaling/v1", "HorizontalPodAutoscaler"),
    ("policy/v1beta1", "PodDisruptionBudget"),
    ("batch/v1beta1", "CronJob"),
)


@pytest.mark.parametrize("content", old_documents())
def test_what_real_repositories_still_hold_is_taken(content: bytes) -> None:
    # A placeholder of a template is no host name; what is around it has to be sound.
    state = load("a.yaml", re.sub(rb"\{\{.*?\}\}", b"1", content))
    old = {fault.object for fault in state.faults if "is an old version" in fault.message}
    assert old
    assert [str(fault) for fault in state.faults if fault.object in old and fault.severity == "error"] == []
