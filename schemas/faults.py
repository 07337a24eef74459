"""What is wrong with an object, and where: the one form in which decoding, validation and support report."""

from typing import Literal

import msgspec

Path = tuple[str | int, ...]


class Fault(msgspec.Struct, frozen=True):
    """One thing that is wrong. With severity `warning`, the object is taken on all the same."""

    path: Path
    message: str
    severity: Literal["error", "warning"] = "error"

    @property
    def field(self) -> str:
        """The path as people write it: `spec.containers[0].image`, `metadata.labels[example.com/a]`."""
        return field_name(self.path)

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.path else self.message


def field_name(path: Path) -> str:
    """`spec.containers[0].image`; keys that would not read as one word stand in brackets."""
    text = ""
    for step in path:
        if isinstance(step, int) or not step.replace("$", "").replace("_", "").isalnum():
            text += f"[{step}]"
        else:
            text += f".{step}" if text else step
    return text
