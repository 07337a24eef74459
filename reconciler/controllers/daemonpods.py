"""Pods of a DaemonSet: which nodes are to have one, and what it is made of.

A daemon pod is bound by the scheduler like any other; a node affinity by name leads it to its node, and tolerations
let it run where others may not (https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/#taints-and-tolerations).
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import NamedTuple

from msgspec import structs

from reconciler.controllers.history import POD_LABEL
from reconciler.controllers.ownership import controller_reference
from reconciler.provenance import provenance
from reconciler.scheduler.plugins.taint_toleration import untolerated
from reconciler.taints import NOT_READY, UNREACHABLE, UNSCHEDULABLE
from schemas.apps import DaemonSet
from schemas.core.affinity import (
    Affinity,
    NodeAffinity,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    Toleration,
)
from schemas.core.node import Node
from schemas.core.pod import Pod, PodSpec
from schemas.meta import ObjectMeta
from schemas.nodeaffinity import named_nodes, wanted_by

FAILURES = "wherry.dev/failures"
"""On a pod: how many pods before it on this node have failed one after the other."""
_LONGEST_BACK_OFF = 900.0
_LONG_LIVED = 2 * _LONGEST_BACK_OFF

_TOLERATED = (
    (NOT_READY, "NoExecute"),
    (UNREACHABLE, "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    (UNSCHEDULABLE, "NoSchedule"),
)
_NETWORK = ("node.kubernetes.io/network-unavailable", "NoSchedule")


class Fitness(NamedTuple):
    """Of a node: whether it is to have a pod, and whether one that is there may stay."""

    runs: bool
    stays: bool


_FIT, _UNFIT = Fitness(True, True), Fitness(False, False)


def fitness(owner: DaemonSet) -> Callable[[Node], Fitness]:
    """Judges nodes by the scheduler's own filters. Room on the node is no matter: the pod has to wait for it there."""
    spec = owner.spec.template.spec
    if spec is None:
        return lambda _: _UNFIT
    pod = Pod(spec=_tolerating(spec))
    tolerations = pod.spec.tolerations

    def judge(node: Node) -> Fitness:
        name = node.metadata.name
        if spec.node_name not in ("", name) or not wanted_by(pod, name, node.metadata.labels):
            return _UNFIT
        if not untolerated(node.spec.taints, tolerations):
            return _FIT
        executing = [taint for taint in node.spec.taints if taint.effect == "NoExecute"]
        return Fitness(False, not untolerated(executing, tolerations))

    return judge


def _tolerating(spec: PodSpec) -> PodSpec:
    return structs.replace(spec, tolerations=_with_daemon_tolerations(spec))


def _with_daemon_tolerations(spec: PodSpec) -> tuple[Toleration, ...]:
    wanted = (*_TOLERATED, _NETWORK) if spec.host_network else _TOLERATED
    added = [Toleration(effect=effect, key=key, operator="Exists") for key, effect in wanted]
    return (*spec.tolerations, *(one for one in added if one not in spec.tolerations))


def failures(pod: Pod, now: datetime) -> int:
    """How many pods have failed in a row before this one; one that has lived for long begins a new row."""
    written = pod.metadata.annotations.get(FAILURES, "")
    row = int(written) if written.isascii() and written.isdigit() else 0
    return 0 if _lived(pod, now) > _LONG_LIVED else row


def replaced_in(pod: Pod, now: datetime) -> float:
    """Seconds until a pod that has ended is replaced: at once the first time, then later and later."""
    row = failures(pod, now)
    return max(0.0, min(_LONGEST_BACK_OFF, 2.0 ** min(row - 1, 10)) - _lived(pod, now)) if row else 0.0


def _lived(pod: Pod, now: datetime) -> float:
    created = pod.metadata.creation_timestamp
    return (now - created).total_seconds() if created is not None else 0.0


def new_pod(owner: DaemonSet, hash_: str, node: str, name: str, failed: int) -> Pod:
    """The pod for a node on which so many have failed."""
    template = owner.spec.template
    assert template.spec is not None
    metadata = ObjectMeta(
        name=name,
        generate_name=f"{owner.metadata.name}-",
        namespace=owner.metadata.namespace,
        labels={**template.metadata.labels, POD_LABEL: hash_},
        annotations=template.metadata.annotations | provenance(owner) | ({FAILURES: str(failed)} if failed else {}),
        finalizers=template.metadata.finalizers,
        owner_references=(controller_reference(owner),),
    )
    spec = structs.replace(_tolerating(template.spec), affinity=_only(template.spec.affinity, node))
    return Pod(metadata=metadata, spec=spec)


def _only(affinity: Affinity | None, node: str) -> Affinity:
    """The affinity with that node in place of all other demands on it: they have been looked at already."""
    named = NodeSelectorRequirement(key="metadata.name", operator="In", values=(node,))
    required = NodeSelector((NodeSelectorTerm(match_fields=(named,)),))
    given = affinity or Affinity()
    wanted = structs.replace(
        given.node_affinity or NodeAffinity(), required_during_scheduling_ignored_during_execution=required
    )
    return structs.replace(given, node_affinity=wanted)


def node_of(pod: Pod) -> str:
    """The node that the pod is on, or is meant for; empty where neither can be told."""
    if pod.spec.node_name:
        return pod.spec.node_name
    names = named_nodes(pod) or frozenset()
    return next(iter(names)) if len(names) == 1 else ""


def by_node(pods: Iterable[Pod]) -> dict[str, list[Pod]]:
    """The pods of each node, oldest first."""
    found: dict[str, list[Pod]] = {}
    for pod in sorted(pods, key=_age):
        if node := node_of(pod):
            found.setdefault(node, []).append(pod)
    return found


def _age(pod: Pod) -> tuple[float, str]:
    created = pod.metadata.creation_timestamp
    return created.timestamp() if created is not None else float("inf"), pod.metadata.name


def is_new(pod: Pod, hash_: str) -> bool:
    """Whether the pod is of the present template."""
    return pod.metadata.labels.get(POD_LABEL) == hash_
