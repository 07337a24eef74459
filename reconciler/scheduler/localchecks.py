"""What is asked of a node for itself, whatever is on the others: the filters in their order, and the scores.

The order is kube-scheduler's, and decides which filter speaks where several would refuse.
"""

from collections.abc import Sequence
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
    """`everywhere`, where it is not None, refuses all nodes at once; `fits` says which nodes have room."""

    checks: Sequence[tuple[str, Check]]
    everywhere: Said | None
    fits: Select

    def refusal(self, info: NodeInfo) -> Said | None:
        for name, check in self.checks:
            why = check(info)
            if why is not None:
                return Said(name, why)
        return None

    def select(self, infos: Sequence[NodeInfo]) -> Sequence[NodeInfo]:
        """Those that can take the pod. Nodes with the same taints are looked at once."""
        infos = self.fits(infos)
        for name, check in self.checks:
            if name in _BY_TAINTS:
                known: dict[int, bool] = {}
                for info in infos:
                    if info.taints not in known:
                        known[info.taints] = check(info) is None
                if not all(known.values()):
                    infos = [info for info in infos if known[info.taints]]
            elif name != node_resources_fit.NAME:
                infos = [info for info in infos if check(info) is None]
        return infos


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
    fits = node_resources_fit.prepare_select(asked)
    checks: list[tuple[str, Check]] = []
    for name, one in prepared:
        if isinstance(one, Refusal):
            return Filters((), Said(name, one), fits)
        if one is not None:
            checks.append((name, one))
    return Filters(checks, None, fits)


class Scores(NamedTuple):
    """Weighted scores that one node has for itself: name, weight, of one node, of many at once."""

    plugins: Sequence[tuple[str, int, Score, Column | None]]

    def total(self, info: NodeInfo) -> int:
        return sum([weight * score(info) for _, weight, score, _ in self.plugins])

    def totals(self, infos: Sequence[NodeInfo]) -> list[int]:
        found: list[int] | None = None
        for _, weight, score, column in self.plugins:
            more = column(infos) if column is not None else [score(info) for info in infos]
            if weight != 1:
                more = [weight * one for one in more]
            found = more if found is None else list(map(add, found, more))
        return [0] * len(infos) if found is None else found

    def each(self, info: NodeInfo) -> dict[str, int]:
        return {name: weight * score(info) for name, weight, score, _ in self.plugins}


def scores(asked: PodClass, snapshot: Snapshot, profile: Profile) -> Scores:
    nodes = len(snapshot.nodes)
    prepared: list[tuple[str, Score | None, Column | None]] = [
        (
            node_resources_fit.NAME,
            node_resources_fit.prepare_score(asked, profile),
            node_resources_fit.prepare_column(asked, profile),
        ),
        (
            balanced_allocation.NAME,
            balanced_allocation.prepare_score(asked),
            balanced_allocation.prepare_column(asked),
        ),
        (image_locality.NAME, image_locality.prepare_score(asked, snapshot.images.find, nodes), None),
    ]
    weights = profile.weights
    return Scores(
        [
            (name, weights[name], score, column)
            for name, score, column in prepared
            if score is not None and weights.get(name)
        ]
    )
