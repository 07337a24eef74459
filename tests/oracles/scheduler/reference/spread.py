"""PodTopologySpread: pods of one kind are to be as many in each domain.

https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/, KEP-895, KEP-3022 (minDomains),
KEP-3094 (which nodes count), KEP-3243 (matchLabelKeys, merged into the selector before). Ending pods do not count.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from schemas.apps import ReplicaSet, StatefulSet
from schemas.core.affinity import TopologySpreadConstraint
from schemas.core.node import Node
from schemas.core.pod import Pod
from schemas.core.replication import ReplicationController
from schemas.core.service import Service
from schemas.meta import LabelSelector, controller_of
from schemas.selectors import matches
from tests.oracles.scheduler.reference.demands import Demands
from tests.oracles.scheduler.reference.matching import keeps_off, picks_everything, wants
from tests.oracles.scheduler.reference.nodefilters import Filter
from tests.oracles.scheduler.reference.refusals import Refusal
from tests.oracles.scheduler.reference.world import World

_NAME = "PodTopologySpread"
_HOSTNAME, _ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"
_SKEW = "node(s) didn't match pod topology spread constraints"


def _of(pod: Pod, when: str) -> list[TopologySpreadConstraint]:
    return [one for one in pod.spec.topology_spread_constraints if one.when_unsatisfiable == when]


def _has_all(node: Node, constraints: Iterable[TopologySpreadConstraint]) -> bool:
    return all(one.topology_key in node.metadata.labels for one in constraints)


def _counts(one: TopologySpreadConstraint, pod: Pod, node: Node) -> bool:
    """Whether the node takes part, by the constraint's policies (KEP-3094)."""
    if one.node_affinity_policy in ("", "Honor") and not wants(pod, node):
        return False
    return one.node_taints_policy != "Honor" or not keeps_off(node, pod)


def _alike(one: TopologySpreadConstraint, pod: Pod, pods: Iterable[Demands]) -> int:
    """Pods that the selector picks. One that picks everything counts none, though it picks the pod itself."""
    if picks_everything(one.label_selector):
        return 0
    return sum(
        other.pod.metadata.namespace == pod.metadata.namespace
        and other.pod.metadata.deletion_timestamp is None
        and matches(one.label_selector, other.pod.metadata.labels)
        for other in pods
    )


def pod_topology_spread(asked: Demands, world: World) -> Filter:
    pod = asked.pod
    constraints = _of(pod, "DoNotSchedule")
    domains = [_domains(one, constraints, pod, world) for one in constraints]

    def check(node: Node) -> Refusal | None:
        for one, counts in zip(constraints, domains, strict=True):
            if one.topology_key not in node.metadata.labels:
                return Refusal(_NAME, (f"{_SKEW} (missing required label)",), True)
            least = min(counts.values(), default=math.inf) if len(counts) >= (one.min_domains or 1) else 0
            itself = matches(one.label_selector, pod.metadata.labels)
            if counts[node.metadata.labels[one.topology_key]] + itself - least > one.max_skew:
                return Refusal(_NAME, (_SKEW,), False)
        return None

    return check


def _domains(
    one: TopologySpreadConstraint, constraints: Sequence[TopologySpreadConstraint], pod: Pod, world: World
) -> Counter[str]:
    found = Counter[str]()
    for name, node in world.nodes.items():
        if _has_all(node, constraints) and _counts(one, pod, node):
            found[node.metadata.labels[one.topology_key]] += _alike(one, pod, world.on(name))
    return found


def score(asked: Demands, nodes: Sequence[Node], world: World) -> Sequence[int] | None:
    """Few of the kind is good; a domain counts the more the more domains there are of its sort."""
    pod = asked.pod
    stated = bool(pod.spec.topology_spread_constraints)
    constraints = _of(pod, "ScheduleAnyway") if stated else _built_in(pod, world)
    if not constraints:
        return None
    rated = [node for node in nodes if not stated or _has_all(node, constraints)]
    names = {node.metadata.name for node in rated}
    totals = dict.fromkeys(names, 0.0)
    for one in constraints:
        count, weight = _counter(one, constraints if stated else (), pod, rated, world)
        for node in rated:
            if one.topology_key in node.metadata.labels:
                totals[node.metadata.name] += count(node) * weight + (one.max_skew - 1)
    raw = {name: math.floor(total + 0.5) for name, total in totals.items()}
    least, most = min(raw.values(), default=0), max(raw.values(), default=0)
    return [
        0 if (own := raw.get(node.metadata.name)) is None else 100 * (most + least - own) // most if most else 100
        for node in nodes
    ]


def _counter(
    one: TopologySpreadConstraint,
    all_needed: Sequence[TopologySpreadConstraint],
    pod: Pod,
    rated: Sequence[Node],
    world: World,
) -> tuple[Callable[[Node], int], float]:
    """How many are where a node is, and what one of them weighs."""
    key = one.topology_key
    if key == _HOSTNAME:
        return (lambda node: _alike(one, pod, world.on(node.metadata.name))), math.log(len(rated) + 2)
    found = Counter({node.metadata.labels.get(key, ""): 0 for node in rated})
    size = len(found)
    for name, node in world.nodes.items():
        value = node.metadata.labels.get(key, "")
        if value in found and _has_all(node, all_needed) and _counts(one, pod, node):
            found[value] += _alike(one, pod, world.on(name))
    return (lambda node: found[node.metadata.labels.get(key, "")]), math.log(size + 2)


def _built_in(pod: Pod, world: World) -> list[TopologySpreadConstraint]:
    """Those for pods that state none: by what their Services and their controller select."""
    labels: dict[str, str] = {}
    selector = LabelSelector()
    owner = controller_of(pod)
    for (kind, namespace, name), one in world.selectors.items():
        if namespace != pod.metadata.namespace:
            continue
        if isinstance(one, Service):
            chosen = one.spec.selector
            if chosen and matches(LabelSelector(match_labels=chosen), pod.metadata.labels):
                labels |= chosen
        elif owner is not None and (kind, name) == (owner.kind, owner.name):
            if isinstance(one, ReplicaSet | StatefulSet):
                selector = one.spec.selector
            elif isinstance(one, ReplicationController):
                selector = LabelSelector(match_labels=one.spec.selector)
    joined = LabelSelector(selector.match_expressions, labels | selector.match_labels)
    if picks_everything(joined):
        return []
    return [
        TopologySpreadConstraint(3, _HOSTNAME, "ScheduleAnyway", joined),
        TopologySpreadConstraint(5, _ZONE, "ScheduleAnyway", joined),
    ]
