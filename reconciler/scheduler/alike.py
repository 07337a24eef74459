"""Nodes that are alike, so that what is asked of one of them is answered for all.

A fleet has few sizes of nodes, and pods of few templates fill them: most nodes have a twin, with as much of everything
and as much of it taken. What depends on nothing else is asked once for each such *state*, what depends on labels once
for each combination of values. So what a template costs that was never seen before depends on how varied the fleet is,
and only in small change on how many nodes and pods there are.
"""

from collections.abc import Hashable, Sequence

from reconciler.scheduler.nodeinfo import NodeInfo

_SPARE = 1024
"""States that are remembered, on the smallest fleet."""


class States:
    """Numbers for states. A node bears that of its own until something changes on it (`NodeInfo.state`)."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, ...], int] = {}
        self._last = 0

    @property
    def known(self) -> int:
        """How many states are remembered."""
        return len(self._known)

    def of(self, infos: Sequence[NodeInfo]) -> list[int]:
        """Nodes with the same number have the same size, room and taints."""
        if len(self._known) > _SPARE + 2 * len(infos):
            self._known.clear()  # Numbers are not given again: at worst twins are taken for two for a while.
        return [info.state or self._note(info) for info in infos]

    def _note(self, info: NodeInfo) -> int:
        state = (
            info.cpu,
            info.memory,
            info.free_cpu,
            info.free_memory,
            info.free_pods > 0,
            info.scored_cpu,
            info.scored_memory,
            info.taints,
        )
        found = self._known.get(state)
        if found is None:
            self._last += 1
            found = self._known[state] = self._last
        info.state = found
        return found


def by_labels(infos: Sequence[NodeInfo], keys: Sequence[str]) -> Sequence[Hashable]:
    """For each node what it has for the labels: equal for nodes that a selector over these cannot tell apart."""
    columns = [[info.labels.get(key) for info in infos] for key in keys]
    return columns[0] if len(columns) == 1 else list(zip(*columns, strict=True))
