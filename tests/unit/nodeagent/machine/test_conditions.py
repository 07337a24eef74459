"""What a node says of how it stands, in a kubelet's words."""

import pytest

from nodeagent.machine.conditions import Health, conditions
from schemas.core.node import NodeCondition


def told(health: Health, *, clock: bool | None = True) -> dict[str, NodeCondition]:
    return {one.type: one for one in conditions(health, is_clock_synchronised=clock)}


def test_a_node_that_is_well_says_what_a_kubelet_says() -> None:
    found = told(Health(runtime="containerd://1"), clock=None)
    assert [(one.type, one.status, one.reason, one.message) for one in found.values()] == [
        ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
    ]


@pytest.mark.parametrize(
    ("type_", "reason"),
    [
        pytest.param("MemoryPressure", "KubeletHasInsufficientMemory", id="memory"),
        pytest.param("DiskPressure", "KubeletHasDiskPressure", id="disk"),
        pytest.param("PIDPressure", "KubeletHasInsufficientPID", id="process ids"),
    ],
)
def test_what_the_node_is_short_of_is_a_condition(type_: str, reason: str) -> None:
    found = told(Health(runtime="x", pressures={type_}))
    assert (found[type_].status, found[type_].reason) == ("True", reason)
    assert found["Ready"].status == "True"


def test_a_node_whose_runtime_does_not_answer_is_not_ready() -> None:
    ready = told(Health())["Ready"]
    assert (ready.status, ready.reason, ready.message) == ("False", "KubeletNotReady", "container runtime is down")


def test_a_node_that_goes_down_is_not_ready() -> None:
    ready = told(Health(runtime="x", is_going_down=True))["Ready"]
    assert (ready.status, ready.reason, ready.message) == ("False", "KubeletNotReady", "node is shutting down")


@pytest.mark.parametrize(
    ("is_synchronised", "status"),
    [
        pytest.param(False, "True", id="by nobody"),
        pytest.param(True, "False", id="by a server"),
    ],
)
def test_a_clock_that_nobody_keeps_right_is_told(is_synchronised: bool, status: str) -> None:
    assert told(Health(runtime="x"), clock=is_synchronised)["ClockNotSynchronised"].status == status


@pytest.mark.parametrize(
    ("network", "status"),
    [
        pytest.param(None, None, id="not laid yet"),
        pytest.param("", "False", id="laid"),
        pytest.param("no bridge", "True", id="failed"),
    ],
)
def test_the_pod_network_is_told_once_it_is_known(network: str | None, status: str | None) -> None:
    found = told(Health(runtime="x", network=network)).get("NetworkUnavailable")
    assert (found.status if found else None) == status
    assert found is None or not network or network in found.message
