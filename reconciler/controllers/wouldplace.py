"""What the scheduler would say now of a pod that runs, and how full nodes are. The one place that asks it."""

from collections.abc import Mapping

from msgspec import structs

from reconciler.controllers import podstate
from reconciler.scheduler.resources import CPU, MEMORY, amounts, requests
from reconciler.scheduler.schedule import schedule
from reconciler.scheduler.snapshot import COUNTED, Snapshot
from reconciler.store.view import View
from schemas.core.node import Node
from schemas.core.pod import Pod


def would_place(pod: Pod, view: View) -> str:
    """The node that the pod would be placed on if it were new; empty where there is none."""
    snapshot = Snapshot(found for type_ in COUNTED for found in view.list(type_))
    snapshot.drop(pod)
    unbound = structs.replace(pod, spec=structs.replace(pod.spec, node_name=""))
    (decision,) = schedule((unbound,), snapshot)
    return decision.node


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
