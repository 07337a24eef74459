import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.api import client
from reconciler.api.client import ClientError
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
