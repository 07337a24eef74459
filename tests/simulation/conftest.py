"""Boxes with simulated nodes: one that the tests of a module share, and one for a test alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import tests.properties  # noqa: F401 - how properties are tried
from tests.simulation.box import Box
from tests.waiting import eventually


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """Runs, with both pods of examples/hello Ready on three nodes; pods leave a node that is away after a second."""
    box = Box(tmp_path_factory.mktemp("box"))
    box.set(tolerationSeconds=1)
    try:
        box.up()
        eventually(lambda: len(box.ready_pods()) == 2 and len(box.ready_nodes()) == 3, 20, "two pods, three nodes")
        yield box
    finally:
        box.said("down")


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Box]:
    """Does not run yet."""
    box = Box(tmp_path)
    try:
        yield box
    finally:
        box.said("down")
