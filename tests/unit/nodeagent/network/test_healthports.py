import asyncio
import json
import socket

from nodeagent.network.healthports import Health, HealthPorts, answer, health_ports
from nodeagent.network.state import NetworkState
from schemas.network import NetworkEndpoint, NetworkService, NetworkSlice
from tests.contracts.daemons import until


def service(port: int, *endpoints: NetworkEndpoint, local: bool = True) -> NetworkService:
    return NetworkService(
        "shop",
        "web",
        "LoadBalancer",
        slices=(NetworkSlice("IPv4", endpoints=endpoints),),
        external_local=local,
        health_check_node_port=port,
    )


def test_endpoints_of_this_node_that_are_ready_count() -> None:
    found = service(
        30500,
        NetworkEndpoint("10.0.0.1", node="n1"),
        NetworkEndpoint("10.0.0.2", node="n1", ready=False),
        NetworkEndpoint("10.0.0.3", node="n2"),
    )
    assert health_ports({"services/shop/web": found}, "n1") == {30500: Health("shop", "web", 1)}
    assert health_ports({"services/shop/web": service(30500, local=False)}, "n1") == {}


def test_the_answer_is_that_of_kubernetes() -> None:
    head, _, body = answer(Health("shop", "web", 2)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"X-Load-Balancing-Endpoint-Weight: 2" in head
    assert json.loads(body) == {
        "service": {"namespace": "shop", "name": "web"},
        "localEndpoints": 2,
        "serviceProxyHealthy": True,
    }
    assert answer(Health("shop", "web", 0)).startswith(b"HTTP/1.1 503 Service Unavailable\r\n")


async def asked(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: n1\r\n\r\n")
    said = await reader.read()
    writer.close()
    await writer.wait_closed()
    return said


async def test_a_balancer_is_told_what_holds_now_for_as_long_as_the_service_is_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    ports = HealthPorts("n1")
    running = asyncio.create_task(ports.run())
    ports.update(NetworkState(services={"services/shop/web": service(port)}))
    await until(lambda: ports.open == {port})
    assert (await asked(port)).startswith(b"HTTP/1.1 503")
    ports.update(NetworkState(services={"services/shop/web": service(port, NetworkEndpoint("10.0.0.1", node="n1"))}))
    assert (await asked(port)).startswith(b"HTTP/1.1 200")
    ports.update(NetworkState())
    await until(lambda: not ports.open)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
