"""What is in the folder is what runs: rolled out, put back, removed, and kept where a file is broken."""

import random
import time
from pathlib import Path

import yaml

from tests.lab.fleet import Fleet
from tests.lab.manifests import deployment
from tests.waiting import eventually, holds

EDIT_SECONDS = 0.02
"""How long each of the quick edits stays on disk: a version that nobody could have read cannot be the last good one."""


def images_of(fleet: Fleet, app: str) -> set[str]:
    return {pod["spec"]["containers"][0]["image"] for pod in fleet.ready_pods(f"app={app}")}


def environments(fleet: Fleet) -> list[bytes]:
    """What every running container was given, as the kernel has it."""
    processes = {pid for node in fleet.nodes for pid in fleet.running(node).values()}
    return [Path(f"/proc/{pid}/environ").read_bytes() for pid in processes]


def settled(fleet: Fleet, app: str, count: int, limit: float = 60) -> list[str]:
    """Waits until exactly `count` pods of the app exist and are ready; their uids."""

    def uids() -> list[str]:
        pods = fleet.pods(f"app={app}")
        ready = fleet.ready_pods(f"app={app}")
        return sorted(pod["metadata"]["uid"] for pod in ready) if len(pods) == len(ready) == count else []

    return eventually(uids, limit, f"{count} ready pods of {app}")


def test_a_new_image_is_rolled_out_without_ever_too_few_ready_pods(fleet: Fleet) -> None:
    fleet.write("image.yaml", deployment("image", replicas=3, max_unavailable=1))
    settled(fleet, "image", 3)
    fleet.write("image.yaml", deployment("image", replicas=3, max_unavailable=1, image="wherry.local/busybox:2"))
    lowest = 3

    def done() -> bool:
        nonlocal lowest
        lowest = min(lowest, len(fleet.ready_pods("app=image")))
        return images_of(fleet, "image") == {"wherry.local/busybox:2"} and len(fleet.pods("app=image")) == 3

    eventually(done, 60, "all pods have the new image")
    assert lowest >= 2


def test_a_changed_environment_variable_reaches_new_containers_one_at_a_time(fleet: Fleet) -> None:
    fleet.write("env.yaml", deployment("env", env={"COLOUR": "blue"}))
    before = settled(fleet, "env", 2)
    fleet.write("env.yaml", deployment("env", env={"COLOUR": "green"}))
    lowest = 2

    def replaced() -> bool:
        nonlocal lowest
        ready = {pod["metadata"]["uid"] for pod in fleet.ready_pods("app=env")}
        lowest = min(lowest, len(ready))
        return len(ready) == 2 and not ready & set(before)

    eventually(replaced, 60, "both pods replaced")
    assert lowest == 2
    assert sum(b"COLOUR=green" in environment for environment in environments(fleet)) == 2
    eventually(lambda: not any(b"COLOUR=blue" in environment for environment in environments(fleet)), 20)


def test_more_and_fewer_replicas_leave_the_others_alone(fleet: Fleet) -> None:
    fleet.write("scale.yaml", deployment("scale", replicas=1))
    (kept,) = settled(fleet, "scale", 1)
    fleet.write("scale.yaml", deployment("scale", replicas=3))
    assert kept in settled(fleet, "scale", 3)
    fleet.write("scale.yaml", deployment("scale", replicas=1))
    settled(fleet, "scale", 1)


def test_a_deleted_file_takes_its_containers_with_it(fleet: Fleet) -> None:
    fleet.write("gone.yaml", deployment("gone", env={"MARK": "gone-mark"}))
    settled(fleet, "gone", 2)
    fleet.delete("gone.yaml")
    eventually(lambda: not fleet.pods("app=gone"), 60, "no pods")
    assert "gone" not in [d["metadata"]["name"] for d in fleet.get("deployments")["items"]]
    assert not [r for r in fleet.get("rs")["items"] if r["metadata"]["name"].startswith("gone-")]
    assert not any(b"MARK=gone-mark" in environment for environment in environments(fleet))


def test_a_broken_file_keeps_the_old_version_and_names_file_line_and_field(fleet: Fleet) -> None:
    fleet.write("broken.yaml", deployment("broken", replicas=1))
    before = settled(fleet, "broken", 1)
    text = yaml.safe_dump(deployment("broken", replicas=2), sort_keys=False)
    broken = text.replace("image: wherry", "imagee: wherry")
    line = next(number for number, row in enumerate(broken.splitlines(), 1) if "imagee" in row)
    fleet.write("broken.yaml", broken)

    def said() -> bool:
        return any(
            all(word in event["message"] for word in (f"broken.yaml:{line}", "imagee", "image"))
            for event in fleet.get("events")["items"]
        )

    eventually(said, 30, "an event that names the line and the field")
    assert settled(fleet, "broken", 1) == before
    assert fleet.get("deployment", "broken")["spec"]["replicas"] == 1
    fleet.write("broken.yaml", deployment("broken", replicas=2))
    assert before[0] in settled(fleet, "broken", 2)


def test_what_is_deleted_or_changed_by_hand_is_put_back(fleet: Fleet) -> None:
    fleet.write("drift.yaml", deployment("drift", replicas=1))
    settled(fleet, "drift", 1)
    fleet.kubectl("delete", "deployment", "drift", "--wait=false")
    eventually(lambda: fleet.get("deployment", "drift")["status"].get("readyReplicas") == 1, 60, "the Deployment again")


def test_a_change_of_the_page_reaches_the_running_container(fleet: Fleet) -> None:
    page = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "page"}, "data": {"index.html": "one"}}
    web = deployment(
        "web",
        replicas=1,
        command=["httpd", "-f", "-p", "8080", "-h", "/www"],
        volumeMounts=[{"name": "page", "mountPath": "/www"}],
    )
    web["spec"]["template"]["spec"]["volumes"] = [{"name": "page", "configMap": {"name": "page"}}]
    fleet.write("web.yaml", page, web)
    before = settled(fleet, "web", 1)
    (pod,) = fleet.ready_pods("app=web")
    node, url = pod["spec"]["nodeName"], f"http://{pod['status']['podIP']}:8080/"
    assert fleet.fetch(node, url) == "one"
    fleet.write("web.yaml", page | {"data": {"index.html": "two"}}, web)
    eventually(lambda: fleet.fetch(node, url) == "two", 30, "the new page")
    assert settled(fleet, "web", 1) == before


def test_200_quick_edits_half_of_them_broken_end_at_the_last_good_version_of_each_file(fleet: Fleet) -> None:
    chance = random.Random(4)
    last: dict[str, str] = {}
    for number in range(200):
        name = f"quick-{chance.randrange(8)}"
        config = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name},
            "data": {"number": str(number)},
        }
        text = yaml.safe_dump(config)
        if number >= 8 and chance.random() < 0.5:
            broken = [text.replace("data:", "dota:"), text + "  - [", text.replace("ConfigMap", "ConfigMop")]
            fleet.write(f"quick/{name}.yaml", chance.choice(broken))
        else:
            fleet.write(f"quick/{name}.yaml", text)
            last[name] = str(number)
        time.sleep(EDIT_SECONDS)

    def contents() -> dict[str, str]:
        return {
            item["metadata"]["name"]: item["data"]["number"]
            for item in fleet.get("configmaps")["items"]
            if item["metadata"]["name"].startswith("quick-")
        }

    eventually(lambda: contents() == last or None, 30, f"the last good versions {last}")
    holds(lambda: contents() == last, 1.0)
