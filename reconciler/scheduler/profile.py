"""Weights and settings of the scheduler; the defaults are the kube-scheduler's.

https://kubernetes.io/docs/reference/config-api/kube-scheduler-config.v1/
"""

from collections.abc import Mapping

import msgspec

DEFAULT_WEIGHTS: Mapping[str, int] = {
    "TaintToleration": 3,
    "NodeAffinity": 2,
    "NodeResourcesFit": 1,
    "PodTopologySpread": 2,
    "InterPodAffinity": 2,
    "NodeResourcesBalancedAllocation": 1,
    "ImageLocality": 1,
}


class Profile(msgspec.Struct, frozen=True):
    """`architecture`: nodes whose CPU cannot run the pod's image, where that is known, are refused.

    `strategy` is that of NodeResourcesFit (`LeastAllocated`, `MostAllocated` or `RequestedToCapacityRatio`),
    `resources` the weight of each resource in it, `shape` the points (utilisation, score from 0 to 10) of the ratio.
    """

    weights: Mapping[str, int] = msgspec.field(default_factory=lambda: DEFAULT_WEIGHTS)
    strategy: str = "LeastAllocated"
    resources: Mapping[str, int] = msgspec.field(default_factory=lambda: {"cpu": 1, "memory": 1})
    shape: tuple[tuple[int, int], ...] = ()
    architecture: bool = True


PLAIN = Profile()
