"""Nodes of a DaemonSet of which nothing is to be decided: one pod, available, on a node that is to have it.

Most nodes are so most of the time. They are remembered, so that a change on one of a thousand nodes is worked out for
that one alone. A memory counts only for the very objects that it was made of, which never change: it says what the
slow way would say, and losing it costs time alone.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from reconciler.controllers import podstate
from reconciler.controllers.daemonpods import Fitness, is_new, node_of
from reconciler.store.view import View
from schemas.apps import DaemonSet, DaemonSetSpec
from schemas.core.node import Node, NodeSpec
from schemas.core.pod import Pod
from schemas.meta import Ref, ref_of


class _Reason(msgspec.Struct, frozen=True, gc=False):
    """What was looked at when a node was found to be calm."""

    pod: Pod
    spec: NodeSpec
    labels: Mapping[str, str]


class _Memory(msgspec.Struct, frozen=True):
    """By the name of the node, for one spec of one set."""

    uid: str
    spec: DaemonSetSpec
    reasons: dict[str, _Reason]


class Calm(msgspec.Struct, frozen=True):
    """The pod of each calm node, by the node's name, and all other pods that name the set as an owner."""

    pods: Mapping[str, Pod]
    others: Sequence[Pod]

    def old(self, hash_: str) -> list[Pod]:
        """Those of an earlier template, in the order of their nodes."""
        return sorted((pod for pod in self.pods.values() if not is_new(pod, hash_)), key=_place)


def _place(pod: Pod) -> str:
    return pod.spec.node_name


_MEMORIES: dict[Ref, _Memory] = {}


def calm(owner: DaemonSet, view: View) -> Calm:
    """The nodes of which it is known already."""
    memory, there = _MEMORIES.get(ref_of(owner)), view.owned_by(Pod, owner.metadata.uid)
    if memory is None or memory.uid != owner.metadata.uid or memory.spec is not owner.spec:
        return Calm({}, there)
    found: dict[str, Pod] = {}
    others: list[Pod] = []
    reasons, nodes = memory.reasons, {node.metadata.name: node for node in view.list(Node)}
    for pod in there:
        name = pod.spec.node_name
        reason, node = reasons.get(name), nodes.get(name)
        if (
            reason is not None
            and node is not None
            and reason.pod is pod
            and reason.spec is node.spec
            and reason.labels is node.metadata.labels
        ):
            found[name] = pod
        else:
            others.append(pod)
    crowded = {node_of(pod) for pod in others} & found.keys()
    return Calm(found, (*others, *(found.pop(name) for name in crowded)))


def remember(
    owner: DaemonSet,
    known: Calm,
    nodes: Mapping[str, Fitness],
    pods: Mapping[str, Sequence[Pod]],
    now: datetime,
    view: View,
) -> None:
    """Besides those that are known, what has become calm among the others. Forgets all else of the set."""
    before = _MEMORIES.get(ref_of(owner))
    reasons = before.reasons if before is not None else {}
    seconds = owner.spec.min_ready_seconds
    new: dict[str, _Reason] = {}
    for name, fit in nodes.items():
        here, node = pods.get(name, ()), view.get(Node, "", name)
        if len(here) == 1 and fit.runs and node is not None and _is_calm(here[0], name, seconds, now):
            new[name] = _Reason(here[0], node.spec, node.metadata.labels)
    if new or len(reasons) != len(known.pods):
        kept = {name: reasons[name] for name in known.pods}
        _MEMORIES[ref_of(owner)] = _Memory(owner.metadata.uid, owner.spec, kept | new)


def _is_calm(pod: Pod, node: str, seconds: int, now: datetime) -> bool:
    return pod.spec.node_name == node and podstate.active(pod) and podstate.available(pod, seconds, now)


def forget(ref: Ref) -> None:
    _MEMORIES.pop(ref, None)
