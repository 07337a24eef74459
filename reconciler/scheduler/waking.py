"""Which of the pods that fit nowhere could be helped by what has happened.

A pod rests until something concerns a filter that refused it, and makes a node take it or worth preempting on. Where
all nodes refused it for themselves (for room, taints, labels, ports), only the nodes that changed are looked at:
the others refuse it still. Else the whole fleet is asked.
"""

import msgspec

from reconciler.scheduler import localchecks
from reconciler.scheduler.nodeinfo import NodeInfo
from reconciler.scheduler.plugins import (
    node_affinity,
    node_name,
    node_ports,
    node_resources_fit,
    node_unschedulable,
    taint_toleration,
)
from reconciler.scheduler.podclass import PodClass
from reconciler.scheduler.profile import Profile
from reconciler.scheduler.schedule import standing_for
from reconciler.scheduler.snapshot import Snapshot
from reconciler.scheduler.standing import Standing
from reconciler.scheduler.storage import Key
from schemas.core.pod import Pod

LOCAL = frozenset(
    (
        *(node_affinity.NAME, node_name.NAME, node_ports.NAME, node_resources_fit.NAME, node_unschedulable.NAME),
        taint_toleration.NAME,
    )
)
"""Filters that look at the node alone: what they say changes with it, and with nothing else."""


class Resting(msgspec.Struct, frozen=True, gc=False):
    """A pod that fits nowhere; `blocked_by` is empty where it is not known which filters refused it.

    `key` is that of its class: what helps one pod helps all of them.
    """

    pod: Pod
    key: bytes
    blocked_by: frozenset[str]
    held: str
    tried_in_vain: frozenset[str] = frozenset()


class News(msgspec.Struct):
    """What a number of events could help with."""

    everywhere: bool = False
    plugins: frozenset[str] = frozenset()
    nodes: set[str] = msgspec.field(default_factory=set)
    claims: set[Key] = msgspec.field(default_factory=set)
    any_claim: bool = False


class Help(msgspec.Struct, frozen=True, gc=False):
    """Whether pods of a class are to be looked at again; if not, what may refuse them now."""

    comes: bool
    refusing: frozenset[str] = frozenset()


COMES = Help(comes=True)
_NO_CONCERN = Help(comes=False)


class Helping:
    """Judges pods by some news, one class at a time, over a cluster that stays as it is meanwhile."""

    def __init__(self, news: News, snapshot: Snapshot, profile: Profile) -> None:
        self._news, self._snapshot, self._profile = news, snapshot, profile
        self._known: dict[tuple[bytes, bool], Help] = {}

    def judge(self, one: Resting) -> Help:
        news = self._news
        if news.everywhere:
            return COMES
        if one.pod.spec.scheduling_gates:
            return _NO_CONCERN
        if one.blocked_by and (one.blocked_by | one.tried_in_vain).isdisjoint(news.plugins):
            return _NO_CONCERN
        if not one.tried_in_vain.isdisjoint(news.plugins) or (one.held and one.held in news.nodes):
            return COMES
        is_local = bool(one.blocked_by) and one.blocked_by <= LOCAL
        found = self._known.get((one.key, is_local))
        if found is None:
            found = self._by_changed_nodes(one.pod) if is_local else None
            found = self._known[one.key, is_local] = found or self._by_all_nodes(one.pod)
        return found

    def _by_changed_nodes(self, pod: Pod) -> Help | None:
        """None where these alone do not tell."""
        asked = self._snapshot.class_of(pod, pod.spec.node_name)
        filters = localchecks.filters(asked, self._snapshot, self._profile)
        if filters.everywhere is not None:
            return None
        refusing = set()
        for info in self._changed():
            said = filters.refusal(info)
            if _worth(info, asked.priority):
                return COMES
            if info.nominated or (said is not None and said.plugin not in LOCAL):
                return None
            if said is None:
                return None if asked.terms or pod.spec.topology_spread_constraints else COMES
            refusing.add(said.plugin)
        return Help(comes=False, refusing=frozenset(refusing))

    def _by_all_nodes(self, pod: Pod) -> Help:
        standing = standing_for(pod, self._snapshot, self._profile)
        if self._is_about(standing.asked) or standing.best() is not None or self._is_worth_it(standing):
            return COMES
        # Other filters may refuse it now than when it was looked at, and they are what to wait for.
        return Help(comes=False, refusing=frozenset(said.plugin for _, said in standing.refusals()))

    def _is_about(self, asked: PodClass) -> bool:
        """Whether claims of the pod may be what has changed."""
        claims = self._news.claims
        return bool(asked.claims) and (
            self._news.any_claim or any((asked.namespace, name) in claims for name, _ in asked.claims)
        )

    def _is_worth_it(self, standing: Standing) -> bool:
        return any(_worth(info, standing.asked.priority) for info in self._changed())

    def _changed(self) -> list[NodeInfo]:
        nodes = self._snapshot.nodes
        return [nodes[name] for name in self._news.nodes if name in nodes]


def _worth(info: NodeInfo, priority: int) -> bool:
    """Whether there are less important pods, which preemption could now make go."""
    return min(info.priorities, default=priority) < priority
