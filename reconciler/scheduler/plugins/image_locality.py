"""ImageLocality: a node that has the images already is liked better, the more so the larger they are.

https://kubernetes.io/docs/reference/scheduling/config/#scheduling-plugins. An image that few nodes have counts for
less, so that not all pods go to the first node that has it.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from reconciler.scheduler.nodeinfo import NodeInfo
from reconciler.scheduler.plugins.interface import BEST, Column, Score
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
    worth = list(_worth(asked, find, nodes))
    if not worth:
        return None
    largest = _LARGEST * len(wanted(asked))

    def score(info: NodeInfo) -> int:
        return _score(sum(amount for image, amount in worth if info.name in image.nodes), largest)

    return score


def prepare_column(asked: PodClass, find: Callable[[str], Image | None], nodes: int) -> Column:
    """The same of many nodes: what few nodes have costs little."""
    largest = _LARGEST * len(wanted(asked))

    def column(infos: Sequence[NodeInfo]) -> list[int]:
        there = Counter[str]()
        for image, amount in _worth(asked, find, nodes):
            there.update(dict.fromkeys(image.nodes, amount))
        scores = {amount: _score(amount, largest) for amount in {*there.values()}}
        known = {name: scores[amount] for name, amount in there.items()}
        return [known.get(info.name, 0) for info in infos]

    return column


def _worth(asked: PodClass, find: Callable[[str], Image | None], nodes: int) -> Iterator[tuple[Image, int]]:
    """Each image that some node has, and what it counts there: the more, the more nodes have it."""
    for name in wanted(asked):
        image = find(name)
        if image is not None:
            yield image, int(image.size * (len(image.nodes) / nodes))


def _score(there: int, largest: int) -> int:
    return BEST * (min(max(there, _SMALLEST), largest) - _SMALLEST) // (largest - _SMALLEST)
