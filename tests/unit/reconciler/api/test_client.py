import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.api import client, protobuf
from reconciler.api.client import ClientError
from reconciler.api.options import DeleteOptions, Preconditions
from reconciler.api.status import StatusError
from tests.unit.reconciler.api.conftest import Served


async def got(served: Served, capsys: pytest.CaptureFixture[str], *arguments: str, **more: Any) -> str:  # noqa: ANN401
    assert await asyncio.to_thread(client.get, served.kubeconfig, *arguments, **more) == 0
    return capsys.readouterr().out


ASKED: list[tuple[tuple[str, ...], dict[str, Any], tuple[str, ...]]] = [
    (("pods",), {}, ()),
    (("nodes",), {}, ()),
    (("deploy", "web"), {}, ()),
    (("secrets",), {}, ()),
    (("pods",), {"namespace": None}, ("-A",)),
    (("pods",), {"output": "wide"}, ("-o", "wide")),
    (("deploy",), {"output": "name"}, ("-o", "name")),
]


async def test_get_prints_as_kubectl_does(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, more, options in ASKED:
        ours = await got(served, capsys, *arguments, **more)
        theirs = (await served.kubectl("get", *arguments, *options)).out
        assert without_ages(ours) == without_ages(theirs)


def without_ages(text: str) -> str:
    """A second may pass between one answer and the next."""
    return re.sub(r"\b\d+s\b", "0s", text)


async def test_get_prints_documents(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(await got(served, capsys, "cm", "settings", output="json"))
    assert document["data"] == {"a": "1"}
    assert yaml.safe_load(await got(served, capsys, "cm", "settings", output="yaml")) == document


async def test_get_selects(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    assert await got(served, capsys, "pods", selector="app=web", output="name") == "pod/web\n"
    assert await asyncio.to_thread(client.get, served.kubeconfig, "pods", selector="app=no") == 0
    assert capsys.readouterr().err == "No resources found\n"


async def test_what_goes_wrong_is_said(served: Served, tmp_path: Path) -> None:
    with pytest.raises(ClientError, match="Error from server \\(NotFound\\): pods"):
        await asyncio.to_thread(client.get, served.kubeconfig, "pods", "nosuch")
    with pytest.raises(ClientError, match="there is no kind 'nosuch'; those served: configmaps, "):
        client.get(served.kubeconfig, "nosuch")
    with pytest.raises(ClientError, match="say which with -n"):
        client.get(served.kubeconfig, "pods", "web", namespace=None)
    with pytest.raises(ClientError, match="no such file; is Wherry running"):
        client.get(tmp_path / "nosuch", "pods")
    await served.server.stop()
    with pytest.raises(ClientError, match="no answer from https://"):
        await asyncio.to_thread(client.get, served.kubeconfig, "pods")


async def test_calls_reach_wherrys_own_endpoints(served: Served) -> None:
    status = await asyncio.to_thread(client.call, served.kubeconfig, "GET", "/wherry/v1/status")
    assert status["source"] == "folder"
    assert await asyncio.to_thread(client.call, served.kubeconfig, "POST", "/wherry/v1/approve") == {"approved": 3}


def field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        encoded = bytearray([number << 3])
        while value > 0x7F:
            encoded.append(value & 0x7F | 0x80)
            value >>= 7
        return bytes((*encoded, value))
    return bytes((number << 3 | 2, len(value))) + value


def test_delete_options_are_read_from_protobuf() -> None:
    preconditions = field(1, b"u") + field(2, b"7")
    message = field(1, 300) + field(2, preconditions) + field(3, 1) + field(4, b"Orphan") + field(5, b"All")
    body = b"k8s\x00" + field(1, field(1, b"v1")) + field(2, message) + field(3, b"") + field(4, b"")
    assert protobuf.delete_options(body) == DeleteOptions(300, "Orphan", True, Preconditions("u", "7"), ("All",))
    negative = b"k8s\x00" + field(2, field(1, (1 << 64) - 5))
    assert protobuf.delete_options(negative).grace_period_seconds == -5
    assert protobuf.delete_options(b"k8s\x00") == DeleteOptions()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"k8s\x00\x12\x09cut",
        b"k8s\x00" + field(2, b"\x0d1234"),
        b"k8s\x00" + field(2, b"\x08" + b"\xff" * 11),
        b"k8s\x00" + field(2, field(4, 1)),
        b"k8s\x00" + field(2, b"\x08"),
    ],
)
def test_a_body_that_is_no_delete_options_is_refused(body: bytes) -> None:
    with pytest.raises(StatusError) as caught:
        protobuf.delete_options(body)
    assert caught.value.code == 400
