"""A served cluster with something in it, and the real kubectl to ask for it."""

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from prometheus_client import CollectorRegistry, Gauge

from reconciler.api import certificate, kubeconfig
from reconciler.api.audit import AuditLog
from reconciler.api.server import ApiServer, addresses
from reconciler.api.users import User
from reconciler.store.changes import Change, Create, UpdateStatus
from reconciler.store.cluster import Cluster
from reconciler.store.sqlite import SqliteStore
from schemas.defaults import defaulted
from schemas.meta import Object, Ref
from tests.unit.reconciler.api.builders import object_of

KUBECTL = Path(sys.executable).with_name("kubectl")

INFO = dict.fromkeys(("bootID", "kubeProxyVersion", "machineID", "systemUUID"), "x") | {
    "architecture": "amd64",
    "containerRuntimeVersion": "containerd://1.6.20",
    "kernelVersion": "6.1",
    "kubeletVersion": "v1.36.2+wherry",
    "operatingSystem": "linux",
    "osImage": "Debian",
}
SPEC: dict[str, Any] = {"containers": [{"name": "c", "image": "nginx:1.25"}]}
TEMPLATE = {"metadata": {"labels": {"app": "web"}}, "spec": SPEC}
WORKLOAD = {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": TEMPLATE}


class Said(msgspec.Struct):
    """What a kubectl printed."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[list[str]]:
        """The table, split where kubectl puts three spaces or more."""
        return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in self.out.splitlines()]


class Served:
    """A server over a real store, and clients of it."""

    def __init__(self, cluster: Cluster, server: ApiServer, directory: Path) -> None:
        self.cluster, self.server, self.directory = cluster, server, directory
        self.kubeconfig = directory / "kubeconfig"
        self.approved: list[dict[str, Any]] = []

    async def start_kubectl(self, *arguments: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            KUBECTL,
            *arguments,
            env={
                "HOME": str(self.directory),
                "KUBECONFIG": str(self.kubeconfig),
                "KUBE_EDITOR": "sed -i s/old/new/",
                "PATH": os.environ["PATH"],
            },
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def try_kubectl(self, *arguments: str, stdin: str = "") -> Said:
        process = await self.start_kubectl(*arguments)
        out, err = await asyncio.wait_for(process.communicate(stdin.encode()), 60)
        return Said(process.returncode or 0, out.decode(), err.decode())

    async def kubectl(self, *arguments: str, stdin: str = "") -> Said:
        """As `try_kubectl`, and it has to succeed."""
        said = await self.try_kubectl(*arguments, stdin=stdin)
        assert said.code == 0, f"kubectl {' '.join(arguments)}: {said.err}{said.out}"
        return said

    async def apply(self, *changes: Change) -> Sequence[Any]:
        return (await self.cluster.apply(changes)).objects

    async def until(self, condition: Callable[[], bool]) -> None:
        """Waits for the cluster to be so."""
        changed = asyncio.Event()
        unsubscribe = self.cluster.cache.subscribe(lambda _: changed.set())
        async with asyncio.timeout(60):
            while not condition():
                changed.clear()
                await changed.wait()
        unsubscribe()

    def find(self, kind: str, name: str, namespace: str = "default") -> Any:  # noqa: ANN401
        found: Object | None = self.cluster.cache.find(Ref(kind, namespace, name))
        return found


def created(kind: str, name: str, namespace: str = "default", **fields: Any) -> Create:  # noqa: ANN401
    metadata = {"name": name, "namespace": namespace, "labels": {"app": name}}
    return Create(object_of({"kind": kind, "metadata": metadata} | fields))


async def fill(served: Served) -> None:
    """A node, and a little of every kind."""
    condition = {"type": "Ready", "status": "True", "reason": "AgentReady", "message": "ready"}
    usual = {"cpu": "4", "memory": "8Gi", "pods": "110"}
    address = {"type": "InternalIP", "address": "10.0.0.1"}
    node = {
        "conditions": [condition],
        "nodeInfo": INFO,
        "capacity": usual,
        "allocatable": usual,
        "addresses": [address],
    }
    running = {"image": "nginx:1.25", "imageID": "x", "name": "c", "ready": True, "restartCount": 1}
    running["state"] = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
    pod = {"phase": "Running", "podIP": "10.244.0.7", "containerStatuses": [running]}
    involved = {"apiVersion": "v1", "kind": "Pod", "name": "web", "namespace": "default"}
    await served.apply(created("Namespace", "default", ""), created("Namespace", "other", ""))
    await served.apply(
        created("Node", "n1", ""),
        created("Pod", "web", spec=SPEC | {"nodeName": "n1"}),
        created("Pod", "web", "other", spec=SPEC),
        created("Deployment", "web", spec=WORKLOAD),
        created("ReplicaSet", "web-1", spec=WORKLOAD),
        created("ConfigMap", "settings", data={"a": "1"}),
        created("Secret", "keys", stringData={"password": "hunter2"}),
        created("Service", "web", spec={"ports": [{"port": 80}], "clusterIP": "10.96.0.7", "selector": {"app": "web"}}),
        created("ServiceAccount", "robot"),
    )
    web = served.find("Pod", "web")
    event: dict[str, Any] = {
        "involvedObject": involved | {"uid": web.metadata.uid},
        "type": "Normal",
        "reason": "Started",
    }
    event |= {"message": "Started container c", "count": 1, "source": {"component": "nodeagent"}}
    event |= {"firstTimestamp": "2026-01-01T00:00:00Z", "lastTimestamp": "2026-01-01T00:00:00Z"}
    await served.apply(
        UpdateStatus(served_status(served.find("Node", "n1", ""), node)),
        UpdateStatus(served_status(web, pod)),
        created("Event", "web.1", **event),
    )


def served_status(object_: Object, status: dict[str, Any]) -> Object:
    """The object with that status."""
    type_ = type(object_.status)  # type: ignore[attr-defined]
    return msgspec.structs.replace(object_, status=msgspec.convert(status, type_))


@pytest.fixture(scope="session")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a certificate, made once: keys take their time."""
    directory = tmp_path_factory.mktemp("certified")
    certificate.make(directory, addresses("127.0.0.1"), datetime.now(UTC))
    return directory


@pytest.fixture
async def served(tmp_path: Path, certified: Path) -> AsyncIterator[Served]:
    shutil.copytree(certified, tmp_path / "api")
    store = await SqliteStore.open(tmp_path / "store.db")
    cluster = await Cluster.open(store, clock=lambda: datetime.now(UTC), admit=lambda object_, _: defaulted(object_))
    registry = CollectorRegistry()
    Gauge("wherry_test", "A gauge", registry=registry).set(7)
    approved: list[dict[str, Any]] = []

    async def approve(asked: dict[str, Any]) -> object:
        approved.append(asked)
        return {"approved": 3}

    async def status(_: Mapping[str, str]) -> object:
        return {"source": "folder", "revision": cluster.cache.revision}

    server = ApiServer(
        cluster,
        directory=tmp_path / "api",
        token="good",
        users={"alicetoken": User("alice", "alice", ("dev", "system:authenticated"))},
        audit=AuditLog(tmp_path / "audit.log", 1_000_000, 1),
        answers={"status": status},
        approve=approve,
        metrics=lambda: registry,
        webhook=lambda headers, _: cast(Any, headers.get("Verdict", "refused")),
    )
    await server.start()
    found = Served(cluster, server, tmp_path)
    found.approved = approved
    kubeconfig.write(found.kubeconfig, server.access)
    await fill(found)
    yield found
    await server.stop()
    await cluster.close()
