"""NodeResourcesFit, NodeResourcesBalancedAllocation and NodePorts.

https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/,
https://kubernetes.io/docs/concepts/workloads/pods/init-containers/#resource-sharing-within-containers, KEP-753
(sidecars), KEP-688 (overhead), KEP-2837 (resources of the pod),
https://kubernetes.io/docs/concepts/scheduling-eviction/resource-bin-packing/ (strategies and their example).
"""

import pytest
from msgspec import structs

from reconciler.scheduler.explain import explain
from reconciler.scheduler.profile import Profile
from reconciler.scheduler.snapshot import Snapshot
from schemas.core.pod import Pod
from tests.unit.reconciler.scheduler.plugins.asking import Json, asking, fits, node, pod, refusals, scores


def before(restart: str = "", **requests: str) -> Json:
    """An init container."""
    return asking(dict(requests)) | {"name": "i"} | ({"restartPolicy": restart} if restart else {})


@pytest.mark.parametrize(
    ("spec", "cpu"),
    [
        pytest.param({"containers": [asking(cpu="1"), asking(cpu="500m")]}, 1500, id="containers add up"),
        pytest.param(
            {"initContainers": [before(cpu="2"), before(cpu="1")], "containers": [asking(cpu="1")]},
            2000,
            id="init containers run one after the other, and before",
        ),
        pytest.param(
            {"initContainers": [before("Always", cpu="500m")], "containers": [asking(cpu="1")]},
            1500,
            id="sidecars run beside",
        ),
        pytest.param(
            {"initContainers": [before("Always", cpu="1"), before(cpu="2")], "containers": [asking(cpu="1")]},
            3000,
            id="an init container runs beside the sidecars before it",
        ),
        pytest.param(
            {"initContainers": [before(cpu="2"), before("Always", cpu="1")], "containers": [asking(cpu="500m")]},
            2000,
            id="but not beside those after it",
        ),
        pytest.param({"containers": [asking(cpu="1")], "overhead": {"cpu": "250m"}}, 1250, id="overhead comes on top"),
        pytest.param(
            {"containers": [asking(cpu="1")], "resources": {"requests": {"cpu": "1500m"}}},
            1500,
            id="the pod's own request stands for its containers",
        ),
    ],
)
def test_what_a_pod_needs(spec: Json, cpu: int) -> None:
    asked = pod(**spec)
    assert fits(asked, node("just", cpu=f"{cpu}m"), node("less", cpu=f"{cpu - 1}m")) == {"just"}


def test_all_that_is_short_is_told() -> None:
    full = node(pods="1", more={"example.com/gpu": "1"})
    there = pod("other", on="n1", containers=[asking(cpu="3", more={"example.com/gpu": "1"})])
    asked = pod(containers=[asking(cpu="2", memory="1Gi", more={"example.com/gpu": "1"})])
    assert refusals(asked, full, there) == {
        "n1": "NodeResourcesFit: Too many pods, Insufficient cpu, Insufficient example.com/gpu"
    }


@pytest.mark.parametrize(
    ("phase", "goes"), [("Running", False), ("Succeeded", True), ("Failed", True)], ids=lambda value: str(value)
)
def test_a_pod_that_has_ended_takes_nothing(phase: str, goes: bool) -> None:
    there = pod("other", on="n1", containers=[asking(cpu="3")])
    ended = structs.replace(there, status=structs.replace(there.status, phase=phase))
    assert bool(fits(pod(containers=[asking(cpu="2")]), node(), ended)) == goes


def test_the_node_with_more_left_is_better_and_no_request_counts_as_a_little() -> None:
    busy = pod("other", on="n2", containers=[asking(cpu="2", memory="4Gi")])
    asked = pod(containers=[asking(cpu="1", memory="2Gi")])
    nodes = (node("n1"), node("n2"))
    assert scores("NodeResourcesFit", asked, *nodes, busy) == {"n1": 75, "n2": 25}
    # 100m of 4, and 200 MiB of 8 GiB: (97 + 97) // 2; beside the other pod (47 + 47) // 2
    assert scores("NodeResourcesFit", pod(), *nodes, busy) == {"n1": 97, "n2": 47}


def test_what_makes_cpu_and_memory_evener_is_better() -> None:
    lopsided = pod("other", on="n2", containers=[asking(memory="4Gi")])
    asked = pod(containers=[asking(cpu="2")])
    # n1 from even to 50 % apart: (150 + 75 - 100) // 2; n2 from 50 % apart to even: (150 + 100 - 75) // 2
    nodes = (node("n1"), node("n2"))
    assert scores("NodeResourcesBalancedAllocation", asked, *nodes, lopsided) == {"n1": 62, "n2": 87}
    assert scores("NodeResourcesBalancedAllocation", pod(), *nodes, lopsided) == {"n1": 0, "n2": 0}


FOO = "intel.com/foo"
NODE_1 = (
    node("n1", cpu="8", memory="1024M", more={FOO: "4"}),
    pod("u1", on="n1", containers=[asking(cpu="1", memory="256M", more={FOO: "1"})]),
)
NODE_2 = (
    node("n2", cpu="8", memory="1024M", more={FOO: "8"}),
    pod("u2", on="n2", containers=[asking(cpu="6", memory="512M", more={FOO: "2"})]),
)
ASKED = pod(containers=[asking(cpu="2", memory="256M", more={FOO: "2"})])
WEIGHTS = {FOO: 5, "memory": 1, "cpu": 3}


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        pytest.param(
            Profile(strategy="RequestedToCapacityRatio", resources=WEIGHTS, shape=((0, 0), (100, 10))),
            # Scores from 0 to 100, not to 10 as there: (75·5 + 50·1 + 37·3) / 9 and (50·5 + 75·1 + 100·3) / 9.
            {"n1": 60, "n2": 69},
            id="the documentation's example of RequestedToCapacityRatio",
        ),
        pytest.param(
            Profile(strategy="MostAllocated", resources=WEIGHTS),
            {"n1": (75 * 5 + 50 + 37 * 3) // 9, "n2": (50 * 5 + 75 + 100 * 3) // 9},
            id="MostAllocated",
        ),
        pytest.param(
            Profile(resources=WEIGHTS),
            {"n1": (25 * 5 + 50 + 62 * 3) // 9, "n2": (50 * 5 + 25 + 0 * 3) // 9},
            id="LeastAllocated of the same resources",
        ),
    ],
)
def test_strategies_and_weights_of_resources(profile: Profile, expected: dict[str, int]) -> None:
    found = explain(ASKED, Snapshot((*NODE_1, *NODE_2)), profile)
    assert {name: one.scores["NodeResourcesFit"] for name, one in found.nodes.items()} == expected


def _port(number: int, protocol: str = "TCP", address: str = "") -> Json:
    return {"containerPort": 80, "hostPort": number, "protocol": protocol} | ({"hostIP": address} if address else {})


def _with_port(name: str, port: Json, on: str = "") -> Pod:
    return pod(name, on=on, containers=[asking() | {"ports": [port]}])


@pytest.mark.parametrize(
    ("taken", "wanted", "goes"),
    [
        pytest.param(_port(80), _port(80), False, id="the same port"),
        pytest.param(_port(80), _port(81), True, id="another port"),
        pytest.param(_port(80), _port(80, "UDP"), True, id="another protocol"),
        pytest.param(_port(80, address="127.0.0.1"), _port(80, address="127.0.0.2"), True, id="another address"),
        pytest.param(_port(80, address="127.0.0.1"), _port(80), False, id="all addresses take in each"),
        pytest.param(_port(80, address="0.0.0.0"), _port(80, address="127.0.0.1"), False, id="each is among all"),
    ],
)
def test_ports_of_the_host(taken: Json, wanted: Json, goes: bool) -> None:
    """https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#ports"""
    assert bool(fits(_with_port("p", wanted), node(), _with_port("other", taken, "n1"))) == goes
