"""A Compose project in the folder of a box: its services run, and follow what is saved."""

from pathlib import Path

from tests.simulation.box import Box
from tests.waiting import eventually

PROJECT = """
services:
  front:
    image: web:1
    volumes: ["./front.conf:/etc/front.conf:ro"]
    depends_on: [back]
  back:
    image: web:1
    environment: {MODE: "${MODE}"}
    volumes: ["kept:/data"]
volumes: {kept: {}}
"""


def services(box: Box) -> set[str]:
    return {name.rpartition("-")[0].rpartition("-")[0] for name in box.ready_pods()} & {"front", "back"}


def pods(box: Box) -> dict[str, str]:
    return {name: node for name, node in box.ready_pods().items() if name.startswith(("front-", "back-"))}


def test_a_project_runs_and_a_file_beside_it_replaces_the_pods_that_mount_it(box: Box) -> None:
    shop = Path(box.manifests) / "shop"
    shop.mkdir()
    (shop / ".env").write_text("MODE=quiet\n")
    (shop / "front.conf").write_text("a = 1\n")
    (shop / "compose.yaml").write_text(PROJECT)
    eventually(lambda: services(box) == {"front", "back"}, 20, "both services run")
    before = pods(box)
    (claim,) = box.items("pvc")
    assert (claim["metadata"]["name"], claim["status"]["phase"]) == ("shop-kept", "Bound")
    (volume,) = box.items("pv")
    (back,) = (node for name, node in before.items() if name.startswith("back-"))
    assert volume["metadata"]["annotations"]["wherry.dev/node"] == back
    (shop / "front.conf").write_text("a = 2\n")

    def replaced() -> bool:
        after = pods(box)
        changed = before.keys() - after.keys()
        return len(after) == 2 and {name.partition("-")[0] for name in changed} == {"front"}

    eventually(replaced, 20, "the pod that mounts the file is another one")
    (shop / "compose.yaml").write_text(PROJECT.replace("image: web:1\n    volumes", "build: .\n    volumes"))
    eventually(lambda: any("not built here" in str(fault) for fault in faults(box)), 20, "the fault is told")
    assert services(box) == {"front", "back"}


def faults(box: Box) -> list[object]:
    found: list[object] = box.asked("status")["manifests"]["faults"]
    return found
