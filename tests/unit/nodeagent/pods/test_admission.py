"""Whether a node takes a pod that is new to it, in the kubelet's words."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nodeagent.devices.allocation import NOTHING, Allocated
from nodeagent.devices.declared import DeviceResource
from nodeagent.pods.actions import Failure
from nodeagent.pods.admission import Neighbours, admit
from nodeagent.pods.node import NodeFacts
from nodeagent.runtime.interface import Features
from schemas.core.pod import Pod
from tests.unit.nodeagent.pods.builders import Node, pod
from tests.unit.nodeagent.pods.virtual import until

Play = Callable[..., None]
MODERN = Features(True, frozenset({""}))
GPIO = DeviceResource(resource="wherry.dev/gpio", paths=("/dev/gpiochip*",))
FACTS = NodeFacts(
    name="n1",
    allocatable={"cpu": 1000, "memory": 1 << 30, "pods": 3, "ephemeral-storage": 1 << 30, "hugepages-2Mi": 4 << 20},
    device_resources=(GPIO,),
    devices={GPIO.resource: ("/dev/gpiochip0",)},
    unsafe_sysctls=("net.core.*",),
)
LABELS = {"kubernetes.io/hostname": "n1", "disk": "fast"}


def asking(**requests: str) -> Pod:
    named = {name.replace("_", "-"): amount for name, amount in requests.items()}
    return pod(containers=[{"name": "main", "image": "x", "resources": {"requests": named}}])


def port(number: int, **more: Any) -> Pod:  # noqa: ANN401 - as YAML
    ports = [{"containerPort": 80, "hostPort": number, **more}]
    return pod(containers=[{"name": "main", "image": "x", "ports": ports}])


def outcome(
    new: Pod,
    *others: Pod,
    facts: NodeFacts = FACTS,
    features: Features = Features(),  # noqa: B008 - frozen
) -> tuple[str, str]:
    found = admit(new, facts, Neighbours((one, NOTHING) for one in others), LABELS, features)
    return (found.reason, found.message.removeprefix("Pod was rejected: ")) if isinstance(found, Failure) else ("", "")


@pytest.mark.parametrize(
    ("new", "others", "reason", "message"),
    [
        pytest.param(asking(cpu="400m"), [asking(cpu="600m")], "", "", id="just enough"),
        pytest.param(
            asking(cpu="401m"),
            [asking(cpu="600m")],
            "OutOfcpu",
            "Node didn't have enough resource: cpu, requested: 401, used: 600, capacity: 1000",
            id="cpu",
        ),
        pytest.param(
            asking(memory="2Gi"),
            [],
            "OutOfmemory",
            f"Node didn't have enough resource: memory, requested: {2 << 30}, used: 0, capacity: {1 << 30}",
            id="memory",
        ),
        pytest.param(
            asking(),
            [asking()] * 3,
            "OutOfpods",
            "Node didn't have enough resource: pods, requested: 1, used: 3, capacity: 3",
            id="pods",
        ),
        pytest.param(
            asking(ephemeral_storage="2Gi"),
            [],
            "OutOfephemeral-storage",
            f"Node didn't have enough resource: ephemeral-storage, requested: {2 << 30}, used: 0, capacity: {1 << 30}",
            id="disk",
        ),
        pytest.param(
            asking(hugepages_2Mi="6Mi"),
            [],
            "OutOfhugepages-2Mi",
            f"Node didn't have enough resource: hugepages-2Mi, requested: {6 << 20}, used: 0, capacity: {4 << 20}",
            id="huge pages",
        ),
        pytest.param(
            pod(nodeSelector={"disk": "slow"}),
            [],
            "NodeAffinity",
            "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
            id="another node",
        ),
        pytest.param(pod(nodeSelector={"disk": "fast"}), [], "", "", id="this node"),
        pytest.param(
            port(80),
            [port(80)],
            "NodePorts",
            "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports",
            id="port taken",
        ),
        pytest.param(
            port(80, hostIP="127.0.0.1"), [port(80, hostIP="127.0.0.2")], "", "", id="port of another address"
        ),
        pytest.param(
            pod(securityContext={"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}),
            [],
            "SysctlForbidden",
            'forbidden sysctl: "kernel.msgmax" not allowlisted',
            id="sysctl",
        ),
        pytest.param(
            pod(securityContext={"appArmorProfile": {"type": "RuntimeDefault"}}),
            [],
            "AppArmor",
            "Cannot enforce AppArmor: AppArmor is not enabled on the host",
            id="AppArmor",
        ),
        pytest.param(pod(securityContext={"appArmorProfile": {"type": "Unconfined"}}), [], "", "", id="no AppArmor"),
        pytest.param(
            pod(securityContext={"supplementalGroupsPolicy": "Strict"}),
            [],
            "SupplementalGroupsPolicyNotSupported",
            "SupplementalGroupsPolicy=Strict is not supported in this node",
            id="strict groups",
        ),
    ],
)
def test_a_pod_that_the_node_cannot_run_is_refused(new: Pod, others: list[Pod], reason: str, message: str) -> None:
    assert outcome(new, *others) == (reason, message)


def test_what_the_node_can_is_not_refused() -> None:
    strict = pod(securityContext={"supplementalGroupsPolicy": "Strict", "appArmorProfile": {"type": "RuntimeDefault"}})
    facts = NodeFacts(name="n1", has_apparmor=True)
    assert outcome(strict, facts=facts, features=MODERN) == ("", "")


def test_of_what_the_node_does_not_tell_nothing_is_held_against_a_pod() -> None:
    assert outcome(asking(cpu="99"), facts=NodeFacts(name="n1")) == ("", "")


def test_pods_with_users_of_their_own_have_different_ones() -> None:
    held: list[tuple[Pod, Allocated]] = []
    for _ in range(3):
        found = admit(pod(hostUsers=False), NodeFacts(name="n1"), Neighbours(held), {}, MODERN)
        assert isinstance(found, Allocated)
        held.append((pod(), found))
    assert [one.first_user for _, one in held] == [65536, 131072, 196608]
    del held[1]
    again = admit(pod(hostUsers=False), NodeFacts(name="n1"), Neighbours(held), {}, MODERN)
    assert isinstance(again, Allocated)
    assert again.first_user == 131072


def asking_container(cpu: str) -> list[dict[str, object]]:
    return [{"name": "main", "image": "app:1", "resources": {"requests": {"cpu": cpu}}}]


def wanting(uid: str, count: int = 1) -> Pod:
    container = {"name": "main", "image": "app:1", "resources": {"limits": {GPIO.resource: count}}}
    return pod(uid, uid, containers=[container])


def knows(one: Node, **changes: Any) -> None:  # noqa: ANN401
    one.workers.update_node(NodeFacts(name="node-1", addresses=("10.0.0.1",), **changes))


def test_a_rejected_pod_has_failed_and_is_told_so_once(play: Play) -> None:
    async def scene(one: Node) -> None:
        knows(one, allocatable={"pods": 1})
        one.accept(pod("u1", "first"))
        await until(lambda: one.is_ready("u1"))
        one.accept(pod("u1", "first"), pod("u2", "second"))
        await until(lambda: one.status("u2").phase == "Failed")
        status = one.status("u2")
        assert status.reason == "OutOfpods"
        assert status.message.startswith("Pod was rejected: Node didn't have enough resource: pods")
        assert not status.container_statuses
        assert [condition.type for condition in status.conditions] == ["PodScheduled"]
        await asyncio.sleep(600)
        assert one.reporter.reasons().count("OutOfpods") == 1
        assert one.is_ready("u1")
        await one.restart_agent()
        one.accept(pod("u1", "first"), pod("u2", "second"))  # there would be room now
        await until(lambda: one.status("u2").phase == "Failed")
        await until(lambda: one.is_ready("u1"))
        one.accept(pod("u3", "third"))
        await until(lambda: one.is_ready("u3"))

    play(scene)


def test_what_runs_is_not_asked_again(play: Play) -> None:
    async def scene(one: Node) -> None:
        one.accept(asking(cpu="4"))
        await until(one.is_ready)
        await one.restart_agent()
        knows(one, allocatable={"cpu": 1000})
        one.accept(asking(cpu="4"))
        await until(one.is_ready)
        one.accept(asking(cpu="4"), pod("u2", "other", containers=asking_container("1")))
        await until(lambda: one.status("u2").reason == "OutOfcpu")
        assert one.is_ready()

    play(scene)


def test_devices_stay_with_their_pod_over_a_restart_of_the_agent(play: Play) -> None:
    async def scene(one: Node) -> None:
        null = {GPIO.resource: ("/dev/null",)}
        knows(one, device_resources=(GPIO,), devices=null)
        one.accept(wanting("u1"))
        await until(lambda: one.is_ready("u1"))
        await one.restart_agent()
        knows(one, device_resources=(GPIO,), devices=null)
        one.accept(wanting("u1"), wanting("u2"))
        await until(lambda: one.status("u2").reason == "UnexpectedAdmissionError")
        assert one.workers.states["u1"].allocated.devices == {"main": {GPIO.resource: ("/dev/null",)}}
        one.accept()
        await until(lambda: one.workers.statistics().workers == 0)
        one.accept(wanting("u3"))
        await until(lambda: one.is_ready("u3"))

    play(scene)


def test_a_container_waits_for_a_device_that_was_pulled_out(play: Play, tmp_path: Path) -> None:
    async def scene(one: Node) -> None:
        stick = tmp_path / "stick"
        knows(one, device_resources=(GPIO,), devices={GPIO.resource: (str(stick),)})
        one.accept(wanting("u1"))
        await until(lambda: "CreateContainerConfigError" in str(one.status("u1").container_statuses))
        stick.symlink_to("/dev/null")
        await until(lambda: one.is_ready("u1"))

    play(scene)
