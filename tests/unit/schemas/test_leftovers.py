"""Services that change their type."""

from typing import Any

import pytest

from schemas.leftovers import without_leftovers
from schemas.shape import Json
from schemas.validation import validate
from tests.unit.schemas.build import decoded, document


def service(**spec: Json) -> dict[str, Any]:
    return document("v1", "Service", spec={"ports": [{"port": 80}], **spec})


NODE_PORT = [{"port": 80, "nodePort": 30080}]
BALANCED = {
    "type": "LoadBalancer",
    "ports": NODE_PORT,
    "loadBalancerClass": "a/b",
    "externalTrafficPolicy": "Local",
    "healthCheckNodePort": 30001,
    "allocateLoadBalancerNodePorts": True,
}


@pytest.mark.parametrize(
    ("old", "change", "expected"),
    [
        pytest.param(BALANCED, {"type": "ClusterIP"}, {}, id="balancer to address"),
        pytest.param(
            BALANCED,
            {"type": "NodePort"},
            {"type": "NodePort", "ports": NODE_PORT, "externalTrafficPolicy": "Local"},
            id="balancer to node port",
        ),
        pytest.param({"type": "NodePort", "ports": NODE_PORT}, {"type": "ClusterIP"}, {}, id="node port to address"),
        pytest.param(
            {"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"], "ipFamilies": ["IPv4"]},
            {"type": "ExternalName", "externalName": "a.b"},
            {"type": "ExternalName", "externalName": "a.b"},
            id="address to name",
        ),
        pytest.param(
            {"externalIPs": ["192.0.2.1"], "externalTrafficPolicy": "Local"},
            {"externalIPs": []},
            {},
            id="no external address any more",
        ),
        pytest.param(
            BALANCED, {"publishNotReadyAddresses": True}, {**BALANCED, "publishNotReadyAddresses": True}, id="same type"
        ),
    ],
)
def test_what_belonged_to_the_old_type_falls_away(
    old: dict[str, Any], change: dict[str, Any], expected: dict[str, Any]
) -> None:
    found = without_leftovers(decoded(service(**{**old, **change})), decoded(service(**old)))
    assert found == decoded(service(**expected))
    assert validate(found) == ()


def test_what_the_update_itself_asks_for_stays_and_is_told() -> None:
    old = decoded(service(type="NodePort", ports=NODE_PORT))
    new = decoded(service(type="ClusterIP", ports=[{"port": 80, "nodePort": 30081}]))
    assert [fault.field for fault in validate(without_leftovers(new, old))] == ["spec.ports[0].nodePort"]
