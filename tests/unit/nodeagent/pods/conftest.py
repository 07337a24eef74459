"""A scene on a node of its own, in virtual time."""

from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest

from nodeagent.runtime.fake import FakeRuntime
from tests.unit.nodeagent.pods.builders import Node, node
from tests.unit.nodeagent.pods.virtual import run

Scene = Callable[[Node], Coroutine[None, None, None]]


@pytest.fixture
def play(tmp_path: Path) -> Callable[..., None]:
    """Runs a scene on a node of its own."""

    def played(scene: Scene, runtime: FakeRuntime | None = None) -> None:
        async def whole() -> None:
            async with node(tmp_path, runtime) as one:
                await scene(one)

        run(whole())

    return played
