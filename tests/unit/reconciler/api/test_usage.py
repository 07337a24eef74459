"""What nodes and pods use, as clients of a metrics server ask for it."""

import re
import shlex
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from reconciler.api import kubeconfig, measuring, usage
from reconciler.api.server import ApiServer
from reconciler.store.changes import UpdateStatus
from schemas.messages import MetricsBatch, PodUsage, Usage
from tests.unit.reconciler.api.conftest import Served, served_status

PAGE = Path(__file__).parents[4] / "docs" / "api.md"
TAKEN = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
async def reports(served: Served) -> AsyncIterator[dict[str, MetricsBatch]]:
    """Those of the served cluster, for a test to fill."""
    await served.server.stop()
    found: dict[str, MetricsBatch] = {}

    async def approve(_: object) -> object:
        return {}

    server = ApiServer(
        served.cluster,
        directory=served.directory / "api",
        token="good",
        answers={},
        approve=approve,
        metrics=CollectorRegistry,
        streams=measuring.routes(served.cluster.cache, lambda: found),
    )
    await server.start()
    kubeconfig.write(served.kubeconfig, server.access)
    yield found
    await server.stop()


def report(served: Served) -> MetricsBatch:
    pod = PodUsage(served.find("Pod", "web").metadata.uid, {"c": Usage(2_000_000, 3 * 1024**2)})
    gone = PodUsage("no-such-pod", {"c": Usage(1, 1)})
    return MetricsBatch(1, TAKEN, 30.0, Usage(250_000_000, 512 * 1024**2), (pod, gone))


async def test_top_shows_nodes_and_pods(served: Served, reports: dict[str, MetricsBatch]) -> None:
    reports["n1"] = report(served)
    top = await served.kubectl("top", "nodes")
    assert [row[0].split() for row in map(lambda line: [line], top.out.splitlines())] == [
        ["NAME", "CPU(cores)", "CPU(%)", "MEMORY(bytes)", "MEMORY(%)"],
        ["n1", "250m", "6%", "512Mi", "6%"],
    ]
    pods = await served.kubectl("top", "pods", "--containers")
    assert [line.split() for line in pods.out.splitlines()] == [
        ["POD", "NAME", "CPU(cores)", "MEMORY(bytes)"],
        ["web", "c", "2m", "3Mi"],
    ]


async def test_the_commands_of_the_page_on_the_api_run(served: Served, reports: dict[str, MetricsBatch]) -> None:
    reports["n1"] = report(served)
    commands = re.findall(r"^    kubectl (.+)$", PAGE.read_text(), re.MULTILINE)
    assert len(commands) > 5
    for command in commands:
        await served.kubectl(*shlex.split(command))


async def test_top_says_when_there_are_no_metrics_yet(served: Served, reports: dict[str, MetricsBatch]) -> None:
    assert (await served.try_kubectl("top", "nodes")).err == "error: metrics not available yet\n"
    missing = await served.try_kubectl("top", "node", "n1")
    assert missing.err == 'Error from server (NotFound): nodemetrics.metrics.k8s.io "n1" not found\n'
    pod = await served.try_kubectl("top", "pod", "web")
    assert pod.err == 'Error from server (NotFound): podmetrics.metrics.k8s.io "default/web" not found\n'
    nothing = await served.try_kubectl("top", "pod", "nosuch")
    assert nothing.err == 'Error from server (NotFound): pods "nosuch" not found\n'


async def test_a_node_that_is_away_uses_nothing(served: Served, reports: dict[str, MetricsBatch]) -> None:
    reports["n1"] = report(served)
    status = {"conditions": [{"type": "Ready", "status": "Unknown"}]}
    await served.apply(UpdateStatus(served_status(served.find("Node", "n1", ""), status)))
    assert (await served.try_kubectl("top", "nodes")).err == "error: metrics not available yet\n"


async def test_metrics_are_found_by_label_and_shown_as_a_table(
    served: Served, reports: dict[str, MetricsBatch]
) -> None:
    reports["n1"] = report(served)
    assert (await served.kubectl("top", "pods", "-A", "-l", "app=web", "--no-headers")).out.split()[:2] == [
        "default",
        "web",
    ]
    nothing = await served.try_kubectl("top", "pods", "-l", "app=other")
    assert "No resources found in default namespace." in nothing.err
    assert (await served.kubectl("get", "nodes.metrics.k8s.io")).rows == [
        ["NAME", "CPU", "MEMORY", "WINDOW"],
        ["n1", "250000000n", "524288Ki", "30s"],
    ]
    assert (await served.kubectl("get", "pods.metrics.k8s.io")).rows[1] == ["web", "2m", "3Mi", "30s"]


async def test_metrics_cannot_be_written_or_watched(served: Served, reports: dict[str, MetricsBatch]) -> None:
    said = await served.try_kubectl("delete", "--raw", "/apis/metrics.k8s.io/v1beta1/nodes/n1")
    assert "MethodNotAllowed" in said.err
    said = await served.try_kubectl("get", "--raw", "/apis/metrics.k8s.io/v1beta1/nodes?watch=1")
    assert "MethodNotAllowed" in said.err


def test_a_window_is_written_as_go_writes_durations() -> None:
    batch = MetricsBatch(1, TAKEN, 90.5, Usage(1, 1))
    assert [usage.window(msgspec.structs.replace(batch, window_seconds=each)) for each in (30.0, 20.25, 90.5)] == [
        "30s",
        "20.25s",
        "1m30.5s",
    ]
