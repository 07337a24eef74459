"""What the server answers to `wherry explain-scheduling`: what the scheduler has to say of each node for one pod.

It asks the scheduler that runs, which knows the cluster already, and changes nothing.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol

from msgspec import structs

from reconciler.api.status import StatusError
from reconciler.scheduler.decision import Explanation, Verdict
from reconciler.scheduler.explain import explain
from reconciler.scheduler.profile import Profile
from reconciler.scheduler.snapshot import Snapshot
from reconciler.store.view import View
from schemas.core.pod import Pod


class Scheduler(Protocol):
    """The part of a running scheduler that is asked."""

    @property
    def snapshot(self) -> Snapshot: ...

    @property
    def profile(self) -> Profile: ...


class Explaining:
    def __init__(self, view: View, scheduler: Scheduler) -> None:
        self._view, self._scheduler = view, scheduler

    async def answer(self, query: Mapping[str, str]) -> object:
        """Of `pod` in `namespace`. Raises `StatusError` where there is none."""
        namespace, name = query.get("namespace", "default"), query.get("pod", "")
        pod = self._view.get(Pod, namespace, name)
        if pod is None:
            raise StatusError(404, "NotFound", f'pods "{name}" not found in namespace {namespace}')
        found = explained(pod, self._scheduler.snapshot, self._scheduler.profile)
        return await asyncio.to_thread(told, pod, found)  # of 5,000 nodes it would hold the loop for too long


def explained(pod: Pod, snapshot: Snapshot, profile: Profile) -> Explanation:
    """Where the pod would go if it came now. It must not stand in its own way where it runs already."""
    node = snapshot.node_of(pod.metadata.uid)
    if not node:
        return explain(pod, snapshot, profile)
    snapshot.drop(pod)
    try:
        return explain(structs.replace(pod, spec=structs.replace(pod.spec, node_name="")), snapshot, profile)
    finally:
        snapshot.place(pod, node)


def told(pod: Pod, found: Explanation) -> dict[str, Any]:
    """The best node first, then by name, then those that cannot take it."""
    nodes = sorted(found.nodes.items(), key=lambda item: (not item[1].feasible, -item[1].total, item[0]))
    return {
        "namespace": pod.metadata.namespace,
        "pod": pod.metadata.name,
        "node": pod.spec.node_name,
        "chosen": found.chosen,
        "message": found.message,
        "nodes": [_verdict(name, one) for name, one in nodes],
    }


def _verdict(name: str, one: Verdict) -> dict[str, Any]:
    if one.feasible:
        return {"name": name, "feasible": True, "total": one.total, "scores": dict(one.scores)}
    return {"name": name, "feasible": False, "filter": one.plugin, "reasons": list(one.reasons)}
