"""`wherry plan` against a box that runs, by the commands that a person has: 50 nodes and 500 pods."""

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.simulation.box import Box, is_ready
from tests.waiting import eventually

NODES, WORKLOADS, REPLICAS = 50, 62, 8
Json = dict[str, Any]


def workload(name: str, image: str = "web:1", replicas: int = REPLICAS, **pod: object) -> Json:
    labels = {"app": name}
    container = {"name": "main", "image": image, "resources": {"requests": {"cpu": "10m"}}}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container], **pod}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
    }


def write(folder: Path, document: Json) -> None:
    (folder / f"{document['metadata']['name']}.yaml").write_text(json.dumps(document))


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    box = Box(tmp_path_factory.mktemp("fleet"))
    for file in box.manifests.iterdir():
        file.unlink()
    for number in range(WORKLOADS):
        write(box.manifests, workload(f"w{number:02}"))
    try:
        box.up(nodes=NODES)
        eventually(lambda: len(box.ready_pods()) == WORKLOADS * REPLICAS, 120, "all pods Ready")
        yield box
    finally:
        box.said("down")


def branch(box: Box) -> Path:
    """A copy of the folder, as a pull request has it."""
    copy = box.manifests.parent / "branch"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(box.manifests, copy)
    return copy


def merge(box: Box, copy: Path) -> None:
    """All files are in place before the first is seen: the folder is one that is swapped."""
    aside = box.manifests.with_name("before")
    box.manifests.rename(aside)
    copy.rename(box.manifests)
    shutil.rmtree(aside)


def planned(box: Box, folder: Path) -> Json:
    done = box.wherry("plan", str(folder), "--output", "json")
    assert done.returncode == 10, done.stderr
    plan: Json = json.loads(done.stdout)
    return plan


def placed(box: Box, name: str) -> Counter[str]:
    """How many pods of the workload are Ready on each node."""
    pods = [pod for pod in box.live("pods") if pod["metadata"]["labels"]["app"] == name]
    return Counter(pod["spec"]["nodeName"] for pod in pods if is_ready(pod))


def test_a_folder_that_is_carried_out_needs_no_plan(fleet: Box) -> None:
    done = fleet.wherry("plan", str(fleet.manifests))
    assert (done.returncode, done.stdout) == (0, "No changes: the cluster is as this folder declares it.\n")


def test_what_the_command_says_is_what_the_box_then_does(fleet: Box) -> None:
    copy = branch(fleet)
    write(copy, workload("w00", replicas=13))
    write(copy, workload("new", image="new:1", replicas=7))
    plan = planned(fleet, copy)
    assert {one["name"]: one["action"] for one in plan["objects"]} == {"w00": "change", "new": "create"}
    before = placed(fleet, "w00")
    merge(fleet, copy)
    eventually(lambda: _ready_in_the_end(fleet, WORKLOADS * REPLICAS + 5 + 7), 60, "as many pods Ready as planned")
    told = {one["name"]: one for one in plan["workloads"]}
    for name, known in (("w00", before), ("new", Counter())):
        starts = Counter({one["node"]: one["count"] for one in told[name]["pods"]})
        assert known + starts == placed(fleet, name)


def test_what_it_says_of_rollouts_and_deletions_comes_true_but_for_their_nodes(fleet: Box) -> None:
    """Where a pod of a rollout lands depends on which of the old ones goes first, which real nodes leave to chance."""
    copy = branch(fleet)
    write(copy, workload("w01", nodeSelector={"disk": "fast"}))
    write(copy, workload("w02", image="web:2"))
    (copy / "w03.yaml").unlink()
    plan = planned(fleet, copy)
    actions = {one["name"]: one["action"] for one in plan["objects"]}
    assert actions == {"w01": "change", "w02": "change", "w03": "delete"}
    told = {one["name"]: one for one in plan["workloads"]}
    merge(fleet, copy)
    others = (WORKLOADS - 4) * REPLICAS + 13 + 7
    ready = sum(one["readyAfter"] for one in told.values()) + others
    eventually(lambda: _ready_in_the_end(fleet, ready, REPLICAS), 60, "as many pods Ready as planned")
    reasons = {
        condition["message"]
        for pod in fleet.live("pods")
        for condition in pod["status"]["conditions"]
        if (condition["type"], condition["status"]) == ("PodScheduled", "False")
    }
    assert reasons == {one["reason"] for one in told["w01"]["pending"]}
    assert sum(one["count"] for one in told["w02"]["pods"]) == REPLICAS
    assert placed(fleet, "w03") == Counter()
    assert fleet.wherry("plan", str(fleet.manifests)).returncode == 0


def _ready_in_the_end(box: Box, ready: int, rolled: int = 0) -> bool:
    pods = box.live("pods")
    images = Counter(pod["spec"]["containers"][0]["image"] for pod in pods if is_ready(pod))
    ending = any("deletionTimestamp" in pod["metadata"] for pod in pods)
    return sum(images.values()) == ready and images["web:2"] == rolled and not ending


def test_a_plan_for_a_secret_of_the_cluster_shows_no_value(fleet: Box) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"}, "stringData": {"a": "first-value"}}
    copy = branch(fleet)
    write(copy, secret)
    merge(fleet, copy)
    eventually(lambda: fleet.live("secrets"), 20, "the Secret")
    copy = branch(fleet)
    write(copy, secret | {"stringData": {"a": "other-value"}})
    for output in ("text", "json", "markdown"):
        done = fleet.wherry("plan", str(copy), "--output", output)
        assert done.returncode == 10
        assert "hidden" in done.stdout
        for value in ("first-value", "other-value", "Zmlyc3QtdmFsdWU", "b3RoZXItdmFsdWU"):
            assert value not in done.stdout
