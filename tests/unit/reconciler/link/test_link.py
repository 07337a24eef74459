"""The link over the embedded broker."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from reconciler.link.broker import embedded_broker
from tests.contracts.calls import *  # noqa: F403
from tests.contracts.link import *  # noqa: F403
from tests.contracts.network import *  # noqa: F403


class Embedded:
    username, password = "wherry", "secret"

    def __init__(self) -> None:
        self.port = 0
        self._running = AsyncExitStack()

    async def start(self) -> None:
        broker = embedded_broker("127.0.0.1", self.port, self.username, self.password)
        self.port = await self._running.enter_async_context(broker)

    async def kill(self) -> None:
        await self._running.aclose()


@pytest.fixture
async def broker() -> AsyncIterator[Embedded]:
    embedded = Embedded()
    await embedded.start()
    yield embedded
    await embedded.kill()
