"""Which node has which image, and which kinds of CPU are known not to run it.

The size of an image is what the first node said that reported it, in the order of their names.
"""

from collections.abc import Mapping

from reconciler.scheduler.nodeinfo import NodeInfo


class ImageState:
    """One image by one of its names. `misfits` counts, by architecture, the pods that show that it does not run there.

    `version` grows whenever a node comes to have it or no longer does, or a misfit is told of.
    """

    __slots__ = ("_sizes", "misfits", "version")

    def __init__(self) -> None:
        self._sizes: dict[str, int] = {}
        self.misfits: dict[str, int] = {}
        self.version = 0

    @property
    def nodes(self) -> dict[str, int]:
        return self._sizes

    @property
    def size(self) -> int:
        return self._sizes[min(self._sizes)]


class Images:
    """All images by name. `changes` grows with the version of any."""

    def __init__(self) -> None:
        self.changes = 0
        self._states: dict[str, ImageState] = {}
        self._told: dict[str, tuple[frozenset[str], str]] = {}

    def _changed(self, state: ImageState) -> None:
        state.version += 1
        self.changes += 1

    @property
    def has_misfits(self) -> bool:
        return bool(self._told)

    def find(self, name: str) -> ImageState | None:
        """None where no node has it."""
        found = self._states.get(name)
        return found if found is not None and found.nodes else None

    def version(self, name: str) -> int:
        found = self._states.get(name)
        return found.version if found is not None else 0

    def report(self, info: NodeInfo, images: Mapping[str, int]) -> None:
        """The node has these, and no others."""
        if images == info.images:
            return
        for name in info.images.keys() - images.keys():
            state = self._states[name]
            del state.nodes[info.name]
            self._changed(state)
        for name, size in images.items():
            if info.images.get(name) != size:
                state = self._states.setdefault(name, ImageState())
                state.nodes[info.name] = size
                self._changed(state)
        info.images = images

    def tell(self, uid: str, misfits: frozenset[str], architecture: str) -> None:
        """A pod shows that these images do not run on the architecture, and no others."""
        old = self._told.get(uid)
        new = (misfits, architecture) if misfits and architecture else None
        if old == new:
            return
        if old is not None:
            del self._told[uid]
            self._count(*old, -1)
        if new is not None:
            self._told[uid] = new
            self._count(*new, 1)

    def _count(self, images: frozenset[str], architecture: str, by: int) -> None:
        for name in images:
            state = self._states.setdefault(name, ImageState())
            self._changed(state)
            state.misfits[architecture] = state.misfits.get(architecture, 0) + by
            if not state.misfits[architecture]:
                del state.misfits[architecture]

    def refused_by(self, name: str, kinds: Mapping[str, str]) -> frozenset[str]:
        """Architectures on which the image does not run. `kinds` says of each node which it is of."""
        state = self._states.get(name)
        if state is None or not state.misfits:
            return frozenset()
        return frozenset(state.misfits) - {kinds.get(node, "") for node in state.nodes}
