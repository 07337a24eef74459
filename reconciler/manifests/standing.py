"""How each object of the folder stands: whether it is as declared (synced), and how it fares (healthy). Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from reconciler.health import Health, State, health
from reconciler.manifests.documents import SourceFault
from reconciler.provenance import COMMIT, SOURCE
from reconciler.store.view import View
from schemas.meta import Object, Ref

Synced = Literal["Yes", "No", "Waiting", "Fault", "Held"]
_GOOD = (State.HEALTHY, State.SUSPENDED)


class Standing(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One object, as `wherry status --output json` has it.

    `synced`: `Yes`, it is as declared; `No`, it is about to be; `Waiting`, for what it depends on; `Fault`, what is
    declared cannot be applied, what held before stays; `Held`, it is declared no more, and kept. `reason` says why it
    is not. `commit` is the one that last changed its declaration.
    """

    kind: str
    namespace: str
    name: str
    file: str
    line: int
    commit: str = ""
    synced: Synced
    reason: str = ""
    health: State
    health_reason: str = ""

    @property
    def ref(self) -> Ref:
        return Ref(self.kind, self.namespace, self.name)

    @property
    def has_converged(self) -> bool:
        """As declared, and as well as it is asked to be: what is suspended is so on purpose."""
        return self.synced == "Yes" and self.health in _GOOD


class Convergence(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """All objects of the folder, counted. `pending` are the first of those that are not synced or not healthy."""

    converged: bool
    objects: int
    synced: int
    healthy: int
    pending: tuple[Standing, ...]
    pending_count: int


def standing(ref: Ref, live: Object | None, view: View, synced: Synced, reason: str, place: str) -> Standing:
    """`place` is `file:line`; without one it is the one that the object bears."""
    annotations: Mapping[str, str] = live.metadata.annotations if live is not None else {}
    fares = health(live, view)
    file, _, line = (place or annotations.get(SOURCE, "")).rpartition(":")
    return Standing(
        kind=ref.kind,
        namespace=ref.namespace,
        name=ref.name,
        file=file,
        line=int(line) if line.isdecimal() else 0,
        commit=annotations.get(COMMIT, ""),
        synced=synced,
        reason=reason,
        health=fares.state,
        health_reason=fares.reason,
    )


def waits_for(others: Sequence[Ref], fares: Health) -> str:
    """`waits for Deployment default/db (1 of 2 pods ready)`: how the first fares, and how many more there are."""
    first, *more = others
    why = "not yet as declared" if fares.is_healthy else fares.reason or fares.state.value
    return f"waits for {first} ({why})" + (f" and {len(more)} more" if more else "")


def first_fault(ref: Ref, faults: Iterable[SourceFault]) -> str:
    """What is wrong with the object's document, by the faults of its file."""
    label = f"{ref.kind}/{ref.name}"
    found = (fault for fault in faults if fault.severity == "error" and fault.object in (label, ""))
    return str(next(found, "")) or "its file has faults"


def converge(standings: Sequence[Standing], *, is_settled: bool, most: int = 100) -> Convergence:
    """`is_settled`: the folder has been read, and nothing but the objects themselves is left to come."""
    pending = [one for one in standings if not one.has_converged]
    return Convergence(
        converged=is_settled and not pending,
        objects=len(standings),
        synced=sum(one.synced == "Yes" for one in standings),
        healthy=sum(one.health in _GOOD for one in standings),
        pending=tuple(pending[:most]),
        pending_count=len(pending),
    )
