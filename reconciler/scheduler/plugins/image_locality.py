"""ImageLocality: a node that has the images already is liked better, the more so the larger they are.

https://kubernetes.io/docs/reference/scheduling/config/#scheduling-plugins. An image that few nodes have counts for
less, so that not all pods go to the first node that has it.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

from reconciler.scheduler.nodeinfo import NodeInfo
from reconciler.scheduler.plugins.interface import BEST, Score
from reconciler.scheduler.podclass import PodClass

NAME = "ImageLocality"
_MIB = 1024 * 1024
_SMALLEST, _LARGEST = 23 * _MIB, 1000 * _MIB


class Image(Protocol):
    """Where an image is; `size` is what the first node said that reported it."""

    @property
    def size(self) -> int: ...

    @property
    def nodes(self) -> Mapping[str, int]: ...


def tagged(image: str) -> str:
    """The name under which nodes report it."""
    return image if ":" in image.rpartition("/")[2] else f"{image}:latest"


def wanted(asked: PodClass) -> tuple[str, ...]:
    """The images of all containers, in their order, as often as they are named."""
    spec = asked.pod.spec
    return tuple(tagged(one.image) for one in (*spec.init_containers, *spec.containers))


def prepare_score(asked: PodClass, find: Callable[[str], Image | None], nodes: int) -> Score | None:
    """None where no node has any of them."""
    images = wanted(asked)
    worth = []
    for name in images:
        image = find(name)
        if image is not None:
            worth.append((name, int(image.size * (len(image.nodes) / nodes))))
    if not worth:
        return None
    largest = _LARGEST * len(images)

    def score(info: NodeInfo) -> int:
        there = sum(amount for name, amount in worth if name in info.images)
        there = min(max(there, _SMALLEST), largest)
        return BEST * (there - _SMALLEST) // (largest - _SMALLEST)

    return score
