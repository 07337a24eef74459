"""Several simulated nodes in one process: real agents and MQTT clients, containers that only seem to run.

A node is stopped (as by a power cut: its containers are gone, its checkpoint is on disk), started, cut off its
link, or healed, by one line of JSON on a Unix socket.
"""

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Literal

import msgspec

from nodeagent.agent import Agent
from nodeagent.config import Config
from nodeagent.network.state import NetworkState
from nodeagent.node import simulated_machine
from nodeagent.pods.checks import Outcome, Reach, Result, address_of
from nodeagent.runtime.fake import FakeRuntime
from schemas.configuration import BrokerAddress, Section, load
from schemas.core.container import Container, HTTPGetAction
from schemas.daemon import lock, stop_signal
from schemas.messages import Config as Given

log = logging.getLogger(__name__)

LINE_LIMIT = 4096


class Simulation(Section, frozen=True, kw_only=True):
    """`nodeagent simulate --config FILE`."""

    data: Path
    broker: BrokerAddress
    control: Path
    nodes: int
    cluster: str = "default"
    start_seconds: float = 0.3
    """What the start of a simulated container takes."""


async def _hear_http(action: HTTPGetAction, container: Container, pod_ip: str, timeout: float) -> Result:
    """Only what is wrong with the probe itself shows."""
    try:
        return Result(Outcome.SUCCESS, address_of(action, container, pod_ip))
    except ValueError as error:
        return Result(Outcome.FAILURE, str(error))


async def _hear_tcp(host: str, port: int, timeout: float) -> Result:
    return Result(Outcome.SUCCESS)


async def _hear_grpc(host: str, port: int, service: str, timeout: float) -> Result:
    return Result(Outcome.SUCCESS)


SIMULATED = Reach(_hear_http, _hear_tcp, _hear_grpc)
"""A container that runs answers. Its address is made up: whoever really has it must never be asked."""


class Asked(msgspec.Struct, frozen=True):
    what: Literal["start-node", "stop-node", "cut-node", "heal-node"]
    node: str


class Wire:
    """The way from one node to the broker, which can be cut: a relay on loopback."""

    def __init__(self, host: str, port: int) -> None:
        self._there = (host, port)
        self._server: asyncio.Server | None = None
        self._carrying: set[asyncio.Task[None]] = set()
        self._whole = True

    async def lay(self) -> int:
        """Returns the port on which the node finds the broker."""
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def cut(self) -> None:
        self._whole = False
        for task in self._carrying:
            task.cancel()

    def heal(self) -> None:
        self._whole = True

    def take_up(self) -> None:
        self.cut()
        if self._server is not None:
            self._server.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._carrying.add(task)
        try:
            if self._whole:
                there, back = await asyncio.open_connection(*self._there)
                try:
                    await asyncio.gather(_pump(reader, back), _pump(there, writer))
                finally:
                    back.transport.abort()
        except OSError as error:
            log.info("a connection to the broker ended: %s", error)
        except asyncio.CancelledError:
            log.info("a connection to the broker was cut")
        finally:
            writer.transport.abort()
            self._carrying.discard(task)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until one side ends, and then both."""
    while chunk := await reader.read(65536):
        writer.write(chunk)
        await writer.drain()
    raise ConnectionResetError("closed by one side")


class SimulatedNetwork:
    """Pods have addresses, and nothing is sent to them."""

    def __init__(self, runtime: FakeRuntime) -> None:
        self._runtime = runtime

    async def lay(self, pod_cidr: str) -> None:
        self._runtime.lay_network(pod_cidr)

    def update(self, state: NetworkState) -> None:
        """Nobody asks for a Service here."""

    def configs(self, configs: Mapping[str, Given]) -> None:
        """No Ingress is served here."""

    def linked(self, linked: bool) -> None:
        """No address is answered for here."""

    def placed(self, uid: str, addresses: tuple[str, ...]) -> None:
        """No policy is held here."""


class SimulatedNode:
    """One node: an agent over simulated containers, and the wire to the broker."""

    def __init__(self, config: Config, start_seconds: float) -> None:
        endpoint = config.broker.endpoint()
        self._config = config
        self._wire = Wire(endpoint.host, endpoint.port)
        self._runtime = FakeRuntime(start_seconds=start_seconds, pod_cidr="", version="simulated://1", logs=True)
        self._port = 0
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> str:
        if self._task is not None:
            return "runs already"
        self._port = self._port or await self._wire.lay()
        self._wire.heal()
        broker = msgspec.structs.replace(self._config.broker, url=f"mqtt://127.0.0.1:{self._port}")
        config = msgspec.structs.replace(self._config, broker=broker)
        agent = Agent(
            config,
            self._runtime,
            machine=partial(simulated_machine, config.node),
            network=SimulatedNetwork(self._runtime),
            prepare=_nothing_to_prepare,
            simulation=SIMULATED,
        )
        self._task = asyncio.create_task(agent.run(), name=f"node[{config.node}]")
        self._task.add_done_callback(self._ended)
        return "started"

    async def stop(self) -> str:
        """As by a power cut: no good-bye, and all containers are gone; the checkpoint stays."""
        self._wire.cut()
        if self._task is None:
            return "is stopped already"
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._task = None
        self._runtime.reboot()
        return "stopped"

    async def cut(self) -> str:
        self._wire.cut()
        return "has no link any more; its pods run on"

    async def heal(self) -> str:
        if self._task is None:
            return "is stopped; start it with start-node"
        self._wire.heal()
        return "has a link again"

    async def end(self) -> None:
        await self.stop()
        self._wire.take_up()

    def _ended(self, task: "asyncio.Task[None]") -> None:
        """A node whose agent broke is as good as stopped: to the cluster it is away, and it can be started again."""
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("simulated node broke node=%s", self._config.node, exc_info=error)
            self._wire.cut()
            self._task = None


async def _nothing_to_prepare() -> None:
    """All images are there."""


async def serve(path: Path) -> None:
    """Runs all nodes until SIGTERM or SIGINT. Raises `BadConfiguration`, `AlreadyRunning` or `OSError`."""
    simulation = load(path, Simulation)
    stop = stop_signal()
    with contextlib.closing(lock(simulation.data)):
        nodes = {config.node: SimulatedNode(config, simulation.start_seconds) for config in _configs(simulation)}
        await asyncio.gather(*(node.start() for node in nodes.values()))
        simulation.control.unlink(missing_ok=True)
        control = await asyncio.start_unix_server(
            lambda reader, writer: _answer(nodes, reader, writer), simulation.control, limit=LINE_LIMIT
        )
        simulation.control.chmod(0o600)
        log.info("simulated nodes=%d", len(nodes))
        async with control:
            await stop.wait()
        await asyncio.gather(*(node.end() for node in nodes.values()))


def _configs(simulation: Simulation) -> list[Config]:
    names = [f"sim-{number}" for number in range(1, simulation.nodes + 1)]
    return [
        Config(
            node=name,
            cluster=simulation.cluster,
            broker=simulation.broker,
            data=simulation.data / name,
            run=simulation.data / name / "run",
        )
        for name in names
    ]


async def _answer(
    nodes: Mapping[str, SimulatedNode], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """One request, one answer: `{"what": "cut-node", "node": "sim-1"}` → `{"ok": true, "said": "…"}`."""
    try:
        async with asyncio.timeout(10):
            asked = msgspec.json.decode(await reader.readline(), type=Asked)
            node = nodes.get(asked.node)
            if node is None:
                answer = {"ok": False, "said": f"there is no node {asked.node}; there are {', '.join(nodes)}"}
            else:
                answer = {"ok": True, "said": f"{asked.node} {await getattr(node, asked.what.removesuffix('-node'))()}"}
            writer.write(msgspec.json.encode(answer) + b"\n")
            await writer.drain()
    except (ValueError, TimeoutError, ConnectionError) as error:
        log.warning("a request to the simulation was not understood: %s", error)
    finally:
        writer.close()
