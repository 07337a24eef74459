"""What Prometheus reads: the rooms' own statistics, asked for at the moment of the scrape."""

from collections.abc import Callable, Iterable, Mapping

import msgspec
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from schemas.messages import MetricsBatch


class Rooms(Collector):
    """Each number that a room's `statistics()` holds, as `wherry_<room>_<name>`."""

    def __init__(self, rooms: Mapping[str, Callable[[], msgspec.Struct]]) -> None:
        self._rooms = rooms

    def collect(self) -> Iterable[Metric]:
        for room, statistics in self._rooms.items():
            for name, value in msgspec.structs.asdict(statistics()).items():
                if isinstance(value, int | float):
                    yield GaugeMetricFamily(f"wherry_{room}_{name}", f"{name} of the {room}", value=float(value))


class Nodes(Collector):
    """What the nodes said last of what they use."""

    def __init__(self, usage: Callable[[], Mapping[str, MetricsBatch]]) -> None:
        self._usage = usage

    def collect(self) -> Iterable[Metric]:
        cpu = GaugeMetricFamily("wherry_node_cpu_cores", "CPU in use on the node", labels=["node"])
        memory = GaugeMetricFamily("wherry_node_memory_bytes", "Memory in use on the node", labels=["node"])
        for node, batch in self._usage().items():
            cpu.add_metric([node], batch.node.cpu_nanocores / 1e9)
            memory.add_metric([node], batch.node.memory_bytes)
        yield cpu
        yield memory


def registry(
    rooms: Mapping[str, Callable[[], msgspec.Struct]], usage: Callable[[], Mapping[str, MetricsBatch]]
) -> CollectorRegistry:
    """All of it, and the process itself (memory, CPU, open files)."""
    found = CollectorRegistry()
    found.register(Rooms(rooms))
    found.register(Nodes(usage))
    ProcessCollector(registry=found)
    return found
