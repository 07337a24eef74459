from datetime import UTC, datetime, timedelta

from nodeagent.runtime.interface import ContainerUsage
from nodeagent.stats import Look, batch, parse_memory_in_use, parse_stat
from schemas.messages import PodUsage, Usage

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
STAT = "cpu  100 20 30 5000 600 7 8 9 50 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n"


def usage(id_: str, at: int, cpu: int) -> ContainerUsage:
    return ContainerUsage(container_id=id_, taken_at=NOW + timedelta(seconds=at), cpu_nanoseconds=cpu, memory_bytes=5)


def look(at: float, node: int, *usages: ContainerUsage) -> Look:
    return Look(at, node, 1000, {one.container_id: one for one in usages})


def test_a_cpu_is_busy_when_it_neither_idles_nor_waits() -> None:
    assert parse_stat(STAT, 100) == (100 + 20 + 30 + 7 + 8) * 10_000_000
    assert parse_stat("", 100) == 0


def test_memory_in_use_is_what_is_not_available() -> None:
    assert parse_memory_in_use("MemTotal:       100 kB\nMemFree: 10 kB\nMemAvailable:    40 kB\n") == 60 * 1024


def test_rates_are_differences_over_the_time_between() -> None:
    before, after = look(10, 0, usage("c", 0, 100)), look(12, 4_000, usage("c", 2, 700))
    told = batch(1, NOW, before, after, {"c": ("u", "app")})
    assert (told.window_seconds, told.node) == (2, Usage(2_000, 1000))
    assert told.pods == (PodUsage("u", {"app": Usage(300, 5)}),)


def test_a_container_that_is_new_or_begins_anew_or_is_nobodys_is_left_out() -> None:
    before = look(0, 0, usage("again", 0, 100), usage("other", 0, 1))
    after = look(1, 0, usage("again", 1, 50), usage("new", 1, 9), usage("other", 1, 2))
    assert batch(1, NOW, before, after, {"again": ("u", "a"), "new": ("u", "n")}).pods == ()
