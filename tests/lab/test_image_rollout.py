"""Images that are on a node before the pods that need them: updates over a registry that keeps them waiting."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.containerd import images as archives
from tests.lab.fleet import Fleet
from tests.lab.network import HUB
from tests.waiting import eventually

PORT = 5000
REGISTRY = f"10.91.0.1:{PORT}"
OLD, NEW, LATER = "wherry.local/busybox:1", f"{REGISTRY}/busybox-1:1", f"{REGISTRY}/busybox-2:1"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, images: Path) -> Iterator[Fleet]:
    """One node, and a registry on the hub that speaks plain HTTP."""
    agent = {"registries": {"hosts": {REGISTRY: {"plainHttp": True}}}}
    fleet = Fleet(tmp_path_factory.mktemp("rollout"), ["a"], images, agent=agent)
    served = [str(archives() / f"busybox-{number}.tar") for number in (1, 2)]
    registry = None
    try:
        fleet.start()
        command = [sys.executable, "-m", "tests.lab.registry", REGISTRY, *served]
        registry = subprocess.Popen([*fleet.network.inside(HUB), *command])
        eventually(lambda: fleet.fetch(HUB, f"http://{REGISTRY}/v2/") == "{}", 20, "the registry")
        yield fleet
    finally:
        fleet.stop()
        if registry is not None:
            registry.kill()
            registry.wait(10)


def set_mood(fleet: Fleet, **mood: Any) -> None:  # noqa: ANN401 (of `Mood`)
    command = ["curl", "-sS", "--fail", "-X", "PUT", "-d", json.dumps(mood), f"http://{REGISTRY}/mood"]
    assert fleet.network_of(HUB, command).returncode == 0


def workload(kind: str, name: str, image: str, **spec: Any) -> dict[str, Any]:  # noqa: ANN401 (any field)
    container = {"name": "main", "image": image, "command": ["sleep", "1000"]}
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {"terminationGracePeriodSeconds": 0, "containers": [container]},
    }
    spec = {"selector": {"matchLabels": {"app": name}}, "template": template, **spec}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def workloads(image: str) -> list[dict[str, Any]]:
    return [
        workload("StatefulSet", "ordered", image, serviceName="ordered"),
        workload("DaemonSet", "everywhere", image),
        workload("Deployment", "recreated", image, strategy={"type": "Recreate"}),
    ]


def ready(fleet: Fleet, image: str) -> dict[str, str]:
    """The uid of the pod of each workload that runs this image and is ready, by its label."""
    pods = [pod for pod in fleet.ready_pods() if pod["spec"]["containers"][0]["image"] == image]
    return {pod["metadata"]["labels"]["app"]: pod["metadata"]["uid"] for pod in pods}


def standing(fleet: Fleet) -> dict[str, str]:
    """How images stand that the node was told to fetch."""
    annotations = fleet.get("node", "a")["metadata"]["annotations"]
    states: dict[str, str] = json.loads(annotations.get("wherry.dev/images", "{}"))
    return states


def events(fleet: Fleet, kind: str) -> list[str]:
    found = fleet.get("events", "-A")["items"]
    return [f"{one['reason']}: {one['message']}" for one in found if one["involvedObject"]["kind"] == kind]


def test_no_pod_is_stopped_before_its_node_has_the_new_image(fleet: Fleet) -> None:
    fleet.write("all.yaml", *workloads(OLD))
    eventually(lambda: len(ready(fleet, OLD)) == 3, 60, "the old pods")
    before = ready(fleet, OLD)
    set_mood(fleet, hold=True)
    fleet.write("all.yaml", *workloads(NEW))
    eventually(lambda: standing(fleet).get(NEW) == "pulling", 30, "the pull")
    eventually(lambda: any(f'Pulling image "{NEW}"' in one for one in events(fleet, "Node")), 30, "the Event")
    assert ready(fleet, OLD) == before
    set_mood(fleet)
    eventually(lambda: len(ready(fleet, NEW)) == 3, 60, "the new pods")
    pulled = [one for one in events(fleet, "Pod") if NEW in one and one.startswith("Pulled:")]
    assert len(pulled) == 3
    assert all("already present on machine" in one for one in pulled)
    eventually(lambda: standing(fleet) == {}, 30, "nothing is waited for any more")


def test_images_of_an_annotated_object_are_pulled_wherever_it_may_run(fleet: Fleet) -> None:
    later = workload("Deployment", "later", LATER, replicas=0)
    later["metadata"]["annotations"] = {"wherry.dev/prepull": "true"}
    fleet.write("later.yaml", later)
    eventually(lambda: standing(fleet) == {LATER: "present"}, 30, "the image")
    names = [name for image in fleet.get("node", "a")["status"]["images"] for name in image["names"]]
    assert LATER in names
    fleet.delete("later.yaml")
    eventually(lambda: standing(fleet) == {}, 30, "nothing is asked for any more")
