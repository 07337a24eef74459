"""The node's metrics, as Prometheus reads them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from prometheus_client.parser import text_string_to_metric_families

from nodeagent.local.metrics import Seen, rendered
from nodeagent.local.scrape import MAX_HEAD, Scraped
from nodeagent.pods.observed import Observed
from nodeagent.pods.podstate import PodState
from nodeagent.runtime.interface import ContainerUsage
from nodeagent.stats import Look
from nodeagent.tallies import Tallies
from schemas.core.podstatus import ContainerState, ContainerStateRunning, ContainerStatus, PodStatus
from tests.unit.nodeagent.local.test_tables import node
from tests.unit.nodeagent.pods.builders import pod

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def state() -> PodState:
    one = PodState(pod(), {}, Observed(), NOW)
    running = ContainerState(running=ContainerStateRunning(NOW))
    main = ContainerStatus(name="main", image='a"b\\c', image_id="", ready=True, restart_count=2, state=running)
    one.status = PodStatus(phase="Running", container_statuses=(main,))
    return one


def told(**more: object) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    tallies = Tallies()
    tallies.operation("RunPodSandbox", 0.25, failed=False)
    tallies.operation("RunPodSandbox", 0.5, failed=True)
    tallies.probes["Liveness", "success"] += 7
    usage = ContainerUsage(container_id="c", taken_at=NOW, cpu_nanoseconds=1_500_000_000, memory_bytes=4096)
    look = Look(0.0, 9_000_000_000, 1024, {"c": usage})
    text = rendered(node(conditions={"Ready": "True"}), [state()], tallies, Seen(3, look, {"c": ("u1", "main")}))
    families = text_string_to_metric_families(text.decode())
    return {(one.name, tuple(sorted(one.labels.items()))): one.value for family in families for one in family.samples}


def test_a_parser_of_prometheus_reads_what_the_node_tells() -> None:
    found = told()
    main = (("container", "main"), ("namespace", "default"), ("pod", "web"))
    operation = (("operation_type", "RunPodSandbox"),)
    expected = {
        ("wherry_pods", (("phase", "Running"),)): 2,
        ("kubelet_running_pods", ()): 1,
        ("kubelet_running_containers", (("container_state", "running"),)): 1,
        ("wherry_container_restarts_total", main): 2,
        ("container_cpu_usage_seconds_total", main): 1.5,
        ("container_memory_working_set_bytes", main): 4096,
        ("node_cpu_usage_seconds_total", ()): 9,
        ("wherry_link_up", ()): 1,
        ("wherry_outbox_messages", ()): 3,
        ("wherry_node_condition", (("condition", "Ready"),)): 1,
        ("wherry_written_bytes_total", (("what", "agent"),)): 4096,
        ("prober_probe_total", (("probe_type", "Liveness"), ("result", "success"))): 7,
        ("kubelet_runtime_operations_total", operation): 2,
        ("kubelet_runtime_operations_errors_total", operation): 1,
        ("kubelet_runtime_operations_duration_seconds_sum", operation): 0.75,
    }
    assert expected.items() <= found.items()


def test_what_nobody_measured_is_left_out() -> None:
    text = rendered(node(), [], Tallies(), Seen()).decode()
    assert "cpu_usage" not in text
    assert "prober" not in text


@asynccontextmanager
async def scraped(metrics: Callable[[], bytes]) -> AsyncIterator[Callable[[bytes], "asyncio.Future[bytes]"]]:
    one = Scraped("127.0.0.1:0", metrics)
    server = await asyncio.start_server(one._connected, "127.0.0.1", 0, limit=MAX_HEAD)
    port = server.sockets[0].getsockname()[1]

    async def ask(request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        try:
            return await reader.read()
        finally:
            writer.close()

    try:
        yield ask  # type: ignore[misc]
    finally:
        server.close()


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        pytest.param(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", b"200 OK", id="what is there"),
        pytest.param(b"GET /metrics?x=1 HTTP/1.1\r\n\r\n", b"200 OK", id="with a query"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", b"404 Not Found", id="another path"),
        pytest.param(b"POST /metrics HTTP/1.1\r\n\r\n", b"405 Method Not Allowed", id="another method"),
        pytest.param(b"GET /" + b"x" * 2 * MAX_HEAD, b"431 Request Header Fields", id="too long"),
    ],
)
async def test_it_answers_for_metrics_and_nothing_else(request_: bytes, status: bytes) -> None:
    async with scraped(lambda: b"up 1\n") as ask:
        answer = await ask(request_)
        assert answer.startswith(b"HTTP/1.1 " + status)
        assert (b"up 1\n" in answer) is (status == b"200 OK")
