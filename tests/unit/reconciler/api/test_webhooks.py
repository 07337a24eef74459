"""A forge tells of a push: no token, and bounds for whoever is no forge."""

import asyncio
from collections.abc import AsyncIterator
from io import BytesIO

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from reconciler.api import webhooks
from reconciler.api.requests import MAX_BODY
from reconciler.api.status import StatusError
from reconciler.api.webhooks import Webhook
from tests.unit.reconciler.api.conftest import Served


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False)) as opened:
        yield opened


@pytest.mark.parametrize(
    ("verdict", "code", "answer"),
    [
        pytest.param("taken", 202, {"sync": True}, id="a push to what is followed"),
        pytest.param("ignored", 202, {"sync": False}, id="something else"),
    ],
)
async def test_what_is_signed_needs_no_token(
    served: Served, session: aiohttp.ClientSession, verdict: str, code: int, answer: dict[str, bool]
) -> None:
    url = served.server.access.server + webhooks.PATH
    async with session.post(url, data=b"{}", headers={"verdict": verdict}) as response:
        assert (response.status, await response.json()) == (code, answer)


async def test_what_is_not_signed_is_refused_with_one_line_in_the_log(
    served: Served, session: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    url = served.server.access.server + webhooks.PATH
    for _ in range(5):
        async with session.post(url, data=b"secret") as response:
            assert response.status == 401
    lines = [record.getMessage() for record in caplog.records if "webhook" in record.getMessage()]
    assert len(lines) == 1
    assert "secret" not in lines[0]


async def test_only_that_path_and_method_go_without_a_token(served: Served, session: aiohttp.ClientSession) -> None:
    server = served.server.access.server
    for method, path in (
        ("GET", webhooks.PATH),
        ("POST", webhooks.PATH + "/"),
        ("POST", "/wherry/v1/./approve"),
        ("POST", "/wherry/v1/webhook/../approve"),
        ("POST", "/wherry/v1/approve"),
    ):
        async with session.request(method, server + path, headers={"verdict": "taken"}) as response:
            assert response.status == 403, path


async def test_a_body_beyond_all_measure_is_refused(served: Served, session: aiohttp.ClientSession) -> None:
    url = served.server.access.server + webhooks.PATH
    async with session.post(url, data=BytesIO(b"x" * (MAX_BODY + 1)), headers={"verdict": "taken"}) as response:
        assert response.status == 413


async def test_no_more_bodies_are_read_at_once_than_there_is_memory_for() -> None:
    hook = Webhook(lambda *_: "taken")
    never: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    class Slow(web.Request):
        async def read(self) -> bytes:
            return await never

    request = make_mocked_request("POST", webhooks.PATH)
    request.__class__ = Slow
    waiting = [asyncio.create_task(hook.post(request)) for _ in range(webhooks.MOST_AT_ONCE)]
    await asyncio.sleep(0)
    with pytest.raises(StatusError) as refused:
        await hook.post(request)
    assert refused.value.code == 429
    never.set_result(b"{}")
    assert [response.status for response in await asyncio.gather(*waiting)] == [202] * webhooks.MOST_AT_ONCE


async def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "BODY_SECONDS", 0.01)

    class Silent(web.Request):
        async def read(self) -> bytes:
            await asyncio.Event().wait()
            return b""

    request = make_mocked_request("POST", webhooks.PATH)
    request.__class__ = Silent
    with pytest.raises(StatusError) as refused:
        await Webhook(lambda *_: "taken").post(request)
    assert refused.value.code == 408
