"""The way into the API, over HTTP."""

import json
import ssl
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientResponse
from yarl import URL

from reconciler.api.limits import Bounds, InFlight
from tests.unit.reconciler.api.conftest import Served


class Http:
    """Requests as they are written, with the administrator's token unless told otherwise."""

    def __init__(self, served: Served, session: aiohttp.ClientSession) -> None:
        self.served, self._session = served, session

    def request(self, method: str, path: str, **headers: str) -> Any:  # noqa: ANN401
        sent = {name: value for name, value in ({"Authorization": "Bearer good"} | headers).items() if value}
        return self._session.request(method, URL(self.served.server.access.server + path, encoded=True), headers=sent)


@pytest.fixture
async def http(served: Served) -> AsyncIterator[Http]:
    context = ssl.create_default_context(cadata=served.server.access.authority.decode())
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
        yield Http(served, session)


def logged(served: Served) -> list[dict[str, Any]]:
    path = served.directory / "audit.log"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


async def body(response: ClientResponse) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(await response.read())
    return found


async def test_every_request_is_told_and_no_secret(http: Http) -> None:
    served = http.served
    async with http.request("GET", "/api/v1/namespaces/default/secrets/keys") as response:
        assert response.status == 200
    async with http.request("GET", "/api/v1/pods?token=hunter2", Authorization="Bearer hunter2") as response:
        assert await body(response) == {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": "Unauthorized",
            "reason": "Unauthorized",
            "code": 401,
        }
    asked = {"Authorization": "Bearer alicetoken"}
    async with http.request("DELETE", "/api/v1/namespaces/default/pods/web", **asked) as response:
        assert (await body(response))["details"] == {"name": "web", "kind": "pods"}
    async with http.request("GET", "/api/v1/pods", **{"Impersonate-User": "bob"}) as response:
        assert response.status == 403
    async with http.request("GET", "/healthz", Authorization="") as response:
        assert response.status == 200
    await served.server.gate.close()
    read, refused, denied, other = logged(served)
    assert (read["verb"], read["code"], read["decision"]) == ("get", 200, "allow")
    assert read["objectRef"] == {"resource": "secrets", "namespace": "default", "name": "keys", "apiVersion": "v1"}
    assert (read["user"]["username"], read["sourceIPs"]) == ("kubernetes-admin", ["127.0.0.1"])
    assert (refused["code"], refused.get("user"), refused["requestURI"]) == (401, None, "/api/v1/pods?token=…")
    assert (denied["user"]["username"], denied["code"], denied["decision"]) == ("alice", 403, "forbid")
    assert (other["user"]["username"], other["impersonatedUser"]["username"]) == ("kubernetes-admin", "bob")
    assert "hunter2" not in (served.directory / "audit.log").read_text()


async def test_who_asks_too_much_at_once_is_told_to_wait(http: Http) -> None:
    gate = http.served.server.gate
    gate.short = InFlight(Bounds(in_all=0, of_one=0))
    async with http.request("GET", "/api/v1/pods") as response:
        assert (response.status, response.headers["Retry-After"]) == (429, "1")
        assert (await body(response))["reason"] == "TooManyRequests"
    path = "/api/v1/namespaces/default/configmaps?watch=true&timeoutSeconds=1&resourceVersion=0"
    async with http.request("GET", path) as response:
        assert response.status == 200
        assert len(gate.long) == 1


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/namespaces/default%2Fsecrets%2Fkeys",
        "/api/v1/namespaces/other%2f..%2fdefault/secrets/keys",
        "/api/v1/namespaces/default/secrets/%256beys",
    ],
)
async def test_no_spelling_of_a_path_leads_around_the_roles(http: Http, path: str) -> None:
    async with http.request("GET", path) as response:
        assert response.status == 404


async def test_questions_are_asked_by_post_alone(http: Http) -> None:
    for path in ("authorization.k8s.io/v1/subjectaccessreviews", "authentication.k8s.io/v1/tokenreviews"):
        async with http.request("GET", f"/apis/{path}") as response:
            assert response.status == 405
    async with http.request("GET", "/api/v1/namespaces/default/serviceaccounts/robot/token") as response:
        assert response.status == 405
