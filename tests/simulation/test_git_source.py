"""A box that follows a git repository, by the one command that it takes."""

import base64
import hashlib
import hmac
import json
import ssl
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.simulation.box import HELLO, Box, free_port
from tests.unit.reconciler.manifests.git.builders import Remote
from tests.waiting import eventually


@pytest.fixture
def fleet(tmp_path: Path) -> Remote:
    remote = Remote(tmp_path / "fleet")
    remote.commit({f"hello/{file.name}": file.read_text() for file in HELLO.iterdir() if file.is_file()})
    return remote


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    found = Box(tmp_path)
    yield found
    found.said("down")


def push(url: str, authority: bytes, body: bytes, secret: bytes) -> int:
    digest = hmac.new(secret, body, hashlib.sha256).hexdigest()
    headers = {"X-GitHub-Event": "push", "X-Hub-Signature-256": f"sha256={digest}"}
    request = urllib.request.Request(url, body, headers)
    context = ssl.create_default_context(cadata=authority.decode())
    with urllib.request.urlopen(request, context=context) as response:
        code: int = response.status
        return code


def test_a_box_follows_a_repository_and_a_webhook_spares_it_the_waiting(
    box: Box, fleet: Remote, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("shared\n")
    # All that a person adds by hand; with an hour between rounds only the webhook can be in time.
    added = {"git": fleet.url, "interval": "1h", "webhook": {"secretFile": str(tmp_path / "secret")}}
    box.set(source=added)
    chosen = ("--source-git", fleet.url, "--branch", "main", "--path", "hello")
    facts = box.asked("up", *chosen, "--port", str(free_port()), "--simulate", "1", "--detach")
    assert facts["manifests"] == fleet.url
    eventually(box.two_pods, 30)
    source = box.asked("status")["source"]
    assert (source["commit"], source["ref"], source["error"]) == (fleet.head, "branch main", "")
    extra = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: pushed}\ndata: {a: b}\n"
    commit = fleet.commit({"hello/extra.yaml": extra})
    config = yaml.safe_load(Path(facts["kubeconfig"]).read_text())
    authority = base64.b64decode(config["clusters"][0]["cluster"]["certificate-authority-data"])
    body = json.dumps({"ref": "refs/heads/main"}).encode()
    assert push(f"{facts['api']}/wherry/v1/webhook", authority, body, b"shared") == 202
    eventually(lambda: "pushed" in [one["metadata"]["name"] for one in box.live("configmaps")], 10)
    (found,) = [one for one in box.live("configmaps") if one["metadata"]["name"] == "pushed"]
    assert found["metadata"]["annotations"]["wherry.dev/commit"] == commit
    box.said("down")
    box.asked("up", "--detach")
    eventually(lambda: box.asked("status")["source"]["commit"] == commit, 10)
