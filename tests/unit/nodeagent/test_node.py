"""What a node says of its machine."""

import pytest
from msgspec.structs import replace

from nodeagent.config import Config, Reserved
from nodeagent.node import (
    MAX_IMAGES,
    Machine,
    conditions,
    facts,
    labels,
    parse_meminfo,
    parse_os_release,
    simulated_machine,
    status,
    told_images,
)
from nodeagent.runtime.interface import Image
from schemas.configuration import BrokerAddress
from schemas.core.node import NodeAddress

GIB = 1024**3
MACHINE = replace(simulated_machine("m1"), cpus=2, memory=4 * GIB, memory_available=3 * GIB, hostname="box")


def config(**fields: object) -> Config:
    return Config(node="n1", broker=BrokerAddress(url="mqtt://b"), **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("MemTotal:       1024 kB\nMemAvailable:    512 kB\n", (1048576, 524288), id="as Linux writes it"),
        pytest.param("MemTotal: 1024 kB\nHugePages_Total:   7\n", (1048576, None), id="a row without a unit"),
        pytest.param("MemTotal: many kB\n", (None, None), id="no number"),
        pytest.param("", (None, None), id="empty"),
    ],
)
def test_meminfo_is_read_in_bytes(text: str, found: tuple[int | None, int | None]) -> None:
    parsed = parse_meminfo(text)
    assert (parsed.get("MemTotal"), parsed.get("MemAvailable")) == found
    assert "HugePages_Total" not in parsed


@pytest.mark.parametrize(
    ("text", "name"),
    [
        pytest.param('NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n', "Debian GNU/Linux 12 (bookworm)"),
        pytest.param("PRETTY_NAME=Alpine\n", "Alpine"),
        pytest.param("NAME=x\n", ""),
        pytest.param("", ""),
    ],
    ids=["quoted", "bare", "without the name for people", "empty"],
)
def test_the_system_is_told_by_its_name_for_people(text: str, name: str) -> None:
    assert parse_os_release(text) == name


@pytest.mark.parametrize(
    ("machine", "true"),
    [
        pytest.param(MACHINE, {"Ready"}, id="well"),
        pytest.param(replace(MACHINE, memory_available=99 * 1024**2), {"Ready", "MemoryPressure"}, id="memory"),
        pytest.param(replace(MACHINE, memory_available=100 * 1024**2), {"Ready"}, id="just enough memory"),
        pytest.param(replace(MACHINE, storage_free=MACHINE.storage // 11), {"Ready", "DiskPressure"}, id="disk"),
        pytest.param(replace(MACHINE, pids_free=0.04), {"Ready", "PIDPressure"}, id="process ids"),
    ],
)
def test_what_the_machine_is_short_of_is_a_condition(machine: Machine, true: set[str]) -> None:
    told = conditions(machine, "containerd://1.6.20")
    assert {one.type for one in told if one.status == "True"} == true
    assert {one.type for one in told} == {"MemoryPressure", "DiskPressure", "PIDPressure", "Ready"}


def test_a_node_whose_runtime_does_not_answer_is_not_ready() -> None:
    (ready,) = [one for one in conditions(MACHINE, "") if one.type == "Ready"]
    assert (ready.status, ready.reason) == ("False", "KubeletNotReady")


def test_a_kubelets_reasons_are_used() -> None:
    short = replace(MACHINE, memory_available=0)
    assert {one.reason for one in conditions(short, "x")} == {
        "KubeletHasInsufficientMemory",
        "KubeletHasSufficientDisk",
        "KubeletHasSufficientPID",
        "KubeletReady",
    }


@pytest.mark.parametrize(
    ("reserved", "cpu", "memory"),
    [
        pytest.param(Reserved(), "1900m", "4063232Ki", id="as it is by default"),
        pytest.param(Reserved(cpu="0", memory="0"), "2000m", "4194304Ki", id="nothing"),
        pytest.param(Reserved(cpu="1.5", memory="1Gi"), "500m", "3145728Ki", id="much"),
        pytest.param(Reserved(cpu="8", memory="16Gi"), "0m", "0Ki", id="more than there is"),
    ],
)
def test_what_is_reserved_is_not_allocatable(reserved: Reserved, cpu: str, memory: str) -> None:
    told = status(config(reserved=reserved), MACHINE, runtime="containerd://1", version="0.1")
    assert (told.allocatable["cpu"], told.allocatable["memory"]) == (cpu, memory)
    assert (told.capacity["cpu"], told.capacity["memory"]) == ("2", "4194304Ki")
    known = facts(config(reserved=reserved), MACHINE)
    assert (f"{known.allocatable_cpu}m", f"{known.allocatable_memory // 1024}Ki") == (cpu, memory)


def test_addresses_come_before_the_host_name() -> None:
    told = status(config(), replace(MACHINE, addresses=("10.0.0.1", "fd00::1")), runtime="x", version="0.1")
    assert told.addresses == (
        NodeAddress(type="InternalIP", address="10.0.0.1"),
        NodeAddress(type="InternalIP", address="fd00::1"),
        NodeAddress(type="Hostname", address="box"),
    )


def test_the_versions_of_agent_and_runtime_are_told() -> None:
    info = status(config(), MACHINE, runtime="containerd://1.6.20", version="0.1").node_info
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
