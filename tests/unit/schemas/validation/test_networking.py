"""Rules of Ingresses, IngressClasses and NetworkPolicies that no recorded answer shows."""

from ipaddress import IPv4Network
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.shape import Json
from tests.unit.schemas.build import document
from tests.unit.schemas.validation.found import faults, faults_of_change

SERVICE = {"service": {"name": "s", "port": {"number": 80}}}


def ingress(*paths: dict[str, Any], **spec: Json) -> dict[str, Any]:
    rules = [{"http": {"paths": [{"pathType": "Prefix", "path": "/", "backend": SERVICE, **path} for path in paths]}}]
    return document("networking.k8s.io/v1", "Ingress", spec={"rules": rules, **spec})


def ingress_class(**spec: Json) -> dict[str, Any]:
    return document("networking.k8s.io/v1", "IngressClass", spec={"controller": "example.com/c", **spec})


def policy(**spec: Json) -> dict[str, Any]:
    return document("networking.k8s.io/v1", "NetworkPolicy", spec={"podSelector": {}, **spec})


def block(cidr: str, *excepted: str) -> dict[str, Any]:
    return policy(ingress=[{"from": [{"ipBlock": {"cidr": cidr, "except": list(excepted)}}]}])


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(ingress({}), id="prefix"),
        pytest.param(ingress({"pathType": "ImplementationSpecific", "path": ""}), id="no path"),
        pytest.param(ingress({"backend": {"resource": {"kind": "Bucket", "name": "b"}}}), id="resource"),
        pytest.param(ingress({}, tls=[{"hosts": ["*.example.com", "a.example.com"], "secretName": "t"}]), id="TLS"),
        pytest.param(ingress({}, rules=[{"host": "*.example.com"}]), id="host without paths"),
        pytest.param(ingress_class(), id="class"),
        pytest.param(ingress_class(parameters={"kind": "K", "name": "n"}), id="class with parameters"),
        pytest.param(
            ingress_class(parameters={"kind": "K", "name": "n", "scope": "Namespace", "namespace": "m"}),
            id="class with parameters of a namespace",
        ),
        pytest.param(policy(), id="policy"),
        pytest.param(
            policy(egress=[{"to": [{"podSelector": {}, "namespaceSelector": {}}], "ports": [{"port": "http"}]}]),
            id="policy by selectors",
        ),
        pytest.param(policy(egress=[{"ports": [{"port": 80, "endPort": 80, "protocol": "UDP"}]}]), id="ports"),
        pytest.param(block("10.0.0.0/8", "10.1.0.0/16"), id="block with a hole"),
        pytest.param(block("2001:db8::/32"), id="block of IPv6"),
    ],
)
def test_a_sound_network_object_is_taken(written: dict[str, Any]) -> None:
    assert faults(written) == []


AT = "spec.rules[0].http.paths[0]"


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        pytest.param(
            ingress({"path": "/a//b"}), f"{AT}.path: Invalid value: \"/a//b\": must not contain '//'", id="two slashes"
        ),
        pytest.param(
            ingress({"path": "/a/.."}), f"{AT}.path: Invalid value: \"/a/..\": cannot end with '/..'", id="way up"
        ),
        pytest.param(
            ingress({"pathType": "ImplementationSpecific", "path": "a"}),
            f'{AT}.path: Invalid value: "a": must be an absolute path',
            id="relative path",
        ),
        pytest.param(
            ingress({"backend": {**SERVICE, "resource": {"kind": "B", "name": "b"}}}),
            f'{AT}.backend: Invalid value: "": cannot set both resource and service backends',
            id="two backends",
        ),
        pytest.param(
            ingress({"backend": {"service": {"name": "s", "port": {"name": "--"}}}}),
            f'{AT}.backend.service.port.name: Invalid value: "--": must contain at least one letter (a-z)',
            id="name of a port",
        ),
        pytest.param(
            ingress({"backend": {"service": {"name": "", "port": {"number": 1}}}}),
            f"{AT}.backend.service.name: Required value",
            id="no service",
        ),
        pytest.param(
            ingress({}, rules=[{"http": {"paths": []}}]), "spec.rules[0].http.paths: Required value", id="no paths"
        ),
        pytest.param(
            ingress_class(parameters={"kind": "K", "name": "n", "namespace": "m"}),
            "spec.parameters.namespace: Forbidden: `parameters.scope` is set to 'Cluster'",
            id="namespace of a cluster's parameters",
        ),
        pytest.param(
            ingress_class(parameters={"kind": "K", "name": "n", "scope": "Namespace"}),
            "spec.parameters.namespace: Required value: `parameters.scope` is set to 'Namespace'",
            id="no namespace of the parameters",
        ),
        pytest.param(ingress_class(controller=""), "spec.controller: Required value", id="no controller"),
        pytest.param(
            policy(policyTypes=["Ingress", "Egress", "Ingress"]),
            'spec.policyTypes: Invalid value: ["Ingress","Egress","Ingress"]: '
            "may not specify more than two policyTypes",
            id="three policy types",
        ),
        pytest.param(
            policy(egress=[{"ports": [{"endPort": 80}]}]),
            "spec.egress[0].ports[0].endPort: Invalid value: 80: may not be specified when `port` is not specified",
            id="last port alone",
        ),
        pytest.param(
            block("10.0.0.0/8", "10.0.0.0/8"),
            'spec.ingress[0].from[0].ipBlock.except[0]: Invalid value: "10.0.0.0/8": must be a strict subset of `cidr`',
            id="hole as large as the block",
        ),
        pytest.param(
            block("10.0.0.0/255.0.0.0"),
            'spec.ingress[0].from[0].ipBlock.cidr: Invalid value: "10.0.0.0/255.0.0.0": must be a valid CIDR value, '
            "(e.g. 10.9.8.0/24 or 2001:db8::/64)",
            id="netmask",
        ),
    ],
)
def test_a_broken_rule_of_networks_is_told_in_the_words_of_kubernetes(written: dict[str, Any], fault: str) -> None:
    assert fault in faults(written)


def test_the_old_way_to_name_an_ingress_class_is_warned_of_and_must_not_contradict() -> None:
    written = ingress({}, ingressClassName="traefik")
    written["metadata"]["annotations"] = {"kubernetes.io/ingress.class": "nginx"}
    at = "metadata.annotations[kubernetes.io/ingress.class]"
    assert faults(written) == [
        f'{at}: Invalid value: "nginx": must match `ingressClassName` when both are specified',
        f"{at}: deprecated; write spec.ingressClassName instead",
    ]


def test_the_controller_of_a_class_stays() -> None:
    assert faults_of_change(ingress_class(), ingress_class(controller="example.com/d")) == [
        'spec.controller: Invalid value: "example.com/d": field is immutable'
    ]


@given(st.integers(0, 2**32 - 1), st.integers(0, 32), st.integers(0, 2**32 - 1), st.integers(0, 32))
@settings(max_examples=60)
def test_a_hole_is_taken_exactly_where_it_lies_within_the_block(first: int, bits: int, other: int, more: int) -> None:
    outer, inner = IPv4Network((first, bits), strict=False), IPv4Network((other, more), strict=False)
    assert (faults(block(str(outer), str(inner))) == []) == (inner != outer and inner.subnet_of(outer))
