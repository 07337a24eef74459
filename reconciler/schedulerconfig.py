"""The section `scheduler` of the reconciler's configuration file.

Names and ranges are those of kube-scheduler's configuration
(https://kubernetes.io/docs/reference/config-api/kube-scheduler-config.v1/).
"""

from collections.abc import Mapping

import msgspec

from reconciler.scheduler.profile import DEFAULT_WEIGHTS, Profile
from schemas.configuration import BadConfiguration, Section

MOST_WEIGHT = 100
STRATEGIES = ("LeastAllocated", "MostAllocated", "RequestedToCapacityRatio")


class ShapePoint(Section, frozen=True, kw_only=True):
    """At this utilisation (0 to 100) a node scores this much (0 to 10)."""

    utilization: int
    score: int


class SchedulerConfig(Section, frozen=True, kw_only=True):
    """Weights of scores that are left out stay as they are; 0 turns one off."""

    weights: Mapping[str, int] = msgspec.field(default_factory=dict)
    scoring_strategy: str = "LeastAllocated"
    resources: Mapping[str, int] = msgspec.field(default_factory=lambda: {"cpu": 1, "memory": 1})
    shape: tuple[ShapePoint, ...] = ()
    image_architecture: bool = True
    """Whether nodes are refused whose kind of CPU an image has failed on."""

    def profile(self) -> Profile:
        """Raises `BadConfiguration`."""
        _check_weights("scheduler.weights", self.weights, least=0)
        if unknown := sorted(self.weights.keys() - DEFAULT_WEIGHTS.keys()):
            raise BadConfiguration(
                f"scheduler.weights: there is no score {unknown[0]!r}; expected one of {', '.join(DEFAULT_WEIGHTS)}"
            )
        if self.scoring_strategy not in STRATEGIES:
            raise BadConfiguration(
                f"scheduler.scoringStrategy: {self.scoring_strategy!r} is unknown; expected {', '.join(STRATEGIES)}"
            )
        _check_weights("scheduler.resources", self.resources, least=1)
        if (self.scoring_strategy == STRATEGIES[2]) != bool(self.shape):
            raise BadConfiguration(f"scheduler.shape: give it with scoringStrategy {STRATEGIES[2]}, and only with that")
        self._check_shape()
        return Profile(
            weights={**DEFAULT_WEIGHTS, **self.weights},
            strategy=self.scoring_strategy,
            resources=self.resources,
            shape=tuple((one.utilization, one.score) for one in self.shape),
            architecture=self.image_architecture,
        )

    def _check_shape(self) -> None:
        points = [one.utilization for one in self.shape]
        if points != sorted(set(points)) or any(not 0 <= one <= 100 for one in points):
            raise BadConfiguration("scheduler.shape: utilization must grow from point to point, from 0 to 100")
        if any(not 0 <= one.score <= 10 for one in self.shape):
            raise BadConfiguration("scheduler.shape: score must be from 0 to 10")


def _check_weights(where: str, weights: Mapping[str, int], least: int) -> None:
    for name, weight in weights.items():
        if not least <= weight <= MOST_WEIGHT:
            raise BadConfiguration(f"{where}.{name}: must be from {least} to {MOST_WEIGHT}, found {weight}")
