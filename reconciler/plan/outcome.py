"""What a plan says: plain values, and the documented shape of `wherry plan --output json`."""

from typing import Literal

import msgspec

from reconciler.manifests.documents import SourceFault

Action = Literal["create", "change", "delete", "hold"]
Verb = Literal["start", "stop", "restart", "move"]


class _Shown(msgspec.Struct, frozen=True, rename="camel"):
    """Base of what is printed as JSON: every field is there, also an empty one."""


class FieldChange(_Shown, frozen=True):
    """One field; `before` or `after` is None where it is not set. A Secret's values are never here."""

    path: str
    before: object = None
    after: object = None


class ObjectChange(_Shown, frozen=True, kw_only=True):
    """An object that is created, changed or deleted, or whose deletion is held back.

    `place` is `file:line` of its declaration; `reason` says why it goes, or why it stays.
    """

    action: Action
    kind: str
    namespace: str
    name: str
    place: str = ""
    reason: str = ""
    fields: tuple[FieldChange, ...] = ()

    @property
    def title(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


class PodChange(_Shown, frozen=True, kw_only=True):
    """What happens to `count` pods of one workload.

    `restart`: replaced, or started anew, on the same node; `move`: replaced on another one, which `fromNode` is not.
    A pod starts when it runs that did not run before; that it is bound to a node is not enough.
    """

    verb: Verb
    count: int
    node: str = ""
    from_node: str = ""
    images: tuple[str, ...] = ()


class Pending(_Shown, frozen=True, kw_only=True):
    """Pods that would not run in the end, and why. `isNew`: they are not in the same case already."""

    count: int
    reason: str
    is_new: bool


class Workload(_Shown, frozen=True, kw_only=True):
    """What has pods, before and after. `lowestReady`: the fewest Ready at a time on the way from one to the other."""

    kind: str
    namespace: str
    name: str
    wanted_before: int
    wanted_after: int
    ready_before: int
    ready_after: int
    lowest_ready: int
    pods: tuple[PodChange, ...] = ()
    pending: tuple[Pending, ...] = ()

    @property
    def title(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


class Pull(_Shown, frozen=True):
    """An image that a node does not have yet; the size where any node knows it."""

    node: str
    image: str
    size_bytes: int | None


class Summary(_Shown, frozen=True, kw_only=True):
    created: int = 0
    changed: int = 0
    deleted: int = 0
    held_back: int = 0
    started: int = 0
    stopped: int = 0
    restarted: int = 0
    moved: int = 0
    pending: int = 0
    pulls: int = 0
    faults: int = 0


class Forecast(_Shown, frozen=True, kw_only=True):
    """The whole plan. `dangers` are sentences, the worst first; `notes` say what could not be taken into account."""

    summary: Summary = Summary()
    dangers: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    objects: tuple[ObjectChange, ...] = ()
    workloads: tuple[Workload, ...] = ()
    pulls: tuple[Pull, ...] = ()
    faults: tuple[SourceFault, ...] = ()

    @property
    def has_changes(self) -> bool:
        return bool(self.objects or any(one.pods or any(each.is_new for each in one.pending) for one in self.workloads))

    @property
    def has_faults(self) -> bool:
        return any(fault.severity == "error" for fault in self.faults)

    @property
    def exit_code(self) -> int:
        """As documented: 0 no change, 1 faults, 10 changes."""
        return 1 if self.has_faults else 10 if self.has_changes else 0
