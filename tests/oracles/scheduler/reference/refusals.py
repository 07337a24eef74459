"""Why a node does not take a pod, in the kube-scheduler's words."""

from typing import NamedTuple


class Refusal(NamedTuple):
    """`lasting`: other pods leaving the node would not help."""

    plugin: str
    reasons: tuple[str, ...]
    lasting: bool


class Impossible(Exception):
    """No node need be looked at; `plugin` says the message."""

    def __init__(self, plugin: str, message: str) -> None:
        super().__init__(message)
        self.plugin = plugin


class SchedulerError(Exception):
    """The scheduler gives up, with this message."""
