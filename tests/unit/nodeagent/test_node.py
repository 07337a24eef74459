"""What a node says of its machine."""

import pytest
from msgspec.structs import replace

from nodeagent.config import Config
from nodeagent.machine.conditions import Health
from nodeagent.machine.settings import Reserved
from nodeagent.node import (
    MAX_IMAGES,
    facts,
    labels,
    simulated_machine,
    status,
    told_images,
)
from nodeagent.runtime.interface import Image
from schemas.configuration import BrokerAddress
from schemas.core.node import NodeAddress
from schemas.quantity import milli, value

GIB = 1024**3
MACHINE = replace(simulated_machine("m1"), cpus=2, memory=4 * GIB, hostname="box")


def config(**fields: object) -> Config:
    return Config(node="n1", broker=BrokerAddress(url="mqtt://b"), **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reserved", "cpu", "memory"),
    [
        pytest.param(Reserved(), "1900m", "3868Mi", id="as it is by default"),
        pytest.param(Reserved(cpu="0", memory="0"), "2", "3996Mi", id="nothing"),
        pytest.param(Reserved(cpu="1.5", memory="1Gi"), "500m", "2972Mi", id="much"),
        pytest.param(Reserved(cpu="8", memory="16Gi"), "0", "0", id="more than there is"),
    ],
)
def test_what_is_reserved_is_not_allocatable(reserved: Reserved, cpu: str, memory: str) -> None:
    told = status(config(reserved=reserved), MACHINE, Health(runtime="containerd://1"), version="0.1")
    assert (told.allocatable["cpu"], told.allocatable["memory"]) == (cpu, memory)
    assert (told.capacity["cpu"], told.capacity["memory"]) == ("2", "4Gi")
    known = facts(config(reserved=reserved), MACHINE)
    assert (known.allocatable_cpu, known.allocatable_memory) == (milli(cpu), value(memory))


def test_addresses_come_before_the_host_name() -> None:
    told = status(config(), replace(MACHINE, addresses=("10.0.0.1", "fd00::1")), Health(runtime="x"), version="0.1")
    assert told.addresses == (
        NodeAddress(type="InternalIP", address="10.0.0.1"),
        NodeAddress(type="InternalIP", address="fd00::1"),
        NodeAddress(type="Hostname", address="n1"),
    )


def test_the_versions_of_agent_and_runtime_are_told() -> None:
    info = status(config(), MACHINE, Health(runtime="containerd://1.6.20"), version="0.1").node_info
    assert info is not None
    assert info.container_runtime_version == "containerd://1.6.20"
    assert info.kubelet_version.endswith("-wherry0.1")


def test_the_configurations_labels_add_to_the_well_known_ones_and_may_replace_them() -> None:
    told = labels(config(labels={"site": "quay-7", "kubernetes.io/hostname": "other"}), MACHINE)
    assert told == {
        "beta.kubernetes.io/os": "linux",
        "beta.kubernetes.io/arch": MACHINE.architecture,
        "kubernetes.io/hostname": "other",
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": MACHINE.architecture,
        "site": "quay-7",
    }


def test_the_largest_images_are_told_with_every_name_that_a_pod_may_use() -> None:
    images = [Image(id=f"sha256:{number:03}", tags=(f"app:{number}",), size=number) for number in range(MAX_IMAGES + 5)]
    images += [Image(id="sha256:nameless", size=10**9)]
    images += [Image(id="sha256:big", tags=("big:1",), digests=("big@sha256:1",), size=10**6)]
    told = told_images(images)
    assert len(told) == MAX_IMAGES
    assert (told[0].names, told[0].size_bytes) == (("big@sha256:1", "big:1"), 10**6)
    assert [one.size_bytes for one in told[1:]] == list(range(MAX_IMAGES + 4, 5, -1))


def test_images_of_one_size_are_told_in_a_steady_order() -> None:
    images = [Image(id=f"sha256:{letter}", tags=(f"{letter}:1",), size=1) for letter in "cab"]
    assert told_images(images) == told_images(images[::-1])
