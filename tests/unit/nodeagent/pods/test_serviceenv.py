from nodeagent.pods.environment import Environment, environment
from nodeagent.pods.fieldpaths import PodFacts
from nodeagent.pods.serviceenv import service_variables
from schemas.network import NetworkPort, NetworkService
from tests.unit.nodeagent.pods.builders import pod
from tests.unit.nodeagent.pods.test_configs import NODE

API = NetworkService("default", "kubernetes", cluster_ips=("10.96.0.1",), ports=(NetworkPort(443, name="https"),))
DB = NetworkService("shop", "my-db", cluster_ips=("fd00::7",), ports=(NetworkPort(5432), NetworkPort(53, "UDP")))
HEADLESS = NetworkService("shop", "peers", ports=(NetworkPort(80),))
SHOP = {"namespace": "shop"}


def test_every_pod_is_told_where_the_api_is() -> None:
    assert service_variables(pod(metadata=SHOP, enableServiceLinks=False), [DB, API, HEADLESS]) == {
        "KUBERNETES_SERVICE_HOST": "10.96.0.1",
        "KUBERNETES_SERVICE_PORT": "443",
        "KUBERNETES_SERVICE_PORT_HTTPS": "443",
        "KUBERNETES_PORT": "tcp://10.96.0.1:443",
        "KUBERNETES_PORT_443_TCP": "tcp://10.96.0.1:443",
        "KUBERNETES_PORT_443_TCP_PROTO": "tcp",
        "KUBERNETES_PORT_443_TCP_PORT": "443",
        "KUBERNETES_PORT_443_TCP_ADDR": "10.96.0.1",
    }


def test_the_services_of_the_namespace_are_told_unless_they_are_headless() -> None:
    found = service_variables(pod(metadata=SHOP), [API, DB, HEADLESS])
    assert found["MY_DB_SERVICE_HOST"] == "fd00::7"
    assert found["MY_DB_PORT"] == "tcp://[fd00::7]:5432"
    assert found["MY_DB_PORT_53_UDP"] == "udp://[fd00::7]:53"
    assert not [name for name in found if name.startswith("PEERS")]
    assert not [name for name in service_variables(pod(), [API, DB]) if name.startswith("MY_DB")]


def test_what_a_container_sets_itself_goes_before() -> None:
    one = pod(
        containers=[
            {
                "name": "main",
                "image": "a",
                "env": [
                    {"name": "MY_DB_SERVICE_HOST", "value": "own"},
                    {"name": "API", "value": "$(KUBERNETES_SERVICE_HOST)"},
                ],
            }
        ]
    )
    found = environment(
        one.spec.containers[0],
        PodFacts(one, NODE),
        {},
        service_variables(one, [API]) | {"MY_DB_SERVICE_HOST": "theirs"},
    )
    assert isinstance(found, Environment)
    assert found.variables["MY_DB_SERVICE_HOST"] == "own"
    assert found.variables["API"] == "10.96.0.1"
