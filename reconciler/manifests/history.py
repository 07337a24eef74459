"""Which state of the folder changed what, when that was committed, and when it had come to be.

Pure but for the state it holds. A record goes to the store in the very commit that carries out what it tells of, so
that neither is ever there without the other; when all of it is healthy, the record is written once more. Bounded by
number and size, the oldest go. What has drifted and is put back is no news, and is not told.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Literal

import msgspec
from msgspec.structs import replace

from reconciler.health import State, health, is_well_when_stored
from reconciler.store.interface import Entry, Put, Remove
from reconciler.store.view import View
from schemas.meta import Ref

PREFIX = "wherry/history/"
MOST_RECORDS = 100
MOST_BYTES = 4 << 20
Action = Literal["created", "updated", "deleted"]
Changes = Mapping[Ref, Action]
_WELL = (State.HEALTHY, State.SUSPENDED)


class Group(msgspec.Struct, frozen=True, array_like=True):
    """Objects of one kind and namespace to which the same happened: thousands of names take little room so."""

    action: Action
    kind: str
    namespace: str
    names: tuple[str, ...]


class Description(msgspec.Struct, frozen=True):
    """What git says of a commit."""

    author: str = ""
    authored: datetime | None = None
    subject: str = ""


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One state of the folder that changed something. `commit` is empty where the folder is no checkout.

    `committed` is when the store had it. `converged` is when all of it was healthy; `is_superseded`: some of it was
    changed again before that.
    """

    commit: str = ""
    committed: datetime
    changes: tuple[Group, ...]
    converged: datetime | None = None
    is_superseded: bool = False
    description: Description | None = None

    @property
    def is_open(self) -> bool:
        return self.converged is None and not self.is_superseded

    def all_changes(self) -> Iterator[tuple[Ref, Action]]:
        for group in self.changes:
            for name in group.names:
                yield Ref(group.kind, group.namespace, name), group.action


def grouped(changes: Changes) -> tuple[Group, ...]:
    """In order."""
    names: dict[tuple[Action, str, str], list[str]] = {}
    for ref, action in changes.items():
        names.setdefault((action, ref.kind, ref.namespace), []).append(ref.name)
    return tuple(Group(*key, tuple(sorted(names[key]))) for key in sorted(names))


class Planned(msgspec.Struct, frozen=True):
    """What the store has to write, the records as they are then, and the one that the changes belong to."""

    operations: tuple[Put | Remove, ...]
    records: dict[str, Record]
    key: str = ""
    changes: Changes = MappingProxyType({})


class History:
    """`load` what the store has; `plan` before each commit and `take` it after; `see` what happens to objects."""

    def __init__(self, view: View, clock: Callable[[], datetime]) -> None:
        self._view, self._clock = view, clock
        self._sizes: dict[str, int] = {}
        self._records: dict[str, Record] = {}
        self._waits: dict[str, dict[Ref, Action]] = {}
        self._unwritten: set[str] = set()
        self._current = ""

    def load(self, entries: Iterable[Entry]) -> None:
        """All records there are. What the open ones still wait for is found out again."""
        later: set[Ref] = set()
        for entry in sorted(entries, key=lambda one: one.key, reverse=True):
            self._sizes[entry.key] = len(entry.value)
            record = decoded(entry.value)
            if record is not None and record.is_open:
                changes = dict(record.all_changes())
                if later.isdisjoint(changes):
                    self._open(entry.key, record, changes)
                else:
                    self._close(entry.key, replace(record, is_superseded=True))
                later |= changes.keys()

    def begin(self) -> None:
        """The folder has another state: what is changed from now on belongs to that."""
        self._current = ""

    @property
    def has_news(self) -> bool:
        """Whether there is something to write although nothing is to be changed."""
        return bool(self._unwritten)

    @property
    def undescribed(self) -> frozenset[str]:
        """Commits of which git has not been asked yet."""
        return frozenset(one.commit for one in self._records.values() if one.commit and one.description is None)

    def describe(self, commit: str, description: Description) -> None:
        """What git said of a commit."""
        for key, record in self._records.items():
            if record.commit == commit and record.description is None:
                self._records[key] = replace(record, description=description)
                self._unwritten.add(key)

    def plan(self, changes: Changes, commit: str) -> Planned:
        """What is to be written beside these changes. Nothing is taken note of yet."""
        records = {key: self._records[key] for key in sorted(self._unwritten)}
        if not changes:
            return Planned(tuple(Put(key, encoded(one), durable=False) for key, one in records.items()), records)
        key = self._current or self._next_key()
        record = self._records.get(key) or Record(commit=commit, committed=self._clock(), changes=())
        together = grouped({**dict(record.all_changes()), **changes})
        is_over = not self._waits.get(key) and all(self._is_over_at_once(*change) for change in changes.items())
        records[key] = replace(record, changes=together, converged=self._clock() if is_over else None)
        for other, waits in self._waits.items():
            if other != key and not waits.keys().isdisjoint(changes):
                records[other] = replace(self._records[other], is_superseded=True)
        values = {name: encoded(one) for name, one in records.items()}
        surplus = self._surplus(key, len(values[key]))
        puts = (Put(name, value) for name, value in values.items() if name not in surplus)
        return Planned((*puts, *map(Remove, surplus)), records, key, changes)

    def take(self, planned: Planned) -> None:
        """It was committed."""
        for operation in planned.operations:
            if isinstance(operation, Put):
                self._sizes[operation.key] = len(operation.value)
            else:
                self._sizes.pop(operation.key, None)
        self._unwritten -= planned.records.keys()
        self._current = planned.key or self._current
        for key, record in planned.records.items():
            if key == planned.key:
                self._open(key, record, {**self._waits.get(key, {}), **planned.changes})
            elif record.is_superseded:
                self._waits.pop(key, None)
        kept = {self._current, *self._waits, *self._unwritten} & self._sizes.keys()
        self._records = {key: record for key, record in self._records.items() if key in kept}

    def see(self, ref: Ref) -> None:
        """Something happened to the object."""
        for key, waits in tuple(self._waits.items()):
            if ref in waits and self._is_over(ref, waits[ref]):
                del waits[ref]
                if not waits:
                    self._close(key, replace(self._records[key], converged=self._clock()))

    def newest(self, key: str) -> Record | None:
        """The record as it is by now, as far as it may still change."""
        return self._records.get(key)

    def left(self, key: str) -> Sequence[Ref]:
        """What an open record still waits for."""
        return sorted(self._waits.get(key, ()))

    def _open(self, key: str, record: Record, changes: Changes) -> None:
        waits = {ref: action for ref, action in changes.items() if not self._is_over(ref, action)}
        self._records[key] = record
        if waits and record.converged is None:
            self._waits[key] = waits
        elif record.converged is None:
            self._close(key, replace(record, converged=self._clock()))

    def _close(self, key: str, record: Record) -> None:
        """Nothing more is to come of it; to be written with the next commit, or with one of its own."""
        self._records[key] = record
        self._waits.pop(key, None)
        self._unwritten.add(key)

    def _is_over(self, ref: Ref, action: Action) -> bool:
        live = self._view.find(ref)
        if action == "deleted":
            return live is None
        return live is not None and health(live, self._view).state in _WELL

    def _is_over_at_once(self, ref: Ref, action: Action) -> bool:
        """So that most records are written once: nothing has to happen after the commit."""
        if action != "deleted":
            return is_well_when_stored(ref.kind)
        live = self._view.find(ref)
        return live is None or not (live.metadata.finalizers or ref.kind in ("Namespace", "Pod"))

    def _next_key(self) -> str:
        newest = max(self._sizes, default="").removeprefix(PREFIX)
        return f"{PREFIX}{max(self._view.revision, int(newest or 0) + 1):020d}"

    def _surplus(self, key: str, size: int) -> tuple[str, ...]:
        """The oldest records, as far as there are too many with the one that comes."""
        others = sorted(name for name in self._sizes if name != key)
        total, dropped = size + sum(self._sizes[name] for name in others), list[str]()
        for name in others:
            if len(others) - len(dropped) < MOST_RECORDS and total <= MOST_BYTES:
                break
            dropped.append(name)
            total -= self._sizes[name]
        return tuple(dropped)


def encoded(record: Record) -> bytes:
    return msgspec.json.encode(record)


def decoded(value: bytes) -> Record | None:
    """None for what another version of the program wrote, and this one cannot read."""
    try:
        return msgspec.json.decode(value, type=Record)
    except msgspec.MsgspecError:
        return None
