"""What holds for every cluster: over made-up ones of up to 60 nodes and 300 pods, with every constraint mixed.

A small share of examples in the suite; `make soak` runs 2,000 of each.
"""

import os

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from reconciler.scheduler.decision import Explanation
from reconciler.scheduler.explain import explain
from reconciler.scheduler.schedule import schedule
from reconciler.scheduler.snapshot import Snapshot
from schemas.core.pod import Pod
from schemas.meta import Object
from tests.oracles.scheduler.chance import KINDS, Chance
from tests.oracles.scheduler.play import Play, over_committed
from tests.oracles.scheduler.reference.demands import Demands
from tests.oracles.scheduler.reference.verdict import refusal
from tests.oracles.scheduler.reference.world import World
from tests.oracles.scheduler.waking import Waking

EXAMPLES = int(os.environ.get("WHERRY_EXAMPLES", "8"))
SEEDS = st.integers(0, 2**32 - 1)
NODES, PODS = st.integers(1, 60), st.integers(1, 300)
MIXED = st.one_of(st.just(frozenset(KINDS)), st.frozensets(st.sampled_from(KINDS), min_size=1, max_size=4))

often = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@often
@given(SEEDS, NODES, PODS, MIXED)
def test_the_incremental_answer_equals_one_worked_out_anew(
    seed: int, nodes: int, pods: int, kinds: frozenset[str]
) -> None:
    assert next(Play(seed, nodes, pods, kinds).differences(), None) is None


@often
@given(SEEDS, NODES, PODS, MIXED)
def test_no_binding_breaks_a_filter_and_no_node_is_over_committed(
    seed: int, nodes: int, pods: int, kinds: frozenset[str]
) -> None:
    chance = Chance(seed, kinds)
    objects = [*chance.surroundings(), *(chance.node(number) for number in range(nodes))]
    snapshot, world = Snapshot(objects), World(objects)
    templates = [chance.template() for _ in range(6)]
    waiting = [chance.pod(chance.choice(templates), f"p{number}") for number in range(pods)]
    for pod, decision in zip(waiting, schedule(waiting, snapshot), strict=True):
        if decision.node:
            assert refusal(Demands(pod), decision.node, world) is None
            world.place(pod, decision.node)
            for one in decision.objects:
                world.put(one)
        elif decision.nominated_node:
            world.nominate(pod, decision.nominated_node)
    assert over_committed(world) == []


@often
@given(SEEDS, st.integers(1, 20), st.integers(1, 60), MIXED)
def test_the_order_of_events_changes_nothing(seed: int, nodes: int, pods: int, kinds: frozenset[str]) -> None:
    """Nor does what came and went on the way: earlier versions, and objects that were deleted and made again."""
    chance = Chance(seed, kinds)
    templates = [chance.template() for _ in range(4)]
    fleet = [chance.node(number) for number in range(nodes)]
    placed = [chance.pod(chance.choice(templates), f"p{number}", f"n{number % nodes:02}") for number in range(pods)]
    objects: list[Object] = [*chance.surroundings(), *fleet, *placed]
    probes = [chance.pod(template, f"probe-{number}") for number, template in enumerate(templates)]
    snapshot = Snapshot(objects)
    expected = [explain(probe, snapshot) for probe in probes]
    assert _learnt_otherwise(objects, probes, chance) == expected


def _learnt_otherwise(objects: list[Object], probes: list[Pod], chance: Chance) -> list[Explanation]:
    snapshot = Snapshot()
    for one in chance.sample(objects, len(objects)):
        if isinstance(one, Pod) and chance.one_in(3):
            snapshot.put(structs.replace(one, spec=structs.replace(one.spec, node_name="n00")))
        if chance.one_in(4):
            snapshot.put(one)
            snapshot.drop(one)
        if chance.one_in(4):
            explain(chance.choice(probes), snapshot)  # which must not be remembered for longer than it is true
        snapshot.put(one)
        if chance.one_in(4):
            snapshot.put(one)
    return [explain(probe, snapshot) for probe in probes]


@often
@given(SEEDS, st.integers(1, 12), st.integers(1, 40), MIXED)
def test_no_pod_rests_that_a_node_would_take(seed: int, nodes: int, pods: int, kinds: frozenset[str]) -> None:
    assert next(Waking(seed, nodes, pods, kinds).forgotten(), None) is None
