"""What Prometheus reads is what the rooms say at that moment."""

from datetime import UTC, datetime

import msgspec
from prometheus_client import generate_latest

from reconciler.metrics import registry
from schemas.messages import MetricsBatch, Usage


class Room(msgspec.Struct, frozen=True):
    connected: bool = True
    queued: int = 3
    longest_step_seconds: float = 0.25
    reconciled: dict[str, int] = {}
    id: str = "x"


def batch(cores: int, memory: int) -> MetricsBatch:
    usage = Usage(cpu_nanocores=cores, memory_bytes=memory)
    return MetricsBatch(epoch=1, taken_at=datetime(2026, 1, 1, tzinfo=UTC), window_seconds=30, node=usage)


def lines(found: bytes) -> list[str]:
    return [line for line in found.decode().splitlines() if line.startswith("wherry_")]


def test_each_number_of_a_room_is_a_gauge_of_its_own_and_nothing_else_is() -> None:
    told = lines(generate_latest(registry({"link": Room}, dict)))
    assert told == ["wherry_link_connected 1.0", "wherry_link_queued 3.0", "wherry_link_longest_step_seconds 0.25"]


def test_rooms_are_asked_at_each_scrape() -> None:
    asked = iter((Room(queued=1), Room(queued=2)))
    found = registry({"link": lambda: next(asked)}, dict)  # and not when it is made
    assert "wherry_link_queued 1.0" in lines(generate_latest(found))
    assert "wherry_link_queued 2.0" in lines(generate_latest(found))


def test_what_a_node_uses_is_told_under_its_name() -> None:
    usage = {"n1": batch(250_000_000, 1 << 20)}
    found = registry({}, lambda: usage)
    assert lines(generate_latest(found)) == [
        'wherry_node_cpu_cores{node="n1"} 0.25',
        'wherry_node_memory_bytes{node="n1"} 1.048576e+06',
    ]
    del usage["n1"]
    assert lines(generate_latest(found)) == []


def test_the_process_itself_is_among_the_metrics() -> None:
    assert b"\nprocess_resident_memory_bytes " in generate_latest(registry({}, dict))
