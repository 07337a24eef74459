"""Rules of Services and EndpointSlices that no recorded answer shows."""

from typing import Any

import pytest

from schemas.shape import Json
from tests.unit.schemas.build import document
from tests.unit.schemas.validation.found import faults, faults_of_change


def service(**spec: Json) -> dict[str, Any]:
    return document("v1", "Service", spec={"ports": [{"port": 80}], **spec})


def endpoint_slice(type_: str = "IPv4", **fields: Json) -> dict[str, Any]:
    return document("discovery.k8s.io/v1", "EndpointSlice", **{"addressType": type_, "endpoints": [], **fields})


SOUND: list[Any] = [
    pytest.param(service(), id="plain"),
    pytest.param(service(clusterIP="None", ports=[]), id="headless without a port"),
    pytest.param(
        service(clusterIP="None", clusterIPs=["None"], ipFamilies=["IPv4", "IPv6"], ipFamilyPolicy="RequireDualStack"),
        id="headless without a selector, as Kubernetes shows it",
    ),
    pytest.param(service(type="ExternalName", externalName="a.example.com.", ports=[]), id="external name"),
    pytest.param(service(type="NodePort", externalTrafficPolicy="Local"), id="node port"),
    pytest.param(
        service(type="LoadBalancer", loadBalancerClass="example.com/b", loadBalancerSourceRanges=[" 10.0.0.0/8 "]),
        id="balanced",
    ),
    pytest.param(
        service(type="LoadBalancer", externalTrafficPolicy="Local", healthCheckNodePort=30000), id="checked by port"
    ),
    pytest.param(service(externalIPs=["192.0.2.1"], externalTrafficPolicy="Local"), id="external address"),
    pytest.param(service(sessionAffinity="ClientIP", sessionAffinityConfig={"clientIP": {}}), id="sticky"),
    pytest.param(service(ipFamilyPolicy="PreferDualStack", ipFamilies=["IPv4", "IPv6"]), id="two families at best"),
    pytest.param(
        service(
            type="NodePort",
            ports=[
                {"name": "a", "port": 80, "nodePort": 30080},
                {"name": "b", "port": 80, "nodePort": 30080, "protocol": "UDP"},
            ],
        ),
        id="one number for two protocols",
    ),
]


@pytest.mark.parametrize("written", SOUND)
def test_a_sound_service_is_taken(written: dict[str, Any]) -> None:
    assert faults(written) == []


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        pytest.param(
            {"clusterIPs": ["10.0.0.1"]},
            'spec.clusterIPs: Invalid value: ["10.0.0.1"]: must be empty when `clusterIP` is not specified',
            id="list without the address",
        ),
        pytest.param(
            {"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.2"]},
            'spec.clusterIPs: Invalid value: ["10.0.0.2"]: first value must match `clusterIP`',
            id="list with another address",
        ),
        pytest.param(
            {"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1", "10.0.0.2"]},
            'spec.clusterIPs: Invalid value: ["10.0.0.1","10.0.0.2"]: '
            "may specify no more than one IP for each IP family",
            id="two of a family",
        ),
        pytest.param(
            {"clusterIP": "10.0.0.1", "ipFamilies": ["IPv6"]},
            'spec.clusterIPs[0]: Invalid value: "10.0.0.1": expected an IPv6 value as indicated by `ipFamilies[0]`',
            id="address of another family",
        ),
        pytest.param({"ipFamilies": ["IPv4", "IPv4"]}, 'spec.ipFamilies[1]: Duplicate value: "IPv4"', id="same family"),
        pytest.param(
            {"type": "ExternalName", "externalName": "a.b", "clusterIP": "None"},
            "spec.clusterIPs: Forbidden: may not be set for ExternalName services",
            id="address of an external name",
        ),
        pytest.param(
            {"loadBalancerClass": "a/b"},
            "spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'",
            id="class of no balancer",
        ),
        pytest.param(
            {"allocateLoadBalancerNodePorts": False},
            "spec.allocateLoadBalancerNodePorts: Forbidden: may only be used when `type` is 'LoadBalancer'",
            id="allocation for no balancer",
        ),
        pytest.param(
            {"loadBalancerSourceRanges": ["10.0.0.0/8"]},
            "spec.loadBalancerSourceRanges: Forbidden: may only be used when `type` is 'LoadBalancer'",
            id="sources of no balancer",
        ),
        pytest.param(
            {"healthCheckNodePort": 30000},
            "spec.healthCheckNodePort: Invalid value: 30000: may only be set when `type` is 'LoadBalancer' and "
            "`externalTrafficPolicy` is 'Local'",
            id="check of no balancer",
        ),
        pytest.param(
            {"externalIPs": ["127.0.0.1"]},
            'spec.externalIPs[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
            id="external address of the machine itself",
        ),
        pytest.param(
            {
                "type": "NodePort",
                "ports": [{"name": "a", "port": 1, "nodePort": 30000}, {"name": "b", "port": 2, "nodePort": 30000}],
            },
            "spec.ports[1].nodePort: Duplicate value: 30000",
            id="node port twice",
        ),
    ],
)
def test_a_broken_rule_of_services_is_told_in_the_words_of_kubernetes(spec: dict[str, Any], fault: str) -> None:
    found = faults(service(**spec))
    assert fault in found
    assert len(found) <= 2


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param({"clusterIP": "10.0.0.1"}, {}, [], id="left out"),
        pytest.param(
            {"clusterIP": "10.0.0.1"},
            {"clusterIP": "10.0.0.2"},
            ['spec.clusterIPs[0]: Invalid value: ["10.0.0.2"]: may not change once set'],
            id="another address",
        ),
        pytest.param(
            {"clusterIP": "10.0.0.1"}, {"type": "ExternalName", "externalName": "a.b", "ports": []}, [], id="to a name"
        ),
        pytest.param(
            {"type": "LoadBalancer", "loadBalancerClass": "a/b"},
            {"type": "LoadBalancer", "loadBalancerClass": "a/c"},
            ['spec.loadBalancerClass: Invalid value: "a/c": may not change once set'],
            id="class",
        ),
        pytest.param(
            {"type": "LoadBalancer", "externalTrafficPolicy": "Local", "healthCheckNodePort": 30000},
            {"type": "LoadBalancer", "externalTrafficPolicy": "Local", "healthCheckNodePort": 30001},
            ["spec.healthCheckNodePort: Forbidden: field is immutable"],
            id="port of the check",
        ),
        pytest.param(
            {"ipFamilies": ["IPv4"]},
            {"ipFamilies": ["IPv6"]},
            ['spec.ipFamilies[0]: Invalid value: ["IPv6"]: may not change once set'],
            id="family",
        ),
        pytest.param({"type": "ClusterIP"}, {"type": "NodePort"}, [], id="type"),
    ],
)
def test_what_a_service_is_reached_by_stays(old: dict[str, Any], new: dict[str, Any], expected: list[str]) -> None:
    assert faults_of_change(service(**old), service(**new)) == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        pytest.param(endpoint_slice(), [], id="empty"),
        pytest.param(endpoint_slice(endpoints=[{"addresses": ["192.0.2.1"]}], ports=[{"port": 80}]), [], id="sound"),
        pytest.param(endpoint_slice("FQDN", endpoints=[{"addresses": ["a.example.com"]}]), [], id="host name"),
        pytest.param(
            endpoint_slice(endpoints=[{"addresses": []}]),
            ["endpoints[0].addresses: Required value: must contain at least 1 address"],
            id="no address",
        ),
        pytest.param(
            endpoint_slice(endpoints=[{"addresses": ["2001:db8::1"]}]),
            ['endpoints[0].addresses[0]: Invalid value: "2001:db8::1": must be an IPv4 address'],
            id="other family",
        ),
        pytest.param(
            endpoint_slice(endpoints=[{"addresses": ["169.254.1.1"]}]),
            [
                'endpoints[0].addresses[0]: Invalid value: "169.254.1.1": may not be in the link-local range '
                "(169.254.0.0/16, fe80::/10)"
            ],
            id="address of the link",
        ),
        pytest.param(
            endpoint_slice("FQDN", endpoints=[{"addresses": ["host"]}]),
            [
                'endpoints[0].addresses[0]: Invalid value: "host": should be a domain with at least two segments '
                "separated by dots"
            ],
            id="bare host",
        ),
        pytest.param(
            endpoint_slice(ports=[{"port": 80}, {"port": 81}]), ['ports[1].name: Duplicate value: ""'], id="no names"
        ),
        pytest.param(
            endpoint_slice(endpoints=[{"addresses": [f"192.0.2.{number}" for number in range(101)]}]),
            ["endpoints[0].addresses: Too many: 101: must have at most 100 items"],
            id="too many addresses",
        ),
    ],
)
def test_rules_of_endpoint_slices(written: dict[str, Any], expected: list[str]) -> None:
    assert faults(written) == expected


def test_the_kind_of_addresses_stays() -> None:
    assert faults_of_change(endpoint_slice(), endpoint_slice("IPv6")) == [
        'addressType: Invalid value: "IPv6": field is immutable'
    ]
