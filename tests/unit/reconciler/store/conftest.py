"""Each test that takes `store` or `opener` runs once for every implementation."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from reconciler.store.interface import Store
from tests.unit.reconciler.store.implementations import OPENERS, Opener


@pytest.fixture(params=[pytest.param(opener, id=name) for name, opener in OPENERS.items()])
def opener(request: pytest.FixtureRequest) -> Opener:
    found: Opener = request.param
    return found


@pytest.fixture
async def store(opener: Opener, tmp_path: Path) -> AsyncIterator[Store]:
    opened = await opener(tmp_path)
    yield opened
    await opened.close()
