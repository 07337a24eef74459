"""What the lab tests share: the images, built once, and fleets of two nodes."""

import fcntl
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.containerd import images as archives
from tests.lab.fleet import Fleet
from tests.preflight import reasons


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks every test here as `lab`, and says why where the lab cannot be."""
    missing = reasons()
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.lab)
            if missing:
                item.add_marker(pytest.mark.skip(reason="; ".join(missing)))


@pytest.fixture(scope="session", autouse=True)
def remains() -> Iterator[None]:
    """Removes what a run that was killed left behind, unless another run is beside this one: it may be the other's.

    Each run holds the lock until it ends, however it ends.
    """
    with (Path(tempfile.gettempdir()) / f"wherry-lab-{os.getuid()}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            fcntl.flock(lock, fcntl.LOCK_SH)
        else:
            remove_remains()
            fcntl.flock(lock, fcntl.LOCK_SH)
        yield


def remove_remains() -> None:
    """Bridges without a single pod behind them, and tables without a bridge.

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
def images() -> Path:
    """A folder with archives of `wherry.local/pause:1` and `wherry.local/busybox:1` and `:2`, which stay."""
    return archives()


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, images: Path) -> Iterator[Fleet]:
    """Two nodes, `a` and `b`; the tests of a module share it, each with names of its own."""
    fleet = Fleet(tmp_path_factory.mktemp("fleet"), ["a", "b"], images)
    try:
        fleet.start()
        yield fleet
    finally:
        fleet.stop()
