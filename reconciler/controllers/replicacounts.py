"""Arithmetic of a rolling update: how many replicas each ReplicaSet may have next.

Numbers in, numbers out. Follows the Deployment controller
(https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#rolling-update-deployment): percentages of
`maxSurge` round up, of `maxUnavailable` down, and where both come to 0 one pod may be unavailable.
"""

import math
from collections.abc import Sequence

import msgspec

from schemas.apps import Deployment, ReplicaSet

_DEFAULT = "25%"
ROLLING_UPDATE = "RollingUpdate"


def wanted(deployment: Deployment) -> int:
    return 1 if deployment.spec.replicas is None else deployment.spec.replicas


def size(replica_set: ReplicaSet) -> int:
    """What the spec of the set asks for."""
    return 1 if replica_set.spec.replicas is None else replica_set.spec.replicas


def total(sets: Sequence[ReplicaSet]) -> int:
    return sum(size(one) for one in sets)


def rolls(deployment: Deployment) -> bool:
    return deployment.spec.strategy.type in ("", ROLLING_UPDATE)


def max_surge(deployment: Deployment) -> int:
    """Pods above `replicas` that may exist during a rolling update."""
    return _fenceposts(deployment)[0] if rolls(deployment) else 0


def max_unavailable(deployment: Deployment) -> int:
    """Pods below `replicas` that may be missing during a rolling update."""
    if not rolls(deployment) or wanted(deployment) == 0:
        return 0
    return min(_fenceposts(deployment)[1], wanted(deployment))


def _fenceposts(deployment: Deployment) -> tuple[int, int]:
    rolling = deployment.spec.strategy.rolling_update
    surge = rolling.max_surge if rolling is not None else None
    unavailable = rolling.max_unavailable if rolling is not None else None
    replicas = wanted(deployment)
    up = scaled(_DEFAULT if surge is None else surge, replicas, round_up=True)
    down = scaled(_DEFAULT if unavailable is None else unavailable, replicas, round_up=False)
    return (up, down) if up or down else (0, 1)


def scaled(amount: int | str, of: int, *, round_up: bool) -> int:
    """A number, or a percentage such as `25%` of `of`."""
    if isinstance(amount, int):
        return amount
    percent = int(amount.removesuffix("%"))
    return -(-percent * of // 100) if round_up else percent * of // 100


def new_set_size(deployment: Deployment, sets: Sequence[ReplicaSet], new: ReplicaSet) -> int:
    """What the newest set may grow to, with `sets` being all of them.

    Pods that a set has yet to delete take up room until they are gone.
    """
    if not rolls(deployment):
        return wanted(deployment)
    present = sum(max(size(one), one.status.replicas) for one in sets)
    room = wanted(deployment) + max_surge(deployment) - present
    if room <= 0:
        return size(new)
    return size(new) + min(room, wanted(deployment) - size(new))


def old_set_sizes(
    deployment: Deployment, old: Sequence[ReplicaSet], new: ReplicaSet, unavailable: int | None = None
) -> dict[str, int]:
    """Sizes by name that the old sets (oldest first) may shrink to: their unhealthy pods first.

    `unavailable`: how many pods may be missing, where that is less than `max_unavailable`.
    Pods that a set is about to delete are not counted on, even while they are still available.
    """
    sizes = {one.metadata.name: size(one) for one in old}
    minimum = wanted(deployment) - (max_unavailable(deployment) if unavailable is None else unavailable)
    missing = size(new) - _staying(new)
    excess = total(old) + size(new) - minimum - missing
    if total(old) == 0 or excess <= 0:
        return sizes
    for one in old:
        name = one.metadata.name
        cut = min(excess, sizes[name] - _staying(one))
        sizes[name] -= cut
        excess -= cut
    spare = sum(_staying(one) for one in (*old, new)) - minimum
    for one in old:
        cut = min(max(0, spare), sizes[one.metadata.name])
        sizes[one.metadata.name] -= cut
        spare -= cut
    return sizes


def _staying(replica_set: ReplicaSet) -> int:
    return min(size(replica_set), replica_set.status.available_replicas)


class Share(msgspec.Struct, frozen=True):
    """A ReplicaSet in a rollout that is scaled: `max_before` is the most pods that its rollout had allowed."""

    name: str
    size: int
    max_before: int


def proportional_sizes(shares: Sequence[Share], *, replicas: int, surge: int) -> dict[str, int]:
    """Sizes by name when a Deployment is scaled in mid-rollout: each set grows or shrinks by its share.

    `shares` are in the order in which the sets are served; what rounding leaves over goes to the first.
    """
    allowed = replicas + surge if replicas > 0 else 0
    change = allowed - sum(share.size for share in shares)
    sizes = {share.name: share.size for share in shares}
    if change == 0:
        return sizes
    added = 0
    for share in shares:
        part = _part(share, replicas, surge)
        part = min(part, change - added) if change > 0 else max(part, change - added)
        if share.size == 0 or added == change:
            part = 0
        sizes[share.name] += part
        added += part
    if shares:
        first = shares[0].name
        sizes[first] = max(0, sizes[first] + change - added)
    return sizes


def _part(share: Share, replicas: int, surge: int) -> int:
    if replicas == 0:
        return -share.size
    if share.max_before == 0:
        return 0
    exact = share.size * (replicas + surge) / share.max_before
    return math.floor(exact + 0.5) - share.size
