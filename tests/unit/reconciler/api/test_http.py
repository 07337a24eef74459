import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from io import BytesIO
from typing import Any

import aiohttp
import pytest

from reconciler.api import kubeconfig
from reconciler.api.requests import MAX_BODY
from reconciler.store.changes import Create, Delete, Update
from schemas.meta import Ref
from tests.unit.reconciler.api.builders import config_map
from tests.unit.reconciler.api.conftest import Served

MAPS = "/api/v1/namespaces/default/configmaps"
MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "new"}}


class Http:
    """Plain requests, with the token unless told otherwise."""

    def __init__(self, served: Served, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._root = served.server.access.server

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> Any:  # noqa: ANN401
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        usual = {"Authorization": "Bearer good"} | ({"Content-Type": "application/json"} if body is not None else {})
        data = body if isinstance(body, bytes | BytesIO) or body is None else json.dumps(body).encode()
        sent = {name: value for name, value in (usual | given).items() if value}
        return self._session.request(method, self._root + path, data=data, headers=sent, skip_auto_headers=["Accept"])

    async def json(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:  # noqa: ANN401
        async with self.request(method, path, body, **headers) as response:
            return response.status, await response.json()


@pytest.fixture
async def http(served: Served) -> AsyncIterator[Http]:
    context = ssl.create_default_context(cadata=served.server.access.authority.decode())
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
        yield Http(served, session)


CASES = [
    pytest.param("GET", MAPS + "/nosuch", None, 404, "NotFound", 'configmaps "nosuch" not found', id="missing"),
    pytest.param(
        "GET",
        "/apis/apps/v1/namespaces/default/deployments/nosuch",
        None,
        404,
        "NotFound",
        'deployments.apps "nosuch" not found',
        id="missing in a group",
    ),
    pytest.param(
        "GET",
        "/api/v1/namespaces/default/nosuchthings",
        None,
        404,
        "NotFound",
        "the server could not find the requested resource",
        id="resource",
    ),
    pytest.param(
        "POST",
        MAPS,
        MAP | {"metadata": {"name": "settings"}},
        409,
        "AlreadyExists",
        'configmaps "settings" already exists',
        id="exists",
    ),
    pytest.param(
        "POST",
        MAPS,
        MAP | {"metadata": {"name": "x", "namespace": "other"}},
        400,
        "BadRequest",
        "the namespace of the provided object does not match the namespace sent on the request",
        id="other namespace",
    ),
    pytest.param(
        "POST",
        MAPS,
        MAP | {"metadata": {}},
        422,
        "Invalid",
        'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required',
        id="no name",
    ),
    pytest.param(
        "POST",
        "/api/v1/namespaces/nosuch/configmaps",
        MAP,
        404,
        "NotFound",
        'namespaces "nosuch" not found',
        id="no namespace",
    ),
    pytest.param(
        "POST",
        MAPS + "?dryRun=Some",
        MAP,
        422,
        "Invalid",
        'CreateOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: ["Some"]: supported values: "All"',
        id="dry run",
    ),
    pytest.param(
        "PUT",
        MAPS + "/settings",
        MAP,
        400,
        "BadRequest",
        "the name of the object (new) does not match the name on the URL (settings)",
        id="other name",
    ),
    pytest.param(
        "PUT",
        MAPS + "/settings",
        MAP | {"metadata": {"name": "settings", "resourceVersion": "1"}},
        409,
        "Conflict",
        'Operation cannot be fulfilled on configmaps "settings": the object has been modified; please apply your '
        "changes to the latest version and try again",
        id="older version",
    ),
    pytest.param(
        "POST",
        MAPS + "/settings",
        MAP,
        405,
        "MethodNotAllowed",
        "the server does not allow this method on the requested resource",
        id="method",
    ),
    pytest.param(
        "DELETE",
        "/api/v1/configmaps",
        None,
        405,
        "MethodNotAllowed",
        "the server does not allow this method on the requested resource",
        id="delete everywhere",
    ),
    pytest.param(
        "GET",
        MAPS + "?fieldSelector=data.a%3Db",
        None,
        400,
        "BadRequest",
        '"data.a" is not a known field selector: only "metadata.name", "metadata.namespace"',
        id="field selector",
    ),
    pytest.param(
        "DELETE",
        "/api/v1/namespaces/default",
        None,
        403,
        "Forbidden",
        'namespaces "default" is forbidden: this namespace may not be deleted',
        id="protected",
    ),
    pytest.param(
        "PATCH",
        "/apis/apps/v1/namespaces/default/deployments/web/scale",
        {"spec": {"replicas": -1}},
        422,
        "Invalid",
        'Scale.autoscaling "web" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0',
        id="negative scale",
    ),
]


@pytest.mark.parametrize(("method", "path", "body", "code", "reason", "message"), CASES)
async def test_errors_are_those_of_kubernetes(
    http: Http,
    method: str,
    path: str,
    body: dict[str, Any] | None,
    code: int,
    reason: str,
    message: str,
) -> None:
    media = "application/merge-patch+json" if method == "PATCH" else "application/json" if body else ""
    status, document = await http.json(method, path, body, Content_Type=media)
    assert (status, document["kind"], document["reason"], document["message"]) == (code, "Status", reason, message)
    assert document["code"] == code


async def test_a_body_has_a_form_and_a_size(http: Http) -> None:
    assert (await http.json("POST", MAPS, b"x", Content_Type="text/plain"))[0] == 415
    assert (await http.json("PATCH", MAPS + "/settings", {}))[0] == 415
    for body in (b"{", b"[]", b""):
        assert (await http.json("POST", MAPS, body))[0] == 400
    status, document = await http.json("POST", MAPS, BytesIO(b" " * (MAX_BODY + 1)))
    assert (status, document["reason"]) == (413, "RequestEntityTooLarge")


async def test_without_the_token_only_health_and_version_answer(http: Http) -> None:
    for path in ("/healthz", "/livez", "/readyz", "/version"):
        async with http.request("GET", path, Authorization="") as response:
            assert response.status == 200
    for path in ("/api", "/apis/apps/v1", MAPS, "/metrics", "/wherry/v1/status", "/nosuch"):
        status, document = await http.json("GET", path, Authorization="")
        assert (status, document["reason"]) == (403, "Forbidden")
        assert 'User "system:anonymous" cannot ' in document["message"]
        status, document = await http.json("GET", path, Authorization="Bearer bad")
        assert (status, document["message"]) == (401, "Unauthorized")


async def test_nothing_is_done_in_the_name_of_another(http: Http) -> None:
    status, document = await http.json("GET", MAPS, Impersonate_User="bob")
    assert (status, document["reason"]) == (403, "Forbidden")


async def test_wherry_adds_its_status_approval_and_metrics(served: Served, http: Http) -> None:
    assert (await http.json("GET", "/wherry/v1/status"))[1]["source"] == "folder"
    assert await http.json("POST", "/wherry/v1/approve", {"object": "x"}) == (200, {"approved": 3})
    assert await http.json("POST", "/wherry/v1/approve") == (200, {"approved": 3})
    assert served.approved == [{"object": "x"}, {}]
    async with http.request("GET", "/metrics") as response:
        assert "wherry_test 7.0" in await response.text()
    async with http.request("GET", "/nosuch") as response:
        assert (response.status, await response.text()) == (404, "404 page not found\n")


async def test_a_delete_answers_with_what_is_left(served: Served, http: Http) -> None:
    uid = served.find("ConfigMap", "settings").metadata.uid
    wrong = {"preconditions": {"uid": "other"}}
    status, document = await http.json("DELETE", MAPS + "/settings", wrong)
    assert (status, document["reason"]) == (409, "Conflict")
    assert "the UID in the precondition (other) does not match" in document["message"]
    status, document = await http.json("DELETE", MAPS + "/settings", {"preconditions": {"uid": uid}})
    assert (status, document["status"], document["details"]["uid"]) == (200, "Success", uid)
    await served.apply(Create(config_map("held")))
    await http.json("PATCH", MAPS + "/held", {"metadata": {"finalizers": ["example.com/x"]}}, Content_Type=MERGE)
    status, document = await http.json("DELETE", MAPS + "/held")
    assert (status, document["metadata"]["finalizers"]) == (200, ["example.com/x"])
    assert document["metadata"]["deletionTimestamp"]
    await http.json("PATCH", MAPS + "/held", {"metadata": {"finalizers": None}}, Content_Type=MERGE)
    assert served.find("ConfigMap", "held") is None


MERGE = "application/merge-patch+json"


async def test_a_scale_is_told_as_a_row_to_whoever_asks_for_rows(served: Served, http: Http) -> None:
    web = "/apis/apps/v1/namespaces/default/deployments/rows"
    spec = {
        "replicas": 3,
        "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}},
    }
    await http.json("POST", web.rpartition("/")[0], {"metadata": {"name": "rows"}, "spec": spec})
    status, table = await http.json("GET", f"{web}/scale", Accept="application/json;as=Table;v=v1;g=meta.k8s.io")
    assert (status, table["kind"]) == (200, "Table")
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Desired", "Available", "Age"]
    assert table["rows"][0]["cells"][:3] == ["rows", 3, 0]


async def test_resources_of_a_running_pod_stay_as_they_are(served: Served, http: Http) -> None:
    pods = "/api/v1/namespaces/default/pods"
    spec = {"containers": [{"name": "c", "image": "i"}]}
    await http.json("POST", pods, {"metadata": {"name": "sized"}, "spec": spec})
    change = {"spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": "10m"}}}]}}
    media = {"Content-Type": "application/strategic-merge-patch+json"}
    status, refused = await http.json("PATCH", f"{pods}/sized/resize", change, **media)
    assert status == 422
    assert "Pod running on node without support for resize" in refused["message"]
    status, found = await http.json("GET", f"{pods}/sized/resize")
    assert (status, found["kind"]) == (200, "Pod")


async def test_who_takes_protobuf_alone_gets_it(served: Served, http: Http) -> None:
    media = "application/vnd.kubernetes.protobuf"
    for path, kind in (("", "NamespaceList"), ("/default", "Namespace"), ("/none", "Status")):
        async with http.request("GET", f"/api/v1/namespaces{path}", Accept=media) as answer:
            assert answer.headers["Content-Type"] == media
            body = await answer.read()
        assert body.startswith(b"k8s\0")
        assert kind.encode() in body[:40]


async def test_a_status_is_written_apart_from_the_rest(served: Served, http: Http) -> None:
    path = "/apis/apps/v1/namespaces/default/deployments/web"
    both = {"spec": {"replicas": 9}, "status": {"readyReplicas": 1}}
    await http.json("PATCH", path + "/status", both, Content_Type=MERGE)
    assert served.find("Deployment", "web").status.ready_replicas == 1
    assert served.find("Deployment", "web").spec.replicas == 2
    await http.json("PATCH", path, {"spec": {"replicas": 9}, "status": {"readyReplicas": 5}}, Content_Type=MERGE)
    assert served.find("Deployment", "web").status.ready_replicas == 1
    assert served.find("Deployment", "web").spec.replicas == 9


async def test_patches_at_the_same_time_are_all_kept(served: Served, http: Http) -> None:
    patches = [{"data": {f"k{number}": "v"}} for number in range(4)]
    sent = (http.json("PATCH", MAPS + "/settings", patch, Content_Type=MERGE) for patch in patches)
    assert [status for status, _ in await asyncio.gather(*sent)] == [200] * 4
    assert set(served.find("ConfigMap", "settings").data) == {"a", "k0", "k1", "k2", "k3"}


async def test_what_the_server_writes_is_not_taken_from_a_client(served: Served, http: Http) -> None:
    metadata = {"name": "new", "uid": "mine", "generation": 77, "selfLink": "/x"}
    status, document = await http.json("POST", MAPS, MAP | {"metadata": metadata})
    assert status == 201
    assert document["metadata"]["uid"] != "mine"
    assert document["metadata"].get("generation") != 77


async def test_fields_that_a_kind_does_not_have_are_refused_or_warned_about_as_asked(http: Http) -> None:
    odd = {"metadata": {"name": "odd", "nope": 1}, "datta": {}, "data": {"a": "b"}}
    status, document = await http.json("POST", MAPS + "?dryRun=All&fieldValidation=Strict", odd)
    assert status == 400
    assert 'strict decoding error: unknown field "metadata.nope", unknown field "datta"' in document["message"]
    async with http.request("POST", MAPS + "?dryRun=All", odd) as response:
        assert response.status == 201
        assert (await response.json())["data"] == {"a": "b"}
        assert response.headers.getall("Warning") == [
            '299 - "unknown field \\"metadata.nope\\""',
            '299 - "unknown field \\"datta\\""',
        ]
    async with http.request("POST", MAPS + "?dryRun=All&fieldValidation=Ignore", odd) as response:
        assert (response.status, "Warning" in response.headers) == (201, False)
    assert (await http.json("POST", MAPS + "?fieldValidation=Nope", odd))[0] == 422
    wrong = odd | {"data": {"a": 1}}
    assert (await http.json("POST", MAPS + "?fieldValidation=Ignore", wrong))[0] == 400


async def test_a_patch_that_gives_a_field_another_type_is_told_with_what_it_made(http: Http) -> None:
    status, document = await http.json("PATCH", MAPS + "/settings", {"data": {"z": 1}}, Content_Type=MERGE)
    why = "json: cannot unmarshal number into Go struct field ConfigMap.data of type string"
    assert (status, document["reason"]) == (422, "Invalid")
    assert document["message"].startswith(' "" is invalid: patch: Invalid value: "{')
    assert '\\"data\\":{\\"a\\":' in document["message"]
    assert document["message"].endswith(f": {why}")
    assert [cause["field"] for cause in document["details"]["causes"]] == ["patch"]


async def test_a_patch_that_gives_a_field_of_a_secret_another_type_is_told_without_it(http: Http) -> None:
    path = "/api/v1/namespaces/default/secrets/keys"
    status, document = await http.json("PATCH", path, {"data": {"z": 1}}, Content_Type=MERGE)
    assert status == 400
    assert "aHVudGVyMg" not in document["message"]


async def test_a_json_patch_reaches_into_lists(served: Served, http: Http) -> None:
    patch = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "busybox"}]
    path = "/apis/apps/v1/namespaces/default/deployments/web"
    status, _ = await http.json("PATCH", path, patch, Content_Type="application/json-patch+json")
    assert status == 200
    assert served.find("Deployment", "web").spec.template.spec.containers[0].image == "busybox"


async def test_a_name_is_made_from_its_beginning(http: Http) -> None:
    status, document = await http.json("POST", MAPS, MAP | {"metadata": {"generateName": "auto-"}})
    assert status == 201
    assert document["metadata"]["name"].startswith("auto-")
    assert len(document["metadata"]["name"]) == len("auto-") + 5


async def test_a_long_list_arrives_whole(served: Served, http: Http) -> None:
    await served.apply(*(Create(config_map(f"c{number:04}", long="x" * 60)) for number in range(600)))
    async with http.request("GET", MAPS + "?labelSelector=long") as response:
        assert response.headers["Transfer-Encoding"] == "chunked"
        assert len((await response.json())["items"]) == 600


async def test_a_watch_that_is_cut_and_resumed_tells_every_change_once_and_in_order(served: Served, http: Http) -> None:
    changes = 120
    revision = served.cluster.cache.revision

    async def write() -> None:
        for number in range(changes):
            name = f"c{number % 7}"
            ref = Ref("ConfigMap", "default", name)
            if served.cluster.cache.find(ref) is None:
                await served.apply(Create(config_map(name, n=str(number))))
            elif number % 3:
                await served.apply(Update(config_map(name, n=str(number))))
            else:
                await served.apply(Delete(ref))

    async def follow() -> list[tuple[str, str, int]]:
        found, last = list[tuple[str, str, int]](), revision
        while len(found) < changes:
            path = f"{MAPS}?watch=1&resourceVersion={last}&allowWatchBookmarks=true"
            async with http.request("GET", path) as response:
                for _ in range(17):  # then the connection is cut, in the middle of whatever comes
                    line = json.loads(await response.content.readline())
                    metadata = line["object"]["metadata"]
                    last = int(metadata["resourceVersion"])
                    found.append((line["type"], metadata["name"], last))
                    if len(found) == changes:
                        break
        return found

    async with asyncio.timeout(60):
        found, _ = await asyncio.gather(follow(), write())
    assert found == [
        (event.type, event.object.metadata.name, event.revision) for event in served.cluster.cache.since(revision)
    ]
    await served.server.stop()
    assert len(served.server.resources.hub) == 0


async def test_a_client_that_goes_ends_its_watch(served: Served, http: Http) -> None:
    async with http.request("GET", MAPS + "?watch=1") as response:
        await response.content.readline()
        assert len(served.server.resources.hub) == 1
    gone = asyncio.Event()
    hub = served.server.resources.hub
    loop = asyncio.get_running_loop()

    def look() -> None:
        if len(hub):
            loop.call_later(0.01, look)
        else:
            gone.set()

    look()
    await asyncio.wait_for(gone.wait(), 60)


async def test_a_fault_of_ours_is_answered_and_logged_once(
    served: Served, http: Http, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(_: object) -> object:
        raise RuntimeError("broken")

    monkeypatch.setitem(served.server.answers, "status", broken)
    status, document = await http.json("GET", "/wherry/v1/status")
    assert (status, document["reason"]) == (500, "InternalError")
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == [
        "request failed method=GET path=/wherry/v1/status"
    ]


async def test_the_port_and_the_kubeconfig_stay_over_a_restart(served: Served) -> None:
    before = served.kubeconfig.read_text()
    port = served.server.port
    await served.server.stop()
    await served.server.start()
    assert served.server.port == port
    assert not kubeconfig.write(served.kubeconfig, served.server.access)
    assert served.kubeconfig.read_text() == before
