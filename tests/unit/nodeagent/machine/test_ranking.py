"""Which pod goes first, and what it is told."""

import pytest

from nodeagent.machine.ranking import PodUse, Use, is_critical, low_message, ranked, requested
from nodeagent.machine.thresholds import MEMORY, NODEFS, PIDS, Amount, Observation, Threshold
from schemas.core.container import Container, ResourceRequirements
from schemas.core.pod import Pod, PodSpec
from schemas.meta import ObjectMeta

MIB = 1024**2


def pod(
    name: str, *, asks: dict[str, str] | None = None, priority: int = 0, annotations: dict[str, str] | None = None
) -> Pod:
    container = Container(name="main", image="x", resources=ResourceRequirements(requests=dict(asks or {})))
    return Pod(
        metadata=ObjectMeta(name=name, namespace="default", uid=name, annotations=annotations or {}),
        spec=PodSpec(containers=(container,), priority=priority),
    )


def use(what: Pod, **amounts: int) -> PodUse:
    return PodUse(what, {"main": Use(**amounts)})


def order(signal: str, *uses: PodUse) -> list[str]:
    return [one.pod.metadata.name for one in ranked(uses, signal)]


def test_those_that_use_more_than_they_asked_for_go_first() -> None:
    modest = use(pod("modest", asks={"memory": "500Mi"}, priority=-5), memory=400 * MIB)
    greedy = use(pod("greedy", asks={"memory": "10Mi"}, priority=100), memory=11 * MIB)
    assert order(MEMORY, modest, greedy) == ["greedy", "modest"]


def test_among_them_the_lowest_priority_goes_first() -> None:
    low = use(pod("low", priority=1), memory=1 * MIB)
    high = use(pod("high", priority=2), memory=900 * MIB)
    assert order(MEMORY, high, low) == ["low", "high"]


def test_at_one_priority_the_largest_excess_goes_first() -> None:
    small = use(pod("small", asks={"memory": "100Mi"}), memory=200 * MIB)
    large = use(pod("large", asks={"memory": "400Mi"}), memory=700 * MIB)
    assert order(MEMORY, small, large) == ["large", "small"]


def test_of_process_ids_nobody_asked_for_any() -> None:
    few = use(pod("few"), pids=3, memory=900 * MIB)
    many = use(pod("many"), pids=300)
    assert order(PIDS, few, many) == ["many", "few"]


def test_volumes_count_for_disk() -> None:
    logs = use(pod("logs"), storage=5 * MIB)
    filler = PodUse(pod("filler"), {}, {"cache": Use(storage=50 * MIB)})
    assert order(NODEFS, logs, filler) == ["filler", "logs"]


@pytest.mark.parametrize(
    ("what", "critical"),
    [
        pytest.param(pod("a", priority=2_000_000_000), True, id="of a system's priority"),
        pytest.param(pod("a", priority=1_999_999_999), False, id="just below"),
        pytest.param(pod("a", annotations={"kubernetes.io/config.source": "file"}), True, id="static"),
        pytest.param(pod("a", annotations={"kubernetes.io/config.source": "api"}), False, id="of the API"),
    ],
)
def test_a_critical_pod_never_goes(what: Pod, critical: bool) -> None:
    assert is_critical(what) is critical
    assert order(MEMORY, use(what, memory=MIB)) == ([] if critical else ["a"])


def test_what_is_asked_for_is_that_of_the_whole_pod() -> None:
    assert requested(pod("a", asks={"memory": "10Mi"}), "memory") == 10 * MIB
    assert requested(pod("a"), "memory") == 0


def test_it_is_told_why_it_went_as_a_kubelet_tells() -> None:
    threshold = Threshold(MEMORY, Amount(fixed=100 * MIB))
    found = Observation(50 * MIB, 1000 * MIB)
    assert low_message(use(pod("a", asks={"memory": "10Mi"}), memory=20 * MIB), threshold, found) == (
        "The node was low on resource: memory. Threshold quantity: 102400Ki, available: 51200Ki. "
        "Container main was using 20480Ki, request is 10240Ki, has larger consumption of memory. "
    )
    disk = Threshold(NODEFS, Amount(share=0.1))
    assert low_message(use(pod("a", asks={"ephemeral-storage": "1Gi"}), storage=20 * MIB), disk, None) == (
        "The node was low on resource: ephemeral-storage. "
    )
