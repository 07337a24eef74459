"""PodTopologySpread: pods of one kind evenly over zones, nodes or whatever labels tell.

https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/, KEP-895, KEP-3022 (minDomains),
KEP-3094 (node inclusion policies), KEP-3243 (matchLabelKeys, which admission merges into the selector).
Pods that are ending, and those in other namespaces, do not count.
"""

import math
from collections.abc import Callable, Mapping, Sequence

from reconciler.scheduler.classes import sought_by
from reconciler.scheduler.nodeinfo import NodeInfo
from reconciler.scheduler.plugins.interface import BEST, Refusal
from reconciler.scheduler.plugins.taint_toleration import untolerated
from reconciler.scheduler.podclass import PodClass
from reconciler.scheduler.tally import HOSTNAME, NODE, Place, Shift, Tally
from schemas import selectors
from schemas.core.affinity import TopologySpreadConstraint
from schemas.meta import LabelSelector
from schemas.nodeaffinity import required, wanted_by

NAME = "PodTopologySpread"
ZONE = "topology.kubernetes.io/zone"
_MISSING = Refusal(("node(s) didn't match pod topology spread constraints (missing required label)",), lasting=True)
_SKEWED = Refusal(("node(s) didn't match pod topology spread constraints",))
_HARD, _SOFT = "DoNotSchedule", "ScheduleAnyway"

Domains = Callable[[str], Mapping[str, Sequence[NodeInfo]]]
"""The nodes by the value of a label."""


class Constraint:
    """One constraint of a class, and the tally of the pods that it is about."""

    __slots__ = ("key", "least_domains", "max_skew", "own", "selector", "stated", "tally")

    def __init__(self, stated: TopologySpreadConstraint, asked: PodClass) -> None:
        self.stated, self.key, self.max_skew = stated, stated.topology_key, stated.max_skew
        self.least_domains = stated.min_domains or 1
        self.selector = stated.label_selector
        self.own = int(selectors.matches(self.selector, asked.labels))
        self.tally = _tally(self.key, asked.namespace, self.selector)


def _tally(key: str, namespace: str, selector: LabelSelector | None) -> Tally:
    """Of the pods that the selector picks. One that picks everything counts nothing."""
    if selector is not None and not selector.match_labels and not selector.match_expressions:
        selector = None

    def weigh(placed: PodClass) -> int:
        same = placed.namespace == namespace and not placed.terminating
        return int(same and selectors.matches(selector, placed.labels))

    return Tally(key, weigh, sought_by((namespace,), selector))


class Spread:
    """The constraints of a class: `hard` ones refuse nodes, `soft` ones make them liked less.

    With `default` the soft ones are the built-in ones, which a node need not have all labels for.
    """

    __slots__ = ("by_taints", "default", "hard", "soft")

    def __init__(
        self, asked: PodClass, selector: LabelSelector | None, nodes: Sequence[NodeInfo], domains: Domains
    ) -> None:
        """`selector` picks the pods of the same Service or owner."""
        stated = asked.pod.spec.topology_spread_constraints
        self.default = not stated and selector is not None
        if self.default:
            stated = tuple(
                TopologySpreadConstraint(skew, key, _SOFT, selector) for key, skew in ((HOSTNAME, 3), (ZONE, 5))
            )
        self.hard = [Constraint(one, asked) for one in stated if one.when_unsatisfiable == _HARD]
        self.soft = [Constraint(one, asked) for one in stated if one.when_unsatisfiable == _SOFT]
        self.by_taints = any(one.stated.node_taints_policy == "Honor" for one in (*self.hard, *self.soft))
        for one in self.hard:
            eligible = one.tally.eligible = _eligible(one, self.hard, asked, nodes, domains)
            one.tally.levels = {}
            for domain in domains(one.key) if eligible is None else {info.labels[one.key] for info in eligible}:
                one.tally.expect(domain)
        for one in self.soft:
            if one.key == HOSTNAME:
                one.tally.key = NODE  # The node itself is counted, whatever the policies.
            else:
                one.tally.eligible = _eligible(one, () if self.default else self.soft, asked, nodes, domains)

    def tallies(self) -> list[Tally]:
        return [one.tally for one in (*self.hard, *self.soft)]

    def coarse(self) -> set[str]:
        """Keys of which the score has to know the domains themselves."""
        return {one.key for one in self.soft if one.key != HOSTNAME}

    @property
    def needed(self) -> list[str]:
        """The labels without which a node is passed over by the score."""
        return [] if self.default else [one.key for one in self.soft]

    def ignores(self, info: NodeInfo) -> bool:
        """Whether the node is passed over by the score, for lack of a label."""
        return any(key not in info.labels for key in self.needed)

    def refusal(self, place: Place, domains: Mapping[Tally, str], shift: Shift | None) -> Refusal | None:
        """Why not there. `domains` says which domain a shift is in."""
        for one in self.hard:
            there = one.tally.at(place, shift)
            if there is None:
                return _MISSING
            least: int | None = 0
            if len(one.tally.counts) >= one.least_domains:
                by = shift.get(one.tally, 0) if shift else 0
                least = one.tally.least(domains.get(one.tally, ""), by)
            if there + one.own - (least or 0) > one.max_skew:
                return _SKEWED
        return None

    def limits(self) -> list[tuple[Tally, int]]:
        """The count from which on each hard constraint refuses a domain."""
        found = []
        for one in self.hard:
            least = (one.tally.least() or 0) if len(one.tally.counts) >= one.least_domains else 0
            found.append((one.tally, one.max_skew - one.own + least))
        return found

    def raw(self, places: Sequence[Place], sizes: Sequence[int], ignored: Sequence[bool]) -> list[int | None]:
        """For each place, where so many nodes stand, its score before it is normalised; None where it is ignored."""
        counted = [place for place, passed_over in zip(places, ignored, strict=True) if not passed_over]
        nodes = sum(size for size, passed_over in zip(sizes, ignored, strict=True) if not passed_over)
        weights = []
        for one in self.soft:
            domains = nodes if one.key == HOSTNAME else len({place[one.tally.axis] for place in counted})
            weights.append(math.log(domains + 2))
        found: list[int | None] = []
        for place, passed_over in zip(places, ignored, strict=True):
            if passed_over:
                found.append(None)
                continue
            score = 0.0
            for one, weight in zip(self.soft, weights, strict=True):
                there = one.tally.at(place)
                if there is not None:
                    score += there * weight + (one.max_skew - 1)
            found.append(math.floor(score + 0.5))
        return found


def _eligible(
    one: Constraint, together: Sequence[Constraint], asked: PodClass, nodes: Sequence[NodeInfo], domains: Domains
) -> frozenset[NodeInfo] | None:
    """The nodes whose pods count: with all labels, and as the policies have it. None stands for all."""
    pod = asked.pod
    fitting = nodes
    for other in together:
        key = other.key
        if sum(map(len, domains(key).values())) < len(nodes):
            fitting = [info for info in fitting if key in info.labels]
    if one.stated.node_affinity_policy != "Ignore" and (pod.spec.node_selector or required(pod) is not None):
        fitting = [info for info in fitting if wanted_by(pod, info.name, info.labels)]
    if one.stated.node_taints_policy == "Honor":
        tolerations = pod.spec.tolerations
        fitting = [
            info
            for info in fitting
            if not info.taints or info.node is None or not untolerated(info.node.spec.taints, tolerations)
        ]
    return None if len(fitting) == len(nodes) else frozenset(fitting)


def normalised(raw: Sequence[int | None]) -> list[int]:
    counted = [one for one in raw if one is not None]
    least, most = min(counted, default=0), max(counted, default=0)
    return [0 if one is None else BEST * (most + least - one) // most if most else BEST for one in raw]
