"""What all nodes are told of the network, over any broker. Whoever imports these tests gives the fixture `broker`."""

from pathlib import Path

from msgspec.structs import replace

from reconciler.store.changes import Create, Delete, Update
from schemas.core.node import Node
from schemas.core.service import Service, ServicePort, ServiceSpec
from schemas.discovery import Endpoint, EndpointPort, EndpointSlice
from schemas.meta import ObjectMeta, Ref
from tests.contracts.daemons import Agent, Broker, reconciler, until


def service(name: str, address: str) -> Service:
    spec = ServiceSpec(cluster_ip=address, cluster_ips=(address,), ports=(ServicePort(80, protocol="TCP"),))
    return Service(metadata=ObjectMeta(name=name, namespace="shop"), spec=spec)


def slice_of(name: str, *addresses: str) -> EndpointSlice:
    metadata = ObjectMeta(name=f"{name}-1", namespace="shop", labels={"kubernetes.io/service-name": name})
    return EndpointSlice(
        metadata=metadata,
        address_type="IPv4",
        endpoints=tuple(Endpoint((address,)) for address in addresses),
        ports=(EndpointPort(port=8080, protocol="TCP"),),
    )


def behind(agent: Agent, name: str) -> list[str]:
    found = agent.network.state.services.get(f"services/shop/{name}")
    return [one.address for slice_ in found.slices for one in slice_.endpoints] if found else []


async def test_each_node_knows_services_with_their_endpoints_and_the_nodes(broker: Broker, tmp_path: Path) -> None:
    async with reconciler(broker, tmp_path / "r") as (cluster, _), Agent(broker, tmp_path / "a").running() as agent:
        await cluster.apply(
            [
                Create(service("web", "10.96.0.7")),
                Create(slice_of("web", "10.244.1.2", "10.244.2.2")),
                Create(Node(metadata=ObjectMeta(name="other"))),
            ]
        )
        await until(lambda: behind(agent, "web") == ["10.244.1.2", "10.244.2.2"])
        await until(lambda: "nodes/other" in agent.network.state.nodes)
        held = cluster.cache.get(EndpointSlice, "shop", "web-1")
        assert held is not None
        await cluster.apply([Update(replace(held, endpoints=held.endpoints[:1]))])
        await until(lambda: behind(agent, "web") == ["10.244.1.2"])
        await cluster.apply([Delete(Ref("Service", "shop", "web"))])
        await until(lambda: not agent.network.state.services)


async def test_what_went_while_a_node_was_away_is_gone_when_it_returns(broker: Broker, tmp_path: Path) -> None:
    async with reconciler(broker, tmp_path / "r") as (cluster, _):
        await cluster.apply([Create(service("web", "10.96.0.7")), Create(service("old", "10.96.0.8"))])
        async with Agent(broker, tmp_path / "a").running() as agent:
            await until(lambda: len(agent.network.state.services) == 2)
        await cluster.apply([Delete(Ref("Service", "shop", "old"))])
        returned = Agent(broker, tmp_path / "a")
        assert len(returned.network.state.services) == 2  # from its disk, for it may have no link
        async with returned.running():
            await until(lambda: list(returned.network.state.services) == ["services/shop/web"])


async def test_a_broker_that_forgot_is_told_again(broker: Broker, tmp_path: Path) -> None:
    async with reconciler(broker, tmp_path / "r") as (cluster, _):
        await cluster.apply([Create(service("web", "10.96.0.7"))])
        async with Agent(broker, tmp_path / "a").running() as agent:
            await until(lambda: len(agent.network.state.services) == 1)
        await broker.kill()
        await broker.start()
        async with Agent(broker, tmp_path / "b").running() as newcomer:
            await until(lambda: len(newcomer.network.state.services) == 1)


async def test_a_reconciler_that_returns_takes_back_what_is_no_more(broker: Broker, tmp_path: Path) -> None:
    async with Agent(broker, tmp_path / "a").running() as agent:
        async with reconciler(broker, tmp_path / "r") as (cluster, _):
            await cluster.apply([Create(service("web", "10.96.0.7"))])
            await until(lambda: len(agent.network.state.services) == 1)
        async with reconciler(broker, tmp_path / "another"):
            await until(lambda: not agent.network.state.services)
