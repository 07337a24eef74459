"""What is asked of a node for itself, whatever is on the others: the filters in their order, and the scores.

The order is kube-scheduler's, and decides which filter speaks where several would refuse.
"""

from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import NamedTuple

from reconciler.scheduler.nodeinfo import NodeInfo
from reconciler.scheduler.plugins import (
    balanced_allocation,
    image_architecture,
    image_locality,
    node_affinity,
    node_name,
    node_ports,
    node_resources_fit,
    node_unschedulable,
    node_volume_limits,
    taint_toleration,
    volume_binding,
    volume_restrictions,
    volume_zone,
)
from reconciler.scheduler.plugins.interface import Check, Column, Refusal, Score, Select
from reconciler.scheduler.podclass import PodClass
from reconciler.scheduler.profile import Profile
from reconciler.scheduler.snapshot import Snapshot


class Said(NamedTuple):
    """A plugin and why it refuses."""

    plugin: str
    refusal: Refusal


class Filters(NamedTuple):
    """`everywhere`, where it is not None, refuses all nodes at once.

    `alike` picks from nodes of different states those whose like can take the pod for all that a state tells; `apart`
    picks by the rest.
    """

    checks: Sequence[tuple[str, Check]]
    everywhere: Said | None
    alike: Sequence[Select]
    apart: Sequence[Select]

    def refusal(self, info: NodeInfo) -> Said | None:
        for name, check in self.checks:
            why = check(info)
            if why is not None:
                return Said(name, why)
        return None

    def select(self, infos: Sequence[NodeInfo], some: Sequence[NodeInfo]) -> Sequence[NodeInfo]:
        """Those that can take the pod. `some` has one node of each state, or is the same."""
        fit = some
        for select in self.alike:
            fit = select(fit)
        if some is infos:
            infos = fit
        elif len(fit) < len(some):
            states = {info.state for info in fit}
            infos = [info for info in infos if info.state in states]
        for select in self.apart:
            infos = select(infos)
        return infos


def _selecting(check: Check) -> Select:
    return lambda infos: [info for info in infos if check(info) is None]


def _selecting_by_taints(check: Check) -> Select:
    """Asks once for all nodes with the same taints: a fleet of which no two nodes are alike has few sets of them."""

    def select(infos: Sequence[NodeInfo]) -> Sequence[NodeInfo]:
        fit = {taints: check(info) is None for taints, info in {info.taints: info for info in infos}.items()}
        return infos if all(fit.values()) else [info for info in infos if fit[info.taints]]

    return select


_BY_TAINTS = (node_unschedulable.NAME, taint_toleration.NAME)


def filters(asked: PodClass, snapshot: Snapshot, profile: Profile) -> Filters:
    storage = snapshot.storage
    prepared: list[tuple[str, Check | Refusal | None]] = [
        (node_unschedulable.NAME, node_unschedulable.prepare(asked)),
        (node_name.NAME, node_name.prepare(asked)),
        (taint_toleration.NAME, taint_toleration.prepare(asked)),
        (node_affinity.NAME, node_affinity.prepare(asked)),
        (
            image_architecture.NAME,
            image_architecture.prepare(asked, snapshot.refused_by) if profile.architecture else None,
        ),
        (node_ports.NAME, node_ports.prepare(asked)),
        (node_resources_fit.NAME, node_resources_fit.prepare(asked)),
    ]
    if asked.claims or asked.disks:
        prepared += [
            (volume_restrictions.NAME, volume_restrictions.prepare(asked, storage, snapshot)),
            (node_volume_limits.NAME, node_volume_limits.prepare(asked, storage)),
            (volume_binding.NAME, volume_binding.prepare(asked, storage)),
            (volume_zone.NAME, volume_zone.prepare(asked, storage)),
        ]
    checks: list[tuple[str, Check]] = []
    for name, one in prepared:
        if isinstance(one, Refusal):
            return Filters((), Said(name, one), (), ())
        if one is not None:
            checks.append((name, one))
    at_once = {
        node_affinity.NAME: node_affinity.prepare_select(asked),
        node_resources_fit.NAME: node_resources_fit.prepare_select_others(asked),
    }
    alike = [node_resources_fit.prepare_select(asked)]
    alike += [_selecting_by_taints(check) for name, check in checks if name in _BY_TAINTS]
    apart = [
        at_once.get(name) or _selecting(check)
        for name, check in checks
        if name not in (*_BY_TAINTS, node_resources_fit.NAME) or at_once.get(name)
    ]
    return Filters(checks, None, alike, apart)


class Scored(NamedTuple):
    """A score before its weight, of one node and of many. `by_state`: nodes of one state have the same."""

    name: str
    weight: int
    score: Score
    column: Column | None
    by_state: bool

    def weighted(self, infos: Sequence[NodeInfo]) -> list[int]:
        column = self.column(infos) if self.column is not None else [self.score(info) for info in infos]
        return column if self.weight == 1 else [self.weight * one for one in column]


class Scores(NamedTuple):
    """The scores that one node has for itself."""

    plugins: Sequence[Scored]

    def total(self, info: NodeInfo) -> int:
        return sum([one.weight * one.score(info) for one in self.plugins])

    def totals(self, infos: Sequence[NodeInfo], *, by_state: bool) -> list[int] | None:
        """The part that nodes of one state have alike, or the other; None where there is none."""
        columns = [one.weighted(infos) for one in self.plugins if one.by_state is by_state]
        return reduce(lambda one, other: list(map(add, one, other)), columns) if columns else None

    def columns(self, infos: Sequence[NodeInfo], states: Sequence[int]) -> dict[str, list[int]]:
        """What each plugin gives to each of the nodes, which are in these states."""
        alike = dict(zip(states, infos, strict=True))
        some, found = list(alike.values()), dict[str, list[int]]()
        for one in self.plugins:
            if one.by_state:
                known = dict(zip(alike, one.weighted(some), strict=True))
                found[one.name] = [known[state] for state in states]
            else:
                found[one.name] = one.weighted(infos)
        return found


def scores(asked: PodClass, snapshot: Snapshot, profile: Profile) -> Scores:
    find, nodes, weights = snapshot.images.find, len(snapshot.nodes), profile.weights
    room = node_resources_fit.prepare_column(asked, profile)
    prepared: list[tuple[str, Score | None, Column | None, bool]] = [
        (node_resources_fit.NAME, node_resources_fit.prepare_score(asked, profile), room, room is not None),
        (
            balanced_allocation.NAME,
            balanced_allocation.prepare_score(asked),
            balanced_allocation.prepare_column(asked),
            True,
        ),
        (
            image_locality.NAME,
            image_locality.prepare_score(asked, find, nodes),
            image_locality.prepare_column(asked, find, nodes),
            False,
        ),
    ]
    return Scores(
        [
            Scored(name, weights[name], score, column, by_state)
            for name, score, column, by_state in prepared
            if score is not None and weights.get(name)
        ]
    )
