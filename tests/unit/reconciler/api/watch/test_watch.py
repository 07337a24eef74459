import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.api import watch
from reconciler.api.options import Continue, ListOptions, Selection, WatchOptions
from reconciler.api.reads import as_of, list_page
from reconciler.api.representation import PLAIN, Form
from reconciler.api.status import StatusError
from reconciler.api.watch import hub, lines
from reconciler.store.cache import Cache
from reconciler.store.history import Bounds
from schemas import events
from schemas.kinds import BY_NAME
from schemas.meta import Object, Ref
from schemas.selectors import parse_label_selector
from tests.unit.reconciler.api.builders import config_map

CONFIG_MAP = BY_NAME["ConfigMap"]
EVERYTHING = Selection()
LABELLED = Selection(labels=parse_label_selector("l"))


class World:
    """A cache that is written to directly."""

    def __init__(self, bounds: Bounds | None = None) -> None:
        self.cache = Cache(bounds=bounds) if bounds else Cache()
        self.hub = watch.Hub(self.cache)

    def put(self, name: str, **labels: str) -> int:
        return self._push(Ref("ConfigMap", "default", name), config_map(name, **labels))

    def remove(self, name: str) -> int:
        return self._push(Ref("ConfigMap", "default", name), None)

    def _push(self, ref: Ref, object_: Object | None) -> int:
        revision = self.cache.revision + 1
        self.cache.push(revision, [(ref, object_)], 100, 0.0)
        return revision


class Client:
    """What a watch has sent."""

    def __init__(self) -> None:
        self.lines: list[Any] = []
        self.cut_off = False
        self.pushed = 0
        self.held: asyncio.Event | None = None
        self._arrived = asyncio.Event()

    def push(self, data: bytes) -> bool:
        if self.held is not None:
            return False
        self.pushed += 1
        self.lines += map(json.loads, data.splitlines())
        self._arrived.set()
        return True

    async def send(self, data: bytes) -> None:
        if self.held is not None:
            await self.held.wait()
        self.lines += map(json.loads, data.splitlines())
        self._arrived.set()

    def cut(self) -> None:
        self.cut_off = True

    async def until(self, enough: Callable[[list[Any]], bool]) -> list[Any]:
        async with asyncio.timeout(60):
            while not enough(self.lines):
                self._arrived.clear()
                await self._arrived.wait()
        return self.lines

    async def count(self, count: int) -> list[tuple[str, str]]:
        lines = await self.until(lambda lines: len(lines) >= count)
        return [(line["type"], line["object"]["metadata"].get("name", "")) for line in lines]


@asynccontextmanager
async def watching(
    world: World,
    *,
    selection: Selection = EVERYTHING,
    form: Form = PLAIN,
    **options: Any,  # noqa: ANN401
) -> AsyncIterator[Client]:
    client = Client()
    request = watch.Request(CONFIG_MAP, CONFIG_MAP, selection, WatchOptions(**options), form)
    task = asyncio.create_task(watch.run(world.hub, request, client))
    try:
        yield client
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_watch_begins_with_what_there_is_and_goes_on_with_what_changes() -> None:
    world = World()
    world.put("a")
    async with watching(world) as client:
        await client.count(1)
        world.put("b")
        world.put("b", l="1")
        world.remove("a")
        found = await client.count(4)
    assert found == [("ADDED", "a"), ("ADDED", "b"), ("MODIFIED", "b"), ("DELETED", "a")]
    assert client.lines[-1]["object"]["metadata"]["resourceVersion"] == str(world.cache.revision)


async def test_a_watch_from_a_revision_sends_what_came_after_it() -> None:
    world = World()
    seen = world.put("a")
    world.put("b")
    async with watching(world, revision=seen) as client:
        assert await client.count(1) == [("ADDED", "b")]
        world.put("c")
        assert await client.count(2) == [("ADDED", "b"), ("ADDED", "c")]


async def test_an_object_that_is_no_longer_selected_is_deleted_to_the_watch() -> None:
    world = World()
    world.put("a")
    async with watching(world, selection=LABELLED, revision=world.cache.revision) as client:
        await asyncio.sleep(0)
        world.put("a", l="1")
        world.put("a", l="2")
        left = world.put("a")
        world.put("a")
        world.remove("a")
        world.put("b", l="1")
        found = await client.count(4)
    assert found == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a"), ("ADDED", "b")]
    gone = client.lines[2]["object"]["metadata"]
    assert (gone["labels"], gone["resourceVersion"]) == ({"l": "2"}, str(left))


async def test_a_revision_whose_history_is_gone_is_answered_with_410() -> None:
    world = World(Bounds(seconds=300, commits=2, size=1 << 20))
    for _ in range(5):
        world.put("a")
    async with watching(world, revision=1) as client:
        (line,) = await client.until(lambda lines: len(lines) == 1)
    assert (line["type"], line["object"]["code"], line["object"]["reason"]) == ("ERROR", 410, "Expired")


async def test_initial_events_end_with_a_bookmark() -> None:
    world = World()
    revision = world.put("a")
    async with watching(world, initial_events=True, bookmarks=True) as client:
        lines = await client.until(lambda lines: len(lines) == 2)
    assert [line["type"] for line in lines] == ["ADDED", "BOOKMARK"]
    metadata = {"resourceVersion": str(revision), "annotations": {"k8s.io/initial-events-end": "true"}}
    assert lines[1]["object"] == {"kind": "ConfigMap", "apiVersion": "v1", "metadata": metadata}


async def test_a_watch_ends_when_its_time_is_over_with_a_last_bookmark() -> None:
    world, client = World(), Client()
    request = watch.Request(CONFIG_MAP, CONFIG_MAP, LABELLED, WatchOptions(None, 1, bookmarks=True), PLAIN)
    running = asyncio.create_task(watch.run(world.hub, request, client))
    await asyncio.sleep(0)
    revision = world.put("unseen")
    async with asyncio.timeout(60):
        await running
    assert [line["object"]["metadata"]["resourceVersion"] for line in client.lines] == [str(revision)]
    assert len(world.hub) == 0


async def test_a_client_that_does_not_keep_up_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "LONGEST_QUEUE", 3)
    world = World()
    async with watching(world, revision=0) as slow, watching(world, revision=0) as quick:
        slow.held = asyncio.Event()
        await asyncio.sleep(0)
        for number in range(9):
            world.put(f"c{number}")
            await quick.count(number + 1)
        assert slow.cut_off
        assert not quick.cut_off


async def test_a_client_that_was_behind_gets_what_waited_and_then_what_comes_as_all_do() -> None:
    world = World()
    async with watching(world, revision=0) as slow, watching(world, revision=0) as quick:
        await asyncio.sleep(0)
        slow.held = asyncio.Event()
        for name in "abc":
            world.put(name)
        await quick.count(3)
        assert (slow.lines, slow.pushed) == ([], 0)
        slow.held.set()
        assert await slow.count(3) == [("ADDED", name) for name in "abc"]
        slow.held = None
        while not slow.pushed:
            world.put("d")
            await asyncio.sleep(0)
        told = await slow.until(lambda lines: len(lines) >= 4)
    assert [line["object"]["metadata"]["resourceVersion"] for line in told] == [
        str(revision) for revision in range(1, len(told) + 1)
    ]


async def test_many_watches_take_turns_and_each_gets_all_in_order() -> None:
    world = World()
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(watching(world, revision=0)) for _ in range(2 * hub.AT_ONCE + 1)]
        await asyncio.sleep(0)
        for number in range(hub.BATCH + 9):
            world.put(f"c{number}")
        for client in clients:
            found = await client.count(hub.BATCH + 9)
            assert found == [("ADDED", f"c{number}") for number in range(hub.BATCH + 9)]
    assert len(world.hub) == 0


async def test_the_end_of_a_quiet_watch_needs_no_bookmark() -> None:
    world, client = World(), Client()
    options = WatchOptions(None, 1, bookmarks=True)
    running = asyncio.create_task(
        watch.run(world.hub, watch.Request(BY_NAME["Secret"], BY_NAME["Secret"], EVERYTHING, options, PLAIN), client)
    )
    await asyncio.sleep(0)
    world.put("of another kind")
    await running
    assert client.lines == []


async def test_the_first_line_alone_names_the_columns() -> None:
    world = World()
    async with watching(world, form=Form("Table"), revision=0) as early:
        await asyncio.sleep(0)
        world.put("a")
        await early.until(lambda lines: len(lines) == 1)
        async with watching(world, form=Form("Table"), revision=1) as late:
            await asyncio.sleep(0)
            world.put("b")
            world.put("c")
            await early.until(lambda lines: len(lines) == 3)
            await late.until(lambda lines: len(lines) == 2)
    assert [bool(line["object"].get("columnDefinitions")) for line in early.lines] == [True, False, False]
    assert [bool(line["object"].get("columnDefinitions")) for line in late.lines] == [True, False]


async def test_closing_the_hub_ends_all_watches() -> None:
    world, client = World(), Client()
    request = watch.Request(CONFIG_MAP, CONFIG_MAP, EVERYTHING, WatchOptions(), PLAIN)
    running = asyncio.create_task(watch.run(world.hub, request, client))
    await asyncio.sleep(0)
    world.put("a")
    world.hub.close()
    async with asyncio.timeout(60):
        await running
    assert await client.count(1) == [("ADDED", "a")]


async def test_a_change_is_encoded_once_for_all_that_want_it_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = []
    line = lines.line

    def counting(type_: lines.Type, object_: Object, form: Form, *, columns: bool) -> bytes:
        encoded.append(object_.metadata.name)
        return line(type_, object_, form, columns=columns)

    monkeypatch.setattr(lines, "line", counting)
    world = World()
    async with watching(world) as first, watching(world) as second, watching(world, form=Form("Metadata")) as third:
        await asyncio.sleep(0)
        world.put("a")
        world.put("b")
        for client in (first, second, third):
            await client.count(2)
    assert sorted(encoded) == ["a", "a", "b", "b"]


STEPS = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(["put", "label", "remove"])), max_size=40)


@settings(max_examples=50, deadline=None)
@given(STEPS, st.integers(0, 40), st.sampled_from([EVERYTHING, LABELLED]))
def test_list_and_watch_together_always_know_the_present(
    steps: list[tuple[str, str]], listed_after: int, selection: Selection
) -> None:
    """Whoever lists at some time and follows the changes since holds what a list would give at the end."""
    world, known = World(), dict[str, Object]()
    for number, (name, what) in enumerate(steps):
        if number == listed_after:
            found = list_page(world.cache, CONFIG_MAP, selection, ListOptions())
            known = {object_.metadata.name: object_ for object_ in found.objects}
            start = world.cache.revision
        if what == "remove":
            if world.cache.find(Ref("ConfigMap", "default", name)):
                world.remove(name)
        else:
            world.put(name, **({"l": str(number)} if what == "label" else {}))
    if listed_after >= len(steps):
        return
    for event in world.cache.since(start):
        match lines.seen(event, selection):
            case "DELETED":
                del known[event.object.metadata.name]
            case "ADDED" | "MODIFIED":
                known[event.object.metadata.name] = event.object
            case None:
                assert event.object.metadata.name not in known
    present = list_page(world.cache, CONFIG_MAP, selection, ListOptions()).objects
    assert sorted(known) == [object_.metadata.name for object_ in present]
    assert all(known[object_.metadata.name] == object_ for object_ in present)


@settings(max_examples=50, deadline=None)
@given(STEPS, STEPS)
def test_undoing_events_gives_the_list_of_then(before: list[tuple[str, str]], after: list[tuple[str, str]]) -> None:
    world = World()

    def do(steps: list[tuple[str, str]]) -> None:
        for number, (name, what) in enumerate(steps):
            if what != "remove":
                world.put(name, l=f"{number}{what}")
            elif world.cache.find(Ref("ConfigMap", "default", name)):
                world.remove(name)

    do(before)
    then, revision = list(world.cache.list(CONFIG_MAP.type)), world.cache.revision
    do(after)
    assert as_of(world.cache.list(CONFIG_MAP.type), world.cache.since(revision)) == then


def test_pages_of_a_list_are_all_of_the_revision_of_the_first() -> None:
    world = World()
    for name in "abcde":
        world.put(name)
    first = list_page(world.cache, CONFIG_MAP, EVERYTHING, ListOptions(limit=2))
    assert [o.metadata.name for o in first.objects] == ["a", "b"]
    assert first.position.remaining == 3
    world.remove("c")
    world.put("bb")
    token = Continue(first.position.revision, "default", "b")
    second = list_page(world.cache, CONFIG_MAP, EVERYTHING, ListOptions(limit=2, continue_=token))
    assert [o.metadata.name for o in second.objects] == ["c", "d"]
    assert second.position.revision == first.position.revision


def test_a_page_whose_history_is_gone_is_expired() -> None:
    world = World(Bounds(seconds=300, commits=2, size=1 << 20))
    for name in "abcde":
        world.put(name)
    with pytest.raises(StatusError) as caught:
        list_page(world.cache, CONFIG_MAP, EVERYTHING, ListOptions(continue_=Continue(1, "default", "a")))
    assert caught.value.code == 410
    with pytest.raises(StatusError) as caught:
        list_page(world.cache, CONFIG_MAP, EVERYTHING, ListOptions(revision=99))
    assert caught.value.code == 504


@given(
    commits=st.lists(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), min_size=1, max_size=4), max_size=8),
    cuts=st.lists(st.integers(0, 12), max_size=4),
)
@settings(max_examples=50, deadline=None)
def test_a_watch_that_is_cut_within_a_commit_goes_on_behind_the_last_change_seen(
    commits: list[list[tuple[str, bool]]], cuts: list[int]
) -> None:
    world, seen = World(), 0
    there: dict[str, str] = {}
    for commit in commits:
        written = {name: config_map(name, l="") if is_put else None for name, is_put in commit}
        changes = {name: new for name, new in written.items() if new is not None or name in there}
        there |= dict.fromkeys(changes, "")
        for name in [name for name, new in changes.items() if new is None]:
            del there[name]
        revision = world.cache.revision + len(changes)
        world.cache.push(revision, [(Ref("ConfigMap", "default", name), new) for name, new in changes.items()], 1, 0.0)
    told = [event.revision for event in world.cache.since(0)]
    assert told == list(range(1, world.cache.revision + 1))
    found: list[int] = []
    for cut in (*cuts, None):
        request = watch.Request(CONFIG_MAP, CONFIG_MAP, EVERYTHING, WatchOptions(seen or None), PLAIN)
        missed = watch.start(world.cache, request).missed if seen else world.cache.since(0)
        found += [event.revision for event in missed][:cut]
        seen = found[-1] if found else 0
    assert found == told


async def test_a_bookmark_is_of_the_kind_that_the_client_knows() -> None:
    world, client = World(), Client()
    world.put("a")
    shown = events.KIND
    options = WatchOptions(None, 1, bookmarks=True, initial_events=True)
    await watch.run(world.hub, watch.Request(BY_NAME["Event"], shown, EVERYTHING, options, PLAIN), client)
    assert [line["object"]["apiVersion"] for line in client.lines] == ["events.k8s.io/v1"]
