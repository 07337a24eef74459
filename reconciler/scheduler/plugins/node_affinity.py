"""NodeAffinity: nodes by label and by name, demanded or preferred.

https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#node-affinity
"""

from collections.abc import Sequence

from reconciler.scheduler.alike import by_labels
from reconciler.scheduler.nodeinfo import NodeInfo
from reconciler.scheduler.plugins.interface import BEST, Check, Column, Refusal, Score, Select
from reconciler.scheduler.podclass import PodClass
from schemas import names
from schemas.core.affinity import PreferredSchedulingTerm
from schemas.nodeaffinity import (
    label_keys,
    named_nodes,
    node_affinity,
    required,
    term_holds,
    wanted_by,
)

NAME = "NodeAffinity"
_REFUSAL = Refusal(("node(s) didn't match Pod's node affinity/selector",), lasting=True)
NOT_NAMED = Refusal(("node(s) didn't satisfy plugin(s) [NodeAffinity]",), lasting=True)
"""Where the pod's terms name nodes and this is none of them."""


_CONFLICT = Refusal(("pod affinity terms conflict",), lasting=True)


def prepare(asked: PodClass) -> Check | Refusal | None:
    pod = asked.pod
    if named_nodes(pod) == frozenset():
        return _CONFLICT
    if not pod.spec.node_selector and required(pod) is None:
        return None

    def check(info: NodeInfo) -> Refusal | None:
        return None if wanted_by(pod, info.name, info.labels) else _REFUSAL

    return check


def prepare_select(asked: PodClass) -> Select | None:
    """The nodes that are asked for, looked at once for each combination of labels; None where names count, too."""
    pod = asked.pod
    keys = label_keys(required(pod) or (), pod.spec.node_selector)
    if not keys:
        return None

    def select(infos: Sequence[NodeInfo]) -> Sequence[NodeInfo]:
        seen = by_labels(infos, keys)
        wanted = {
            told: wanted_by(pod, info.name, info.labels) for told, info in dict(zip(seen, infos, strict=True)).items()
        }
        return [info for told, info in zip(seen, infos, strict=True) if wanted[told]]

    return select


def _preferred(asked: PodClass) -> tuple[PreferredSchedulingTerm, ...]:
    affinity = node_affinity(asked.pod)
    return affinity.preferred_during_scheduling_ignored_during_execution if affinity is not None else ()


def prepare_raw(asked: PodClass) -> Score | None:
    """The weights of the preferred terms that a node meets."""
    preferred = _preferred(asked)
    if not preferred:
        return None

    def raw(info: NodeInfo) -> int:
        return sum(one.weight for one in preferred if term_holds(one.preference, info.name, info.labels))

    return raw


def prepare_raw_column(asked: PodClass) -> Column:
    """The same of many nodes, once for each combination of labels."""
    raw = prepare_raw(asked)
    keys = label_keys([one.preference for one in _preferred(asked)])

    def column(infos: Sequence[NodeInfo]) -> list[int]:
        if raw is None:
            return [0] * len(infos)
        if not keys:
            return [raw(info) for info in infos]
        seen = by_labels(infos, keys)
        known = {told: raw(info) for told, info in dict(zip(seen, infos, strict=True)).items()}
        return [known[told] for told in seen]

    return column


def normalised(raw: Sequence[int]) -> list[int]:
    most = max(raw)
    return [BEST * total // most if most else 0 for total in raw]


def fault(asked: PodClass) -> str:
    """What is wrong with a preferred term that the API let in, in kube-scheduler's words; empty for nothing."""
    for at, preferred in enumerate(_preferred(asked)):
        for number, one in enumerate(preferred.preference.match_expressions):
            for index, value in enumerate(one.values):
                if complaints := names.label_value(value):
                    where = f"[{at}].matchExpressions[{number}].values[{index}][{one.key}]"
                    return (
                        f'running PreScore plugin "NodeAffinity": {where}: '
                        f'Invalid value: "{value}": {"; ".join(complaints)}'
                    )
    return ""
