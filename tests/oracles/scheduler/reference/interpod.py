"""InterPodAffinity: which pods a pod wants to be near to, which it keeps off, and which keep off it.

https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#inter-pod-affinity-and-anti-affinity,
KEP-2249 (namespaceSelector). Ending pods count as others do.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from schemas.core.affinity import PodAffinity, PodAffinityTerm, PodAntiAffinity
from schemas.core.node import Node
from schemas.core.pod import Pod
from tests.oracles.scheduler.reference.demands import Demands
from tests.oracles.scheduler.reference.matching import term_picks
from tests.oracles.scheduler.reference.nodefilters import Filter
from tests.oracles.scheduler.reference.refusals import Refusal
from tests.oracles.scheduler.reference.world import World

_NAME = "InterPodAffinity"
_REQUIRED_IN_SCORES = 1
"""Weight that a required affinity of a pod that is there has in the score of one that comes."""

Domain = tuple[str, str]
"""A topology key and its value."""


def _near(pod: Pod) -> PodAffinity:
    return (pod.spec.affinity.pod_affinity if pod.spec.affinity else None) or PodAffinity()


def _apart(pod: Pod) -> PodAntiAffinity:
    return (pod.spec.affinity.pod_anti_affinity if pod.spec.affinity else None) or PodAntiAffinity()


def _domain(node: Node, key: str) -> Domain | None:
    value = node.metadata.labels.get(key)
    return None if value is None else (key, value)


def inter_pod_affinity(asked: Demands, world: World) -> Filter:
    pod = asked.pod
    near = _near(pod).required_during_scheduling_ignored_during_execution
    apart = _apart(pod).required_during_scheduling_ignored_during_execution
    friends, foes, shunning = _domains(pod, near, apart, world)
    alone = not friends and all(term_picks(term, pod, pod, world, comes=True) for term in near)

    def check(node: Node) -> Refusal | None:
        where = [_domain(node, term.topology_key) for term in near]
        if None in where or not (alone or all(one in friends for one in where)):
            return Refusal(_NAME, ("node(s) didn't match pod affinity rules",), True)
        if any(_domain(node, term.topology_key) in foes for term in apart):
            return Refusal(_NAME, ("node(s) didn't match pod anti-affinity rules",), False)
        if any(item in shunning for item in node.metadata.labels.items()):
            return Refusal(_NAME, ("node(s) didn't satisfy existing pods anti-affinity rules",), False)
        return None

    return check


def _domains(
    pod: Pod, near: Sequence[PodAffinityTerm], apart: Sequence[PodAffinityTerm], world: World
) -> tuple[set[Domain], set[Domain], set[Domain]]:
    """Where pods are that all terms of affinity pick, that one of anti-affinity picks, and that keep off this pod."""
    friends, foes, shunning = set[Domain | None](), set[Domain | None](), set[Domain | None]()
    for one in world.pods.values():
        node = world.nodes.get(one.node)
        if node is None:
            continue
        if near and all(term_picks(term, pod, one.pod, world, comes=True) for term in near):
            friends |= {_domain(node, term.topology_key) for term in near}
        foes |= {
            _domain(node, term.topology_key) for term in apart if term_picks(term, pod, one.pod, world, comes=True)
        }
        theirs = _apart(one.pod).required_during_scheduling_ignored_during_execution
        shunning |= {_domain(node, term.topology_key) for term in theirs if term_picks(term, one.pod, pod, world)}
    return (
        {one for one in friends if one},
        {one for one in foes if one},
        {one for one in shunning if one},
    )


def score(asked: Demands, nodes: Sequence[Node], world: World) -> Sequence[int] | None:
    """Weights of all terms, both ways, by domain; then stretched from 0 to 100."""
    weights = _weights(asked.pod, world)
    if not weights:
        return None
    sums = [sum(weights.get(item, 0) for item in node.metadata.labels.items()) for node in nodes]
    least, most = min(sums), max(sums)
    return [int(100 * ((one - least) / (most - least))) if most > least else 0 for one in sums]


def _weights(pod: Pod, world: World) -> dict[Domain, int]:
    found = Counter[Domain]()
    for one in world.pods.values():
        node, other = world.nodes.get(one.node), one.pod
        if node is None:
            continue
        for term, weight in _pulls(pod, other, world):
            domain = _domain(node, term.topology_key)
            if domain is not None and weight:
                found[domain] += weight
    return found


def _pulls(pod: Pod, other: Pod, world: World) -> Iterable[tuple[PodAffinityTerm, int]]:
    """What draws the pods to each other, or (below nothing) apart."""
    for owner, guest in ((pod, other), (other, pod)):
        for sign, preferred in (
            (1, _near(owner).preferred_during_scheduling_ignored_during_execution),
            (-1, _apart(owner).preferred_during_scheduling_ignored_during_execution),
        ):
            for one in preferred:
                if term_picks(one.pod_affinity_term, owner, guest, world, comes=owner is pod):
                    yield one.pod_affinity_term, sign * one.weight
    for term in _near(other).required_during_scheduling_ignored_during_execution:
        if term_picks(term, other, pod, world):
            yield term, _REQUIRED_IN_SCORES
