"""What the page on storage shows is taken without a fault, and every claim of it is bound."""

import re
from pathlib import Path

import msgspec
import pytest

from reconciler.controllers.volumes import localpath
from reconciler.manifests.documents import load
from schemas.core.persistence import PersistentVolumeClaim
from schemas.decode import decode
from schemas.kinds import BY_NAME
from schemas.meta import Object
from tests.unit.reconciler.controllers.builders import node
from tests.unit.reconciler.controllers.volumes.builders import CONTROLLERS, bound_to, choose
from tests.unit.reconciler.controllers.world import World

PAGE = (Path(__file__).parents[2] / "docs" / "storage.md").read_text()
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def objects(block: str) -> list[Object]:
    found = load("page.yaml", block.encode())
    assert found.claims
    assert not found.faults
    decoded = []
    for claim in found.claims:
        assert claim.data is not None
        read = decode(BY_NAME[claim.ref.kind], msgspec.json.decode(claim.data))
        assert read.object is not None
        decoded.append(read.object)
    return decoded


@pytest.mark.parametrize("block", BLOCKS, ids=[re.search(r"name: (\w+)", one)[1] for one in BLOCKS])  # type: ignore[index]
def test_what_the_page_shows_works(block: str) -> None:
    world = World(CONTROLLERS)
    world.create(node("quay-1"), localpath.BUILT_IN)
    world.create(*objects(block))
    world.settle()
    for claim in world.cache.list(PersistentVolumeClaim):
        if not bound_to(world, claim.metadata.name):
            choose(world, claim.metadata.name, "quay-1")
            world.settle()
        assert bound_to(world, claim.metadata.name)
