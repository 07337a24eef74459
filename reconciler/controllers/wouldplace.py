"""What the scheduler would say now of a pod that runs, and how full nodes are. The one place that asks it."""

from collections.abc import Mapping

from msgspec import structs

from reconciler.controllers import podstate
from reconciler.scheduler.decision import Decision
from reconciler.scheduler.resources import CPU, MEMORY, amounts, requests
from reconciler.scheduler.schedule import schedule
from reconciler.scheduler.snapshot import COUNTED, Snapshot
from reconciler.store.view import View
from schemas.core.node import Node
from schemas.core.pod import Pod
from schemas.meta import ref_of


class Placement:
    """The cluster as the scheduler sees it: learnt when first asked, and once for all that is asked."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._snapshot: Snapshot | None = None

    def target(self, pod: Pod) -> str:
        """The node that the pod would be placed on if it were new; empty where there is none."""
        snapshot = self._snapshot
        if snapshot is None:
            snapshot = self._snapshot = Snapshot(one for type_ in COUNTED for one in self._view.list(type_))
        snapshot.drop(pod)
        unbound = structs.replace(pod, spec=structs.replace(pod.spec, node_name=""))
        (decision,) = schedule((unbound,), snapshot)
        self._undo(snapshot, pod, decision)
        return decision.node

    def _undo(self, snapshot: Snapshot, pod: Pod, decision: Decision) -> None:
        """It was asked in thought: nothing is given to the pod, and nobody makes room for it."""
        for changed in decision.objects:
            found = self._view.find(ref_of(changed))
            if found is not None:
                snapshot.put(found)
        snapshot.drop(pod)
        for one in (*decision.displaced, pod):
            snapshot.put(one)


class Loads:
    """How much of each node is requested."""

    def __init__(self, nodes: Mapping[str, Node], view: View) -> None:
        self._nodes, self._view = nodes, view
        self._requested: dict[str, dict[str, int]] = {}

    def share(self, node: str, more: Pod | None = None) -> float:
        """Of CPU or memory, whichever is more; with one more pod where one is given."""
        allocatable = amounts(self._nodes[node].status.allocatable)
        requested = self._of(node)
        added = requests(more) if more is not None else {}
        shares = (
            (requested.get(name, 0) + added.get(name, 0)) / allocatable[name]
            for name in (CPU, MEMORY)
            if allocatable.get(name)
        )
        return max(shares, default=0.0)

    def _of(self, node: str) -> dict[str, int]:
        found = self._requested.get(node)
        if found is None:
            found = self._requested[node] = {}
            for pod in self._view.pods_on(node):
                if not podstate.ended(pod):
                    for name, amount in requests(pod).items():
                        found[name] = found.get(name, 0) + amount
        return found
