"""TaintToleration: taints keep pods away, or make a node less liked.

https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/. A fleet has few different sets of taints,
so each is looked at once for a class of pods.
"""

from collections.abc import Sequence

from reconciler.scheduler.nodeinfo import NodeInfo
from reconciler.scheduler.plugins.interface import BEST, Check, Refusal, Score
from reconciler.scheduler.podclass import PodClass
from reconciler.taints import tolerates
from schemas.core.affinity import Toleration
from schemas.core.node import Taint

NAME = "TaintToleration"
_REFUSAL = Refusal(("node(s) had untolerated taint(s)",), lasting=True)


def untolerated(taints: Sequence[Taint], tolerations: Sequence[Toleration]) -> bool:
    """Whether one of the taints keeps the pod away."""
    return any(
        taint.effect in ("NoSchedule", "NoExecute") and not any(tolerates(one, taint) for one in tolerations)
        for taint in taints
    )


def prepare(asked: PodClass) -> Check:
    tolerations = asked.pod.spec.tolerations
    known: dict[int, Refusal | None] = {0: None}

    def check(info: NodeInfo) -> Refusal | None:
        taints = info.taints
        if taints not in known:
            assert info.node is not None
            known[taints] = _REFUSAL if untolerated(info.node.spec.taints, tolerations) else None
        return known[taints]

    return check


def prepare_raw(asked: PodClass) -> Score:
    """How many taints of a node the pod would rather not have."""
    fitting = [one for one in asked.pod.spec.tolerations if one.effect in ("", "PreferNoSchedule")]
    known: dict[int, int] = {0: 0}

    def raw(info: NodeInfo) -> int:
        taints = info.taints
        if taints not in known:
            assert info.node is not None
            known[taints] = sum(
                taint.effect == "PreferNoSchedule" and not any(tolerates(one, taint) for one in fitting)
                for taint in info.node.spec.taints
            )
        return known[taints]

    return raw


def normalised(raw: Sequence[int]) -> list[int]:
    most = max(raw)
    return [BEST - BEST * count // most if most else BEST for count in raw]
