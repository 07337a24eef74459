import gzip
import json
import zlib
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.api.finishing import LONG, as_yaml
from reconciler.api.protobuf import MAGIC
from reconciler.store.changes import Create
from tests.unit.reconciler.api.builders import config_map
from tests.unit.reconciler.api.conftest import Served
from tests.unit.reconciler.api.test_http import MAP, MAPS, Http, http

__all__ = ["http"]

YAML = "application/yaml"
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=80, deadline=None)
@given(st.dictionaries(st.text(max_size=8), VALUES, max_size=4))
def test_yaml_holds_what_json_held(document: dict[str, Any]) -> None:
    assert yaml.safe_load(as_yaml(json.dumps(document).encode())) == document


def test_text_that_looks_like_something_else_is_quoted() -> None:
    held = as_yaml(b'{"b":"1","a":"true","time":"2026-01-01T00:00:00Z","lines":"x\\ny\\n"}')
    assert held == b'a: "true"\nb: "1"\nlines: |\n  x\n  y\ntime: "2026-01-01T00:00:00Z"\n'


async def read(http: Http, path: str, **headers: str) -> tuple[Any, bytes]:
    async with http.request("GET", path, **headers) as response:
        return response, await response.read()


@pytest.mark.parametrize("path", [f"{MAPS}/settings", MAPS, f"{MAPS}/nosuch", "/version", "/apis", "/api/v1"])
async def test_any_answer_comes_in_yaml_for_who_asks(http: Http, path: str) -> None:
    plain, body = await read(http, path)
    response, text = await read(http, path, Accept=YAML)
    assert (response.status, response.content_type) == (plain.status, YAML)
    assert yaml.load(text, yaml.BaseLoader) == yaml.load(as_yaml(body), yaml.BaseLoader)


async def test_a_body_in_yaml_is_read(http: Http, served: Served) -> None:
    body = b"metadata: {name: made}\ndata: {a: b, c: 'yes'}\n"
    assert (await http.json("POST", MAPS, body, Content_Type=YAML))[0] == 201
    assert served.find("ConfigMap", "made").data == {"a": "b", "c": "yes"}
    for broken in (b"a: b: c", b"- a", b"", b"a: *nowhere"):
        status, document = await http.json("POST", MAPS, broken, Content_Type=YAML)
        assert (status, document["reason"]) == (400, "BadRequest")
        assert document["message"].startswith("the object provided is unrecognized (must be of type ConfigMap): yaml: ")


async def test_yaml_that_cannot_be_read_is_told_of_as_kubernetes_tells(http: Http) -> None:
    _, document = await http.json("POST", MAPS, b"a: b: c", Content_Type=YAML)
    assert document["message"] == (
        "the object provided is unrecognized (must be of type ConfigMap): "
        "yaml: mapping values are not allowed in this context (613a20623a2063)"
    )


async def test_a_body_nested_too_deep_is_refused(http: Http) -> None:
    for media, body in ((YAML, b"[" * 100_000), ("application/json", b'{"a":' * 100_000)):
        assert (await http.json("POST", MAPS, body, Content_Type=media))[0] == 400


async def test_a_body_says_what_it_is(http: Http) -> None:
    refused = await http.json("POST", MAPS, b"x", Content_Type="text/plain")
    accepted = "application/json, application/yaml, application/vnd.kubernetes.protobuf"
    assert refused[0] == 415
    assert refused[1]["message"] == (
        f"the body of the request was in an unknown format - accepted media types include: {accepted}"
    )
    broken = await http.json("POST", MAPS, MAGIC + b"\xff", Content_Type="application/vnd.kubernetes.protobuf")
    assert broken[0] == 400


async def test_nothing_is_made_whose_answer_would_not_be_taken(http: Http, served: Served) -> None:
    assert (await http.json("POST", MAPS, MAP, Accept="text/plain"))[0] == 406
    assert served.find("ConfigMap", "new") is None


async def test_people_get_lines(http: Http) -> None:
    _, text = await read(http, f"{MAPS}/settings?pretty=true")
    assert text.startswith(b'{\n  "kind": "ConfigMap"') or text.startswith(b'{\n  "apiVersion"')
    _, text = await read(http, f"{MAPS}/nosuch", User_Agent="curl/8.0")
    assert text.startswith(b'{\n  "kind": "Status",\n')


async def test_long_answers_are_packed_for_who_can_unpack_them(http: Http, served: Served) -> None:
    await served.apply(*(Create(config_map(f"many-{index}", note="x" * 60)) for index in range(1200)))
    _, plain = await read(http, MAPS, Accept_Encoding="identity")
    assert len(plain) > LONG
    for query in ("", "?pretty=true"):
        response, body = await read(http, MAPS + query, Accept_Encoding="gzip")
        assert response.headers["Content-Encoding"] == "gzip"
        assert response.headers["Vary"] == "Accept-Encoding"
        assert json.loads(unpacked(body)) == json.loads(plain)
    small, _ = await read(http, f"{MAPS}/settings", Accept_Encoding="gzip")
    assert "Content-Encoding" not in small.headers


def unpacked(body: bytes) -> bytes:
    """The client may have done so already."""
    try:
        return gzip.decompress(body)
    except (gzip.BadGzipFile, zlib.error):
        return body


async def test_openapi_is_sent_once_to_who_keeps_it(http: Http) -> None:
    _, index = await read(http, "/openapi/v3")
    address = json.loads(index)["paths"]["apis/batch/v1"]["serverRelativeURL"]
    response, body = await read(http, address)
    assert "public" in response.headers["Cache-Control"]
    assert json.loads(body)["paths"]["/apis/batch/v1/namespaces/{namespace}/jobs"]
    tag = response.headers["ETag"]
    again, nothing = await read(http, address, If_None_Match=tag)
    assert (again.status, nothing) == (304, b"")
    whole, body = await read(http, "/openapi/v2")
    assert (whole.status, json.loads(body)["swagger"]) == (200, "2.0")
    moved, _ = await read(http, "/openapi/v3/apis/batch/v1?hash=OLD")
    assert moved.history[0].status == 301
    missing, _ = await read(http, "/openapi/v3/apis/nosuch/v1")
    assert missing.status == 404


async def test_discovery_comes_in_the_form_asked_for(http: Http) -> None:
    aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    response, body = await read(http, "/apis", Accept=f"{aggregated},application/json")
    assert json.loads(body)["kind"] == "APIGroupDiscoveryList"
    assert response.headers["Content-Type"] == aggregated
    assert (response.headers["Cache-Control"], response.headers["Vary"]) == ("public", "Accept")
    again, _ = await read(http, "/apis", Accept=aggregated, If_None_Match=response.headers["ETag"])
    assert again.status == 304
    older, _ = await read(http, "/apis", Accept=aggregated.replace("v=v2", "v=v2beta1"))
    assert older.status == 406
    _, body = await read(http, "/apis", Accept="application/json")
    assert json.loads(body)["kind"] == "APIGroupList"
    _, body = await read(http, "/")
    assert "/apis/apps/v1" in json.loads(body)["paths"]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        pytest.param("/apis/nosuch.example.com", True, id="group"),
        pytest.param("/apis/nosuch.example.com/v1", True, id="version of no group"),
        pytest.param("/apis/nosuch.example.com/v1/things", True, id="resource of no group"),
        pytest.param("/apis/apps/v9", False, id="version"),
        pytest.param("/apis/apps/v9/deployments", False, id="resource of no version"),
        pytest.param("/nosuch", True, id="path"),
    ],
)
async def test_what_is_not_there_is_told_as_kubernetes_tells_it(http: Http, path: str, text: bool) -> None:
    response, body = await read(http, path)
    assert (response.status, response.content_type) == (404, "text/plain" if text else "application/json")
    if text:
        assert body == b"404 page not found\n"
