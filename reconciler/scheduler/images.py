"""Which node has which image. The size is what the first node said that reported it, in the order of their names."""

from collections.abc import Mapping

from reconciler.scheduler.nodeinfo import NodeInfo


class ImageState:
    """One image by one of its names. `version` grows whenever a node comes to have it, or no longer does."""

    __slots__ = ("_sizes", "version")

    def __init__(self) -> None:
        self._sizes: dict[str, int] = {}
        self.version = 0

    @property
    def nodes(self) -> dict[str, int]:
        return self._sizes

    @property
    def size(self) -> int:
        return self._sizes[min(self._sizes)]


class Images:
    """All images by name."""

    def __init__(self) -> None:
        self._states: dict[str, ImageState] = {}

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
            state.version += 1
        for name, size in images.items():
            if info.images.get(name) != size:
                state = self._states.setdefault(name, ImageState())
                state.nodes[info.name] = size
                state.version += 1
        info.images = images
