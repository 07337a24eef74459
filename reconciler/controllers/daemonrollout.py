"""How a DaemonSet's update goes over the nodes: old pods to end, and nodes that may have a second pod meanwhile.

Pods in, decisions out. With `maxSurge` a new pod comes before the old one goes, else the old one goes first
(https://kubernetes.io/docs/tasks/manage-daemon/update-daemon-set/, KEP-1591). An old pod that is not available is
replaced in any case: that makes nothing worse. Kubernetes takes nodes in no order; here it is that of their names.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from itertools import islice

import msgspec

from reconciler.controllers import podstate
from reconciler.controllers.daemonpods import is_new
from reconciler.controllers.replicacounts import scaled
from schemas.apps import DaemonSet
from schemas.core.pod import Pod

_Available = Callable[[Pod], bool]


class Rollout(msgspec.Struct, frozen=True):
    """What the update may do now."""

    deleted: tuple[Pod, ...] = ()
    surged: tuple[str, ...] = ()
    """Nodes that get a second pod."""


class Limits(msgspec.Struct, frozen=True):
    """How many nodes may be without an available pod, and how many may have two."""

    unavailable: int
    surge: int


def limits(owner: DaemonSet, desired: int) -> Limits:
    """`desired`: how many nodes are to have a pod. Percentages are rounded up, both of them."""
    rolling = owner.spec.update_strategy.rolling_update
    unavailable = rolling.max_unavailable if rolling is not None else None
    surge = rolling.max_surge if rolling is not None else None
    found = Limits(
        scaled(1 if unavailable is None else unavailable, desired, round_up=True),
        scaled(0 if surge is None else surge, desired, round_up=True),
    )
    return found if found.unavailable or found.surge else Limits(1, 0)


def allows_surge(owner: DaemonSet) -> bool:
    rolling = owner.spec.update_strategy.rolling_update
    return rolling is not None and rolling.max_surge not in (None, 0, "0%")


class _Pair(msgspec.Struct, frozen=True):
    """What runs on a node: at most one pod of the present template, and one of an earlier."""

    node: str
    new: Pod | None
    old: Pod | None


def _pair(node: str, pods: Sequence[Pod], hash_: str) -> _Pair | None:
    """None where there are more: they are cleared away first."""
    staying = [pod for pod in pods if pod.metadata.deletion_timestamp is None]
    new = [pod for pod in staying if is_new(pod, hash_)]
    old = [pod for pod in staying if not is_new(pod, hash_)]
    if len(new) > 1 or len(old) > 1:
        return None
    return _Pair(node, new[0] if new else None, old[0] if old else None)


def rollout(
    owner: DaemonSet,
    pods: Mapping[str, Sequence[Pod]],
    waiting: Sequence[Pod],
    hash_: str,
    desired: int,
    now: datetime,
    awaits: Callable[[Pod], bool] = lambda _: False,
) -> Rollout:
    """The next step of an update; `pods` are those of each node, `waiting` available old ones of further nodes.

    An old pod whose node `awaits` the new image runs on, and others may go before it.
    """
    if owner.spec.update_strategy.type == "OnDelete":
        return Rollout()
    pairs = [_pair(node, pods[node], hash_) for node in pods]
    pairs += [_Pair(pod.spec.node_name, None, pod) for pod in waiting]
    pairs.sort(key=lambda pair: pair.node if pair is not None else "")
    allowed, seconds = limits(owner, desired), owner.spec.min_ready_seconds
    if allowed.surge:
        return _surging(pairs, allowed, lambda pod: podstate.available(pod, seconds, now))
    return _replacing(pairs, allowed, lambda pod: podstate.available(pod, seconds, now), awaits)


def _replacing(
    pairs: Sequence[_Pair | None], allowed: Limits, available: _Available, awaits: Callable[[Pod], bool]
) -> Rollout:
    unavailable = 0
    broken: list[Pod] = []
    candidates: list[Pod] = []
    for pair in pairs:
        if pair is None or (pair.new is None) == (pair.old is None):
            unavailable += 1
        elif pair.old is None:
            assert pair.new is not None
            unavailable += not available(pair.new)
        elif not available(pair.old):
            broken.append(pair.old)
            unavailable += 1
        else:
            candidates.append(pair.old)
    ready = (pod for pod in candidates if not awaits(pod))
    return Rollout(deleted=(*broken, *islice(ready, max(0, allowed.unavailable - unavailable))))


def _surging(pairs: Sequence[_Pair | None], allowed: Limits, available: _Available) -> Rollout:
    surging = 0
    deleted: list[Pod] = []
    broken: list[str] = []
    candidates: list[str] = []
    for pair in pairs:
        if pair is None:
            surging += 1
        elif pair.old is None:
            continue
        elif pair.new is None:
            (candidates if available(pair.old) else broken).append(pair.node)
        elif available(pair.new):
            deleted.append(pair.old)
        else:
            surging += 1
    return Rollout(tuple(deleted), (*broken, *candidates[: max(0, allowed.surge - surging)]))
