"""Any sequence of calls on a store leads where the same calls on a dictionary lead."""

import asyncio
import tempfile
from collections.abc import Awaitable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from reconciler.store.interface import Change, Entry, Mismatch, Put, Remove, StoreError
from tests.unit.reconciler.store.implementations import Opener

KEYS = st.sampled_from(["a", "a/b", "b", "c"])
VALUES = st.sampled_from([b"", b"1", b"2"])
EXPECTED = st.sampled_from(["any", "any", "right", "absent", "wrong"])
OPERATIONS = st.lists(
    st.tuples(KEYS, st.none() | VALUES, EXPECTED, st.booleans()), min_size=1, max_size=4, unique_by=lambda o: o[0]
)

Result = TypeVar("Result")


class StoreMachine(RuleBasedStateMachine):
    """A store beside a dictionary, and a watch that must tell all that happened to it."""

    opener: Opener

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.entries: dict[str, Entry] = {}
        self.commits: list[tuple[Change, ...]] = []
        self.revision = 0
        self.open()

    def run(self, awaitable: Awaitable[Result]) -> Result:
        async def limited() -> Result:
            return await asyncio.wait_for(awaitable, 60)

        return self.loop.run_until_complete(limited())

    def open(self) -> None:
        self.store = self.run(type(self).opener(Path(self.folder.name)))
        assert self.store.revision >= self.revision
        self.revision = self.store.revision
        self.watch, self.told = self.store.watch(), 0
        self.commits.clear()

    @rule(operations=OPERATIONS)
    def commit(self, operations: list[tuple[str, bytes | None, str, bool]]) -> None:
        self.carry_out([self.operation(*one) for one in operations])

    @rule(several=st.lists(OPERATIONS, min_size=2, max_size=4))
    def commit_at_once(self, several: list[list[tuple[str, bytes | None, str, bool]]]) -> None:
        commits = [[self.operation(key, value, "any", durable) for key, value, _, durable in one] for one in several]

        async def together() -> list[int]:
            return await asyncio.gather(*(self.store.commit(commit) for commit in commits))

        revisions = self.run(together())
        for commit, revision in zip(commits, revisions, strict=True):
            self.expect(commit, revision)

    @rule()
    def flush(self) -> None:
        self.run(self.store.flush())

    @rule(key=KEYS)
    def get(self, key: str) -> None:
        assert self.run(self.store.get(key)) == self.entries.get(key)

    @rule()
    def compact(self) -> None:
        self.tell_all()
        self.run(self.store.compact(self.store.revision))

    @rule()
    def reopen(self) -> None:
        self.tell_all()
        self.run(self.store.close())
        with pytest.raises(StoreError):
            self.run(self.store.list())
        self.open()

    @invariant()
    def holds_what_the_dictionary_holds(self) -> None:
        listed = self.run(self.store.list())
        assert listed == tuple(self.entries[key] for key in sorted(self.entries))
        assert self.store.revision == self.revision

    def tell_all(self) -> None:
        for commit in self.commits[self.told :]:
            assert self.run(anext(self.watch)) == commit
        self.told = len(self.commits)

    def operation(self, key: str, value: bytes | None, expected: str, durable: bool) -> Put | Remove:
        found = self.entries[key].modified if key in self.entries else 0
        expect = {"any": None, "right": found, "absent": 0, "wrong": found + 1}[expected]
        return Remove(key, expect, durable) if value is None else Put(key, value, expect, durable)

    def carry_out(self, operations: list[Put | Remove]) -> None:
        def modified(key: str) -> int:
            return self.entries[key].modified if key in self.entries else 0

        if any(one.expect is not None and one.expect != modified(one.key) for one in operations):
            with pytest.raises(Mismatch):
                self.run(self.store.commit(operations))
        else:
            self.expect(operations, self.run(self.store.commit(operations)))

    def expect(self, operations: list[Put | Remove], revision: int) -> None:
        """Does to the dictionary what the store says it has done."""
        if not any(self.differs(one) for one in operations):
            assert revision == self.revision
            return
        taken = [one for one in operations if isinstance(one, Put) or one.key in self.entries]
        first = revision - len(taken) + 1
        assert first > self.revision
        self.revision = revision
        changes = []
        for at, one in enumerate(taken, first):
            old = self.entries.pop(one.key, None)
            if isinstance(one, Put):
                self.entries[one.key] = Entry(one.key, one.value, old.created if old else at, at)
                changes.append(Change(at, one.key, one.value))
            else:
                changes.append(Change(at, one.key, None))
        self.commits.append(tuple(changes))

    def differs(self, one: Put | Remove) -> bool:
        old = self.entries.get(one.key)
        return (old is None or old.value != one.value) if isinstance(one, Put) else old is not None

    def teardown(self) -> None:
        self.tell_all()
        self.run(self.store.close())
        self.run(_closed(self.watch))
        self.loop.close()
        self.folder.cleanup()


def _closed(watch: Any) -> Coroutine[Any, Any, None]:  # noqa: ANN401  # an asynchronous generator, where it is one
    return watch.aclose()  # type: ignore[no-any-return]


def test_a_store_behaves_as_a_dictionary_with_revisions(opener: Opener) -> None:
    machine = type("Machine", (StoreMachine,), {"opener": staticmethod(opener)})
    run_state_machine_as_test(machine, settings=settings(max_examples=25, stateful_step_count=20, deadline=None))
