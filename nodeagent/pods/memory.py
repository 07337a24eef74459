"""What a worker remembers of its pod beside what the runtime can tell: back-offs, waits, and what was seen when.

All of it may be lost with the agent: then a crashed container is simply tried at once. Times are of the
monotonic clock, since a wall clock may jump.
"""

import hashlib
from collections.abc import Mapping

import msgspec
from msgspec import field
from msgspec.structs import replace

from nodeagent.pods.actions import Failure
from nodeagent.pods.resizing import Given, Resize
from schemas.core.container import Container

FIRST_DELAY = 10.0
LONGEST_DELAY = 300.0
"""Seconds. A container that ran twice the longest delay starts again from the first one."""
FIRST_RETRY = 1.0
LONGEST_RETRY = 60.0
NEVER = float("inf")
CREATING = "ContainerCreating"
"""The reason of what is no trouble yet: a pull that takes long."""


class BackOff(msgspec.Struct, frozen=True):
    """How long a container that dies now has to wait, and since when that holds."""

    delay: float
    since: float


class Exit(msgspec.Struct, frozen=True):
    container_id: str
    seen_at: float


class Retry(msgspec.Struct, frozen=True):
    delay: float
    at: float
    """`NEVER`: not before something else changes."""


class Trouble(msgspec.Struct, frozen=True):
    """Why a container could not be started, in the words of its status."""

    reason: str
    message: str


class ContainerMemory(msgspec.Struct, frozen=True):
    """`image`: what the next start will use, once it is there. `attempts`: how many there have been; each has a number,
    from 0."""

    spec_hash: str = ""
    exit: Exit | None = None
    back_off: BackOff | None = None
    image: str = ""
    image_user: str = ""
    trouble: Trouble | None = None
    attempts: int = 0


class Verdict(msgspec.Struct, frozen=True):
    """What the probes say of one container. `failed`: `liveness` or `startup`, when it has to be restarted."""

    started: bool = True
    ready: bool = True
    failed: str = ""
    grace: int | None = None


class PodMemory(msgspec.Struct, frozen=True):
    """`retries` by the key of the action that failed. `hooks_due`: containers whose `postStart` is not over."""

    containers: Mapping[str, ContainerMemory] = field(default_factory=dict)
    retries: Mapping[str, Retry] = field(default_factory=dict)
    volumes_ready: bool = False
    stopped_sandboxes: frozenset[str] = frozenset()
    hooks_due: frozenset[str] = frozenset()
    hooks_failed: frozenset[str] = frozenset()
    given: Given = field(default_factory=dict)
    resize: Resize | None = None
    resize_error: str = ""
    resized_for: int = 0
    """The pod's generation that `resize` is about."""
    active_since: float | None = None
    ending_since: float | None = None
    held_since: float | None = None
    resetting: bool = False
    """One container's end asked that all begin anew, and no main container has yet."""
    failure: Failure | None = None
    finished: bool = False
    """The last status is on disk; the pod never runs again."""
    cleaned: bool = False

    def of(self, name: str) -> ContainerMemory:
        return self.containers.get(name, ContainerMemory())

    def with_container(self, name: str, memory: ContainerMemory) -> "PodMemory":
        return replace(self, containers={**self.containers, name: memory})

    def failed(self, key: str, now: float, at: float | None = None) -> "PodMemory":
        """The action of this key failed: it waits, twice as long each time, or until `at`."""
        before = self.retries.get(key)
        delay = min(before.delay * 2, LONGEST_RETRY) if before else FIRST_RETRY
        return replace(self, retries={**self.retries, key: Retry(delay, now + delay if at is None else at)})

    def succeeded(self, key: str) -> "PodMemory":
        if key not in self.retries:
            return self
        return replace(self, retries={other: retry for other, retry in self.retries.items() if other != key})

    def without_waits(self, *prefixes: str) -> "PodMemory":
        """What these actions waited for may have come: they are tried again at once, their delays are kept."""
        return replace(
            self,
            retries={
                key: replace(retry, at=0.0) if key.startswith(prefixes) else retry
                for key, retry in self.retries.items()
            },
        )


def spec_hash(container: Container) -> str:
    """Changes when a running container has to be replaced. Of its fields only the image may change in a pod's life.

    The form is for good: another hash for the same spec would restart every container at an upgrade.
    """
    return hashlib.sha256(msgspec.json.encode([container.name, container.image])).hexdigest()[:16]


def restart_at(memory: ContainerMemory) -> float:
    """When a container that has ended may run again; 0: at once, as after its first crash."""
    if memory.exit is None or memory.back_off is None or _is_over(memory.back_off, memory.exit):
        return 0.0
    return memory.exit.seen_at + memory.back_off.delay


def after_restart(memory: ContainerMemory, now: float) -> ContainerMemory:
    """A container that had ended is started again: the next end will have to wait, longer than this one."""
    if memory.exit is None:
        return memory
    delay = FIRST_DELAY
    if memory.back_off and not _is_over(memory.back_off, memory.exit):
        delay = min(memory.back_off.delay * 2, LONGEST_DELAY)
    return replace(memory, back_off=BackOff(delay, now))


def _is_over(back_off: BackOff, exit_: Exit) -> bool:
    return exit_.seen_at - back_off.since > 2 * LONGEST_DELAY
