"""What a class of pods asks of topology, as counts that are kept up to date: spread and inter-pod affinity together.

A node's *place* is what it is on each axis; nodes at one place are equal to both plugins, for filters and scores alike.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence

from reconciler.scheduler.nodeinfo import NodeInfo
from reconciler.scheduler.plugins import inter_pod_affinity, pod_topology_spread
from reconciler.scheduler.plugins.inter_pod_affinity import Affinity
from reconciler.scheduler.plugins.interface import Refusal
from reconciler.scheduler.plugins.pod_topology_spread import Spread
from reconciler.scheduler.podclass import PodClass
from reconciler.scheduler.snapshot import Snapshot
from reconciler.scheduler.tally import NODE, Axis, Place, Tally

_FEW = 64
"""Domains of a coarse axis at most, unless a score has to know them."""

_MOST_EFFECTS = 8192

Effect = tuple[Tally, int]


class Topology:
    """The counts for one class over the fleet as it is."""

    def __init__(self, asked: PodClass, snapshot: Snapshot, *, scored: bool) -> None:
        """Without `scored` only what refuses is counted: where one node alone can serve, nothing is compared."""
        self._snapshot, self._nodes = snapshot, snapshot.ordered()
        self.selector = snapshot.kin.selector(asked)
        self.spread = Spread(asked, self.selector, self._nodes, snapshot.domains)
        nominated = [other for info in snapshot.nominated.values() for _, other in info.nominated.values()]
        around = (*snapshot.classes.with_terms.values(), *nominated)
        self.affinity = Affinity(asked, around, snapshot.namespace_labels)
        if not scored:
            self.spread.soft, self.affinity.preferences = [], []
        self.axes: list[Axis] = []
        self._effects: dict[PodClass, tuple[Effect, ...]] = {}
        self._members: dict[str, Mapping[str, list[NodeInfo]]] = {}
        for tally in (*self.spread.tallies(), *self.affinity.tallies()):
            self._axis(tally.key).join(tally, self._number(tally.key))
        self._count()

    def __bool__(self) -> bool:
        return bool(self.axes)

    def _number(self, key: str) -> int:
        return next(number for number, axis in enumerate(self.axes) if axis.key == key)

    def _axis(self, key: str) -> Axis:
        for axis in self.axes:
            if axis.key == key:
                return axis
        made = Axis(key, fine=key == NODE)
        if key != NODE:
            members = self._snapshot.domains(key)
            many = len(members) > _FEW or 4 * len(members) > len(self._nodes)
            made.fine = many and key not in self.spread.coarse()
            if made.fine:
                self._members[key] = members
        self.axes.append(made)
        return made

    def _count(self) -> None:
        for axis in self.axes:
            for tally in axis.tallies:
                for placed in self._snapshot.classes.among(tally.among, with_terms=tally.by_terms):
                    if weight := tally.weigh(placed):
                        _add(tally, weight, axis, placed)

    def effects(self, placed: PodClass) -> tuple[Effect, ...]:
        """What one pod of the placed class counts, in each tally in which it does."""
        found = self._effects.get(placed)
        if found is None:
            if len(self._effects) > _MOST_EFFECTS:
                self._effects.clear()
            weighed = ((tally, tally.weigh(placed)) for axis in self.axes for tally in axis.tallies)
            found = self._effects[placed] = tuple(pair for pair in weighed if pair[1])
        return found

    def covers(self, placed: PodClass) -> bool:
        """Whether all that pods of the placed class have to say of this one is counted."""
        return not placed.terms or placed in self._effects or self.affinity.covers(placed)

    def change(self, info: NodeInfo, placed: PodClass, by: int) -> Sequence[NodeInfo]:
        """One pod more or less on the node. Which other nodes are at another place now."""
        moved: Sequence[NodeInfo] = ()
        for tally, weight in self.effects(placed):
            if tally.eligible is not None and info not in tally.eligible:
                continue
            axis = self.axes[tally.axis]
            domain = axis.domain(info)
            if domain is not None:
                tally.add(domain, weight * by)
                if axis.fine and axis.key != NODE and len(self._members[axis.key][domain]) > 1:
                    moved = [*moved, *self._members[axis.key][domain]]
        return moved

    def place(self, info: NodeInfo) -> Place:
        return tuple([axis.place(info) for axis in self.axes])

    def places(self, infos: Sequence[NodeInfo]) -> list[Sequence[Hashable]]:
        """What the places of many nodes are made of: for each axis, where each node is on it."""
        return [axis.places(infos) for axis in self.axes]

    def allowed(self, places: Iterable[Place]) -> dict[Place, bool]:
        """At which of the places a node can take the pod."""
        limits, affinity = self.spread.limits(), self.affinity
        refuses = affinity.refuses
        found: dict[Place, bool] = {}
        for place in places:
            if place in found:
                continue
            found[place] = False
            for tally, limit in limits:
                there = tally.at(place)
                if there is None or there > limit:
                    break
            else:
                found[place] = not refuses or affinity.refusal(place, None) is None
        return found

    def refusal(self, place: Place) -> tuple[str, Refusal] | None:
        """Why no node at this place can take the pod, and which plugin says so."""
        why = self.spread.refusal(place, {}, None)
        if why is not None:
            return pod_topology_spread.NAME, why
        why = self.affinity.refusal(place, None)
        return (inter_pod_affinity.NAME, why) if why is not None else None

    def refusal_with(self, info: NodeInfo, change: Counter[PodClass]) -> tuple[str, Refusal] | None:
        """The same of one node, if there were so many pods more or less on it."""
        shift: dict[Tally, int] = {}
        domains: dict[Tally, str] = {}
        present = self._nodes[info.rank]  # The node itself, where `info` is a copy of it.
        for placed, number in change.items():
            for tally, weight in self.effects(placed):
                domain = self.axes[tally.axis].domain(info)
                if domain is not None and (tally.eligible is None or present in tally.eligible):
                    shift[tally] = shift.get(tally, 0) + weight * number
                    domains[tally] = domain
        place = self.place(info)
        why = self.spread.refusal(place, domains, shift)
        if why is not None:
            return pod_topology_spread.NAME, why
        why = self.affinity.refusal(place, shift)
        return (inter_pod_affinity.NAME, why) if why is not None else None


def _add(tally: Tally, weight: int, axis: Axis, placed: PodClass) -> None:
    for info, number in placed.nodes.items():
        domain = axis.domain(info) if info.node is not None else None
        if domain is not None and (tally.eligible is None or info in tally.eligible):
            tally.add(domain, weight * number)
