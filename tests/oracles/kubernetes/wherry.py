"""A Wherry for the recordings to be replayed against: the reconciler and its nodes as processes of their own."""

import contextlib
import http.client
import json
import secrets
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import yaml

from reconciler.api import certificate
from tests.oracles.kubernetes.realnode import RealNode
from tests.simulation.box import free_port, is_ready
from tests.waiting import eventually

TOKENS = {"admin": "admintoken", "alice": "alicetoken", "bad token": "nosuchtoken"}
"""What users of the recordings show."""
_TOKENS_FILE = 'admintoken,kubernetes-admin,admin,"system:masters"\nalicetoken,alice,alice,dev\n'
_LOOPBACK = "0x7f.1"
"""Written so that it does not read as loopback: what pods get of an API that they can reach, they get here too."""
_REQUEST_SECONDS = 30.0
_END_SECONDS = 15.0
_LOG = 2_000
NODES = ("node-1", "node-2", "node-3")


class Answer(msgspec.Struct, frozen=True):
    """A response whose body was read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:  # noqa: ANN401 - JSON
        return json.loads(self.body)


class Wherry:
    """A running one."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        port = free_port()
        self.server = f"127.0.0.1:{port}"
        self._listen = f"{_LOOPBACK}:{port}"
        self.kubeconfig = directory / "client.kubeconfig"
        self._broker = f"127.0.0.1:{free_port()}"
        self._password = directory / "broker.secret"
        self._started: list[subprocess.Popen[bytes]] = []
        self._tls = ssl.create_default_context()
        self._tls.check_hostname = False
        self._tls.verify_mode = ssl.CERT_NONE

    def start(self, nodes: Sequence[str] = NODES, real: RealNode | None = None) -> None:
        """Returns when all nodes are Ready. The `real` one runs containers; the others play them."""
        (self.directory / "manifests").mkdir()
        (self.directory / "tokens.csv").write_text(_TOKENS_FILE)
        self._password.write_text(secrets.token_urlsafe(16))
        config = self.directory / "reconciler.yaml"
        config.write_text(yaml.safe_dump(self._settings()))
        broker = {"url": f"mqtt://{self._broker}", "username": "wherry", "passwordFile": str(self._password)}
        played = [name for name in nodes if real is None or name != real.name]
        self._start_reconciler(config)
        self.stop()  # the history of a reconciler begins with its start: the first revisions are long gone
        self._start_reconciler(config)
        self._write_kubeconfig()
        if real is not None:
            self._run(real.name, "nodeagent", "--config", str(real.configure(self.directory, broker)))
        if played:
            settings = {"broker": broker, "data": str(self.directory / "nodes"), "nodes": played}
            self._run("nodes", "tests.oracles.kubernetes.nodes", json.dumps(settings))
        eventually(lambda: self._ready() == sorted(nodes), 20, "the nodes are not Ready")

    def stop(self) -> None:
        for process in reversed(self._started):
            process.terminate()
        for process in reversed(self._started):
            try:
                process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._started.clear()

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        user: str | None = "admin",
        headers: Mapping[str, str] | None = None,
        seconds: float = _REQUEST_SECONDS,
    ) -> Answer:
        """One request, without a User-Agent. A body that is no text is sent as JSON."""
        sent = dict(headers or {})
        content = body.encode() if isinstance(body, str) else None if body is None else json.dumps(body).encode()
        if content is not None:
            sent.setdefault("Content-Type", "application/json")
        if user is not None:
            sent["Authorization"] = f"Bearer {TOKENS[user]}"
        connection = http.client.HTTPSConnection(self.server, timeout=seconds, context=self._tls)
        try:
            connection.request(method, path, content, sent)
            response = connection.getresponse()
            return Answer(response.status, _joined(response.getheaders()), response.read())
        finally:
            connection.close()

    def done(self, method: str, path: str, body: object = None, content_type: str = "application/json") -> Any:  # noqa: ANN401
        """The answer to a request that has to succeed."""
        answer = self.call(method, path, body, headers={"Content-Type": content_type})
        if answer.status >= 300:
            raise ValueError(f"{method} {path}: {answer.status} {answer.body[:500]!r}")
        return answer.json()

    def logs(self) -> str:
        """The ends of what its processes said."""
        return "\n".join(f"{path.name}:\n{path.read_text()[-_LOG:]}" for path in sorted(self.directory.glob("*.log")))

    def resident_bytes(self) -> int:
        """The reconciler's resident memory."""
        return self._memory("VmRSS")

    def peak_bytes(self) -> int:
        """The most that its resident memory was since `forget_peak`."""
        return self._memory("VmHWM")

    def forget_peak(self) -> None:
        Path(f"/proc/{self._started[0].pid}/clear_refs").write_text("5")

    def _memory(self, field: str) -> int:
        status = Path(f"/proc/{self._started[0].pid}/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith(field))

    def _settings(self) -> dict[str, Any]:
        return {
            "manifests": str(self.directory / "manifests"),
            "data": str(self.directory / "reconciler"),
            "tolerationSeconds": 300,  # as Kubernetes does
            "embeddedBroker": {"listen": self._broker, "passwordFile": str(self._password)},
            "api": {"listen": self._listen, "tokensFile": str(self.directory / "tokens.csv")},
        }

    def _write_kubeconfig(self) -> None:
        """As the recordings had it: one client certificate."""
        keys = self.directory / "reconciler" / "pki"
        (self.directory / "client.pem").write_bytes(
            certificate.issue(keys, "kubernetes-admin", ["system:masters"], 2, datetime.now(UTC))
        )
        pem = str(self.directory / "client.pem")
        user = {"client-certificate": pem, "client-key": pem}
        cluster = {"server": f"https://{self.server}", "insecure-skip-tls-verify": True}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "kubernetes", "cluster": cluster}],
            "users": [{"name": "kubernetes-admin", "user": user}],
            "contexts": [{"name": "kubernetes", "context": {"cluster": "kubernetes", "user": "kubernetes-admin"}}],
            "current-context": "kubernetes",
        }
        self.kubeconfig.write_text(yaml.safe_dump(document))

    def _start_reconciler(self, config: Path) -> None:
        self._run("reconciler", "reconciler.start", "--config", str(config))
        eventually(self._answers, 20, "the API does not answer")

    def _run(self, name: str, module: str, *arguments: str) -> None:
        with (self.directory / f"{name}.log").open("wb") as log:
            command = [sys.executable, "-m", module, *arguments]
            self._started.append(subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL))

    def _answers(self) -> bool:
        if (code := self._started[0].poll()) is not None:
            raise SystemExit((self.directory / "reconciler.log").read_text() + f"the reconciler ended with {code}")
        return self.call("GET", "/readyz").status == 200

    def _ready(self) -> list[str]:
        items = self.call("GET", "/api/v1/nodes").json()["items"]
        return sorted(node["metadata"]["name"] for node in items if is_ready(node))


def _joined(headers: Sequence[tuple[str, str]]) -> Mapping[str, str]:
    """By name; one that comes more than once has all of its values, as in the recordings."""
    found: dict[str, str] = {}
    for name, value in headers:
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


@contextlib.contextmanager
def running(real: RealNode | None = None) -> Iterator[Wherry]:
    """A fresh one, in a folder that goes with it."""
    with tempfile.TemporaryDirectory(prefix="wherry-oracle-") as folder:
        wherry = Wherry(Path(folder))
        try:
            try:
                wherry.start(real=real)
            except AssertionError as error:
                raise AssertionError(f"{error}\n{wherry.logs()}") from error
            yield wherry
        finally:
            wherry.stop()
            if real is not None:
                real.remove(wherry.directory)
