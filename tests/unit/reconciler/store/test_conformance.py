"""What every store does, whatever it is built on."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from reconciler.store.interface import Change, Compacted, Entry, Mismatch, Put, Remove, Store, StoreError
from tests.unit.reconciler.store.implementations import Opener

Watch = AsyncIterator[tuple[Change, ...]]


async def next_of(watch: Watch) -> tuple[Change, ...]:
    return await asyncio.wait_for(anext(watch), 60)


async def test_what_was_put_is_read_with_its_first_and_last_revision(store: Store) -> None:
    first = await store.commit([Put("a", b"1")])
    second = await store.commit([Put("a", b"2")])
    assert await store.get("a") == Entry("a", b"2", created=first, modified=second)
    assert await store.get("b") is None
    assert store.revision == second > first


async def test_the_operations_of_a_commit_take_one_revision_after_the_other(store: Store) -> None:
    revision = await store.commit([Put("b", b"1"), Put("a", b"1"), Put("c", b"1", durable=False)])
    assert [entry.key for entry in await store.list()] == ["a", "b", "c"]
    modified = {entry.key: entry.modified for entry in await store.list()}
    assert modified == {"b": revision - 2, "a": revision - 1, "c": revision}


async def test_a_list_holds_the_keys_under_its_prefix_in_order(store: Store) -> None:
    for key in ("pods/b/1", "pods/a/2", "pods/a/10", "podsets/a/1", "nodes/1"):
        await store.commit([Put(key, b"", durable=key != "pods/a/2")])
    assert [entry.key for entry in await store.list("pods/")] == ["pods/a/10", "pods/a/2", "pods/b/1"]
    assert await store.list("none/") == ()


@pytest.mark.parametrize(
    ("expected", "taken"),
    [
        pytest.param("anything", True, id="whatever it is"),
        pytest.param("absent", False, id="must not exist"),
        pytest.param("modified", True, id="as seen"),
        pytest.param("created", False, id="as it was before"),
    ],
)
@pytest.mark.parametrize("operation", [pytest.param(Put, id="put"), pytest.param(Remove, id="remove")])
async def test_a_commit_is_taken_when_the_key_is_as_expected(
    store: Store, expected: str, taken: bool, operation: type
) -> None:
    created = await store.commit([Put("a", b"1")])
    modified = await store.commit([Put("a", b"2")])
    expect = {"anything": None, "absent": 0, "modified": modified, "created": created}[expected]
    change = Put("a", b"3", expect) if operation is Put else Remove("a", expect)
    if taken:
        assert await store.commit([change]) > modified
    else:
        with pytest.raises(Mismatch) as caught:
            await store.commit([change])
        assert (caught.value.key, caught.value.found) == ("a", modified)
        assert await store.get("a") == Entry("a", b"2", created, modified)


async def test_nothing_of_a_refused_commit_is_applied(store: Store) -> None:
    before = await store.commit([Put("a", b"1")])
    with pytest.raises(Mismatch):
        await store.commit([Put("b", b"1"), Remove("a"), Put("c", b"1", expect=7)])
    assert [entry.key for entry in await store.list()] == ["a"]
    assert store.revision == before


async def test_expecting_absence_of_what_was_removed_is_fulfilled(store: Store) -> None:
    await store.commit([Put("a", b"1")])
    await store.commit([Remove("a")])
    revision = await store.commit([Put("a", b"1", expect=0)])
    assert await store.get("a") == Entry("a", b"1", revision, revision)


async def test_a_commit_that_changes_nothing_returns_the_present_revision(store: Store) -> None:
    before = await store.commit([Put("a", b"1")])
    assert await store.commit([Put("a", b"1")]) == before
    assert await store.commit([Remove("b"), Put("a", b"1", expect=before)]) == before
    assert await store.commit([]) == before
    assert await store.get("a") == Entry("a", b"1", before, before)


async def test_a_key_may_be_named_only_once_in_a_commit(store: Store) -> None:
    with pytest.raises(ValueError, match="once"):
        await store.commit([Put("a", b"1"), Remove("a")])


@pytest.mark.parametrize("key", ["", "a\nb", "a\0", "\ud800", "\U0010ffff"])
async def test_a_key_is_printable(store: Store, key: str) -> None:
    with pytest.raises(ValueError, match="printable"):
        await store.commit([Put(key, b"")])


async def test_a_watch_yields_each_later_commit_whole_and_in_order(store: Store) -> None:
    start = await store.commit([Put("a", b"0")])
    watch = store.watch()
    first = await store.commit([Put("a", b"1"), Put("b", b"1", durable=False)])
    second = await store.commit([Remove("a"), Put("c", b"1")])
    assert await next_of(watch) == (Change(first - 1, "a", b"1"), Change(first, "b", b"1"))
    assert await next_of(watch) == (Change(second - 1, "a", None), Change(second, "c", b"1"))
    again = store.watch(after=start)
    assert [change.revision for change in await next_of(again)] == [first - 1, first]


async def test_a_watch_cut_off_within_a_commit_goes_on_behind_what_it_saw(store: Store) -> None:
    last = await store.commit([Put("a", b"1"), Put("b", b"1"), Put("c", b"1")])
    rest = await next_of(store.watch(after=last - 2))
    assert rest == (Change(last - 1, "b", b"1"), Change(last, "c", b"1"))


async def test_a_watch_passes_over_other_prefixes(store: Store) -> None:
    watch = store.watch("a/")
    await store.commit([Put("b/1", b"")])
    revision = await store.commit([Put("b/2", b""), Put("a/1", b"")])
    assert await next_of(watch) == (Change(revision, "a/1", b""),)


async def test_a_watch_that_waits_is_woken(store: Store) -> None:
    watch = store.watch()
    waiting = asyncio.ensure_future(next_of(watch))
    await asyncio.sleep(0)
    revision = await store.commit([Put("a", b"1")])
    assert await waiting == (Change(revision, "a", b"1"),)


async def test_a_watch_from_a_future_revision_waits_for_it(store: Store) -> None:
    revision = await store.commit([Put("a", b"1")])
    watch = store.watch(after=revision + 1)
    await store.commit([Put("a", b"2")])
    third = await store.commit([Put("a", b"3")])
    assert await next_of(watch) == (Change(third, "a", b"3"),)


async def test_a_watch_ends_when_the_store_closes(opener: Opener, tmp_path: Path) -> None:
    store = await opener(tmp_path / "other")
    watch = store.watch()
    waiting = asyncio.ensure_future(next_of(watch))
    await asyncio.sleep(0)
    await store.close()
    with pytest.raises(StopAsyncIteration):
        await waiting


async def test_compacted_history_cannot_be_watched(store: Store) -> None:
    first, second, third = [await store.commit([Put("a", value)]) for value in (b"1", b"2", b"3")]
    lagging = store.watch(after=first)
    await store.compact(third)
    assert await next_of(store.watch(after=second)) == (Change(third, "a", b"3"),)
    with pytest.raises(Compacted) as caught:
        await next_of(lagging)
    assert (caught.value.asked, caught.value.oldest) == (first, second)
    assert await store.get("a") == Entry("a", b"3", first, third)


async def test_commits_at_once_get_distinct_revisions_and_are_watched_in_order(store: Store) -> None:
    watch = store.watch()
    operations = [[Put(f"k/{i}", b"x", durable=i % 3 > 0)] for i in range(100)]
    revisions = await asyncio.gather(*(store.commit(operation) for operation in operations))
    assert list(revisions) == sorted(set(revisions))
    seen = [await next_of(watch) for _ in operations]
    assert [change.revision for (change,) in seen] == list(revisions)
    assert len(await store.list("k/")) == 100


async def test_of_commits_at_once_that_expect_the_same_exactly_one_wins(store: Store) -> None:
    seen = await store.commit([Put("a", b"0")])
    outcomes = await asyncio.gather(
        *(store.commit([Put("a", b"%d" % i, expect=seen)]) for i in range(1, 21)), return_exceptions=True
    )
    assert sum(isinstance(outcome, int) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, Mismatch) for outcome in outcomes) == 19


async def test_counting_together_by_compare_and_swap_loses_nothing(store: Store) -> None:
    async def add_one() -> None:
        while True:
            entry = await store.get("n")
            value, seen = (int(entry.value), entry.modified) if entry else (0, 0)
            try:
                await store.commit([Put("n", b"%d" % (value + 1), expect=seen, durable=False)])
            except Mismatch:
                continue
            return

    await asyncio.gather(*(add_one() for _ in range(20)))
    found = await store.get("n")
    assert found is not None
    assert found.value == b"20"


async def test_a_commit_whose_caller_gives_up_is_applied_whole_or_not_at_all(store: Store) -> None:
    for turns in range(8):
        commit = asyncio.ensure_future(store.commit([Put(f"{turns}/a", b""), Put(f"{turns}/b", b"")]))
        for _ in range(turns):
            await asyncio.sleep(0)
        commit.cancel()
        await asyncio.gather(commit, return_exceptions=True)
    revision = await store.commit([Put("last", b"")])
    assert store.revision == revision
    for turns in range(8):
        assert len(await store.list(f"{turns}/")) in (0, 2)


async def test_a_reopened_store_is_the_same_and_goes_on_counting(opener: Opener, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    store = await opener(folder)
    name = store.id
    await store.commit([Put("a", b"1"), Put("b", b"1")])
    await store.commit([Put("a", b"2", durable=False), Remove("b", durable=False)])
    last = await store.commit([Put("c", b"3")])
    entries = await store.list()
    await store.close()
    with pytest.raises(StoreError):
        await store.get("a")
    store = await opener(folder)
    assert store.id == name
    assert await store.list() == entries
    assert store.revision >= last
    with pytest.raises(Compacted):
        await next_of(store.watch(after=last - 1))
    assert await store.commit([Put("d", b"4")]) > last
    await store.close()


async def test_a_snapshot_holds_everything_and_overwrites_nothing(opener: Opener, store: Store, tmp_path: Path) -> None:
    await store.commit([Put("a", b"1"), Put("b", b"2", durable=False)])
    folder = tmp_path / "copy"
    folder.mkdir()
    await store.snapshot(folder / "store.db")
    with pytest.raises(StoreError, match="exists"):
        await store.snapshot(folder / "store.db")
    copy = await opener(folder)
    assert await copy.list() == await store.list()
    await copy.close()
