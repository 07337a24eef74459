"""What the lab tests share: the images, built once, and fleets of two nodes."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.fleet import Fleet
from tests.preflight import reasons

BUILD = Path(__file__).parents[2] / "examples" / "images" / "build.sh"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks every test here as `lab`, and says why where the lab cannot be."""
    missing = reasons()
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.lab)
            if missing:
                item.add_marker(pytest.mark.skip(reason="; ".join(missing)))


@pytest.fixture(scope="session", autouse=True)
def remains() -> None:
    """Removes bridges without a single pod behind them, and tables without a bridge, as a run that was killed leaves.

    The one holds the route to the pods, the other translates what passes through this machine.
    """
    links = json.loads(subprocess.check_output(["ip", "-json", "link"]))
    used = {link.get("master") for link in links}
    for name in {link["ifname"] for link in links if link["ifname"].startswith("wherry-")} - used:
        subprocess.run(["ip", "link", "delete", name], check=True)
    bridges = {link["ifname"] for link in json.loads(subprocess.check_output(["ip", "-json", "link"]))}
    for line in subprocess.check_output(["nft", "list", "tables"], text=True).splitlines():
        _, family, name = line.split()
        if name.startswith("wherry-") and name not in bridges:
            subprocess.run(["nft", "delete", "table", family, name], check=True)


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with archives of `wherry.local/pause:1` and `wherry.local/busybox:1` and `:2`."""
    folder = tmp_path_factory.mktemp("images")
    subprocess.run([BUILD, folder], check=True, timeout=300, stdout=subprocess.DEVNULL)
    return folder


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, images: Path) -> Iterator[Fleet]:
    """Two nodes, `a` and `b`; the tests of a module share it, each with names of its own."""
    fleet = Fleet(tmp_path_factory.mktemp("fleet"), ["a", "b"], images)
    try:
        fleet.start()
        yield fleet
    finally:
        fleet.stop()
