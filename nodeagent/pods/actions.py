"""What a pod's worker can be told to do. Values; `executor` carries them out.

`key` names what an action works on: while one is under way no second one of that key is begun, and after a
failure that key waits.
"""

from collections.abc import Mapping

import msgspec
from msgspec import field

from schemas.core.podstatus import ContainerStateWaiting


class PrepareVolumes(msgspec.Struct, frozen=True):
    """Every volume of the pod is there, with the content it shall have now."""

    @property
    def key(self) -> str:
        return "volumes"


class RunSandbox(msgspec.Struct, frozen=True):
    attempt: int

    @property
    def key(self) -> str:
        return "sandbox"


class StopSandbox(msgspec.Struct, frozen=True):
    sandbox_id: str
    changed: bool = False
    """It was lost and another one takes its place."""

    @property
    def key(self) -> str:
        return f"stop-sandbox:{self.sandbox_id}"


class RemoveSandbox(msgspec.Struct, frozen=True):
    sandbox_id: str

    @property
    def key(self) -> str:
        return f"remove-sandbox:{self.sandbox_id}"


class EnsureImage(msgspec.Struct, frozen=True):
    container: str

    @property
    def key(self) -> str:
        return f"image:{self.container}"


class StartContainer(msgspec.Struct, frozen=True):
    """Creates and starts it."""

    container: str
    attempt: int
    sandbox_id: str

    @property
    def key(self) -> str:
        return f"start:{self.container}"


class RunPostStart(msgspec.Struct, frozen=True):
    container: str
    container_id: str

    @property
    def key(self) -> str:
        return f"hook:{self.container}"


class StopContainer(msgspec.Struct, frozen=True):
    """`preStop`, SIGTERM, and SIGKILL at the end of the grace (seconds), which counts both. `message` says why."""

    container: str
    container_id: str
    grace: float
    message: str
    kill_at: float
    """When the grace ends, on the monotonic clock."""
    hook: bool = True
    """Whether `preStop` is run."""

    @property
    def key(self) -> str:
        return f"stop:{self.container_id}"


class ResizeContainers(msgspec.Struct, frozen=True):
    """Gives these running containers, by name and id, the resources that the spec asks for."""

    containers: tuple[tuple[str, str], ...]

    @property
    def key(self) -> str:
        return "resize"


class RemoveContainer(msgspec.Struct, frozen=True):
    """With its log."""

    container: str
    container_id: str

    @property
    def key(self) -> str:
        return f"remove:{self.container_id}"


class Finish(msgspec.Struct, frozen=True):
    """The pod has run to its end: its last status goes to disk, its volumes go."""

    @property
    def key(self) -> str:
        return "finish"


class CleanUp(msgspec.Struct, frozen=True):
    """Volumes, logs and files: nothing is left of the pod."""

    @property
    def key(self) -> str:
        return "clean-up"


Action = (
    PrepareVolumes
    | RunSandbox
    | StopSandbox
    | RemoveSandbox
    | EnsureImage
    | StartContainer
    | RunPostStart
    | StopContainer
    | ResizeContainers
    | RemoveContainer
    | Finish
    | CleanUp
)


REJECTED = "Pod was rejected: "
"""How the message of a pod begins that its node did not take."""


class Failure(msgspec.Struct, frozen=True):
    """Why a pod as a whole has failed. `grace`: seconds that its end may take at most."""

    reason: str
    message: str
    grace: float | None = None


class Decision(msgspec.Struct, frozen=True):
    """`waiting`: why containers do not run yet. `ended`: nothing of it runs, or will. `removed`: nothing is left."""

    actions: tuple[Action, ...] = ()
    wake_at: float | None = None
    waiting: Mapping[str, ContainerStateWaiting] = field(default_factory=dict)
    failure: Failure | None = None
    ended: bool = False
    removed: bool = False
