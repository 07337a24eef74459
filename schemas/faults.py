"""What is wrong with an object, and where: the one form in which decoding, validation and support report."""

from typing import Literal

import msgspec

Path = tuple[str | int, ...]


class Fault(msgspec.Struct, frozen=True):
    """One thing that is wrong. With severity `warning`, the object is taken on all the same."""

    path: Path
    message: str
    severity: Literal["error", "warning"] = "error"
    written: str = ""
    """How Kubernetes writes the path, where that is not its form."""

    @property
    def field(self) -> str:
        """The path as people write it: `spec.containers[0].image`, `data[key.txt]`."""
        return self.written or field_name(self.path)

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.path or self.written else self.message


_MAPS = frozenset(
    (
        "annotations",
        "binaryData",
        "capacity",
        "data",
        "default",
        "defaultRequest",
        "hard",
        "labels",
        "limits",
        "matchLabels",
        "max",
        "maxLimitRequestRatio",
        "min",
        "nodeSelector",
        "requests",
        "stringData",
    )
)
"""Fields whose keys are chosen by the user, and are written in brackets."""


def field_name(path: Path) -> str:
    """`spec.containers[0].resources.limits[cpu]`."""
    text, before = "", ""
    for step in path:
        if isinstance(step, int) or before in _MAPS or not step.isidentifier():
            text += f"[{step}]"
        else:
            text += f".{step}" if text else step
        before = str(step)
    return text
