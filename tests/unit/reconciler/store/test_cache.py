"""The cache answers as a search over all objects would, and tells each commit once."""

import logging
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from reconciler.store.cache import Cache
from reconciler.store.draft import Draft
from reconciler.store.history import Bounds
from reconciler.store.interface import Compacted
from reconciler.store.view import Event, View
from schemas.core.config import ConfigMap
from schemas.core.node import Node
from schemas.core.pod import Pod
from schemas.kinds import KINDS
from schemas.meta import Object, OwnerReference, Ref, ref_of
from tests.unit.reconciler.store.objects import config, node, pod

UIDS = ["u1", "u2", "u3"]
NODES = ["", "pi-1", "pi-2"]
Writes = list[tuple[Ref, Object | None]]


def push(cache: Cache, *written: Object | Ref) -> None:
    writes: Writes = [(one, None) if isinstance(one, Ref) else (ref_of(one), one) for one in written]
    commit(cache, writes)


def commit(cache: Cache, writes: Writes) -> dict[Ref, int]:
    """Pushes the writes as a store commits them, and says which revision each has."""
    there = [ref for ref, object_ in writes if object_ is not None or cache.find(ref) is not None]
    revisions = {ref: at for at, ref in enumerate(there, cache.revision + 1)}
    if there:
        cache.push(cache.revision + len(there), writes, size=1, now=0.0)
    return revisions


def reference(uid: str) -> OwnerReference:
    return OwnerReference(api_version="v1", kind="ReplicaSet", name=uid, uid=uid)


@st.composite
def commits(draw: st.DrawFn) -> list[Writes]:
    """Commits in which few names are written again and again, under changing uids, owners and nodes."""
    number, found = 0, list[Writes]()
    for _ in range(draw(st.integers(1, 12))):
        commit = dict[Ref, Object | None]()
        for _ in range(draw(st.integers(1, 4))):
            name, namespace = draw(st.sampled_from("abc")), draw(st.sampled_from(["x", "y"]))
            number += 1
            owners = tuple(map(reference, draw(st.lists(st.sampled_from(UIDS), max_size=2, unique=True))))
            more = {"namespace": namespace, "uid": f"{number}", "owner_references": owners}
            made: Object = draw(
                st.sampled_from(
                    [pod(name, node=draw(st.sampled_from(NODES)), **more), config(name, **more), node(name)]  # type: ignore[arg-type]
                )
            )
            if isinstance(made, Node):
                made = replace(made, metadata=replace(made.metadata, uid=f"{number}"))
            commit[ref_of(made)] = draw(st.sampled_from([made, made, None]))
        found.append(list(commit.items()))
    return found


def places(objects: Sequence[Object]) -> list[tuple[str, str]]:
    return [(found.metadata.namespace, found.metadata.name) for found in objects]


def assert_answers(view: View, objects: dict[Ref, Object]) -> None:
    """Compares every question with a search over all objects."""
    ordered = [objects[ref] for ref in sorted(objects)]
    for type_ in (Pod, ConfigMap, Node):
        kind = type_.__name__
        for namespace in (None, "x", "y", "", "none"):
            wanted = [one for one in ordered if one.kind == kind and namespace in (None, one.metadata.namespace)]
            assert list(view.list(type_, namespace)) == wanted
        for uid in UIDS:
            owned = [one for one in ordered if any(owner.uid == uid for owner in one.metadata.owner_references)]
            assert list(view.owned_by(type_, uid)) == [one for one in owned if one.kind == kind]
        for namespace, name in ((n, a) for n in ("x", "y", "") for a in "abc"):
            assert view.get(type_, namespace, name) == view.find(Ref(kind, namespace, name))
            assert view.find(Ref(kind, namespace, name)) == objects.get(Ref(kind, namespace, name))
    for name in NODES[1:]:
        assert list(view.pods_on(name)) == [
            one for one in ordered if isinstance(one, Pod) and one.spec.node_name == name
        ]
    by_uid = {one.metadata.uid: one for one in ordered}
    for number in range(60):
        assert view.by_uid(f"{number}") == by_uid.get(f"{number}")


@settings(max_examples=60)
@given(commits())
def test_every_index_agrees_with_a_search_over_all_objects(history: list[Writes]) -> None:
    cache, objects = Cache(), dict[Ref, Object]()
    for writes in history:
        revisions = commit(cache, writes)
        for ref, written in writes:
            objects.pop(ref, None)
            if written is not None:
                metadata = replace(written.metadata, resource_version=str(revisions[ref]))
                objects[ref] = replace(written, metadata=metadata)
        assert_answers(cache, objects)
        assert len(cache) == len(objects)


@settings(max_examples=60)
@given(commits(), st.integers(0, 12))
def test_a_draft_answers_as_the_cache_will_after_the_commit(history: list[Writes], committed: int) -> None:
    cache, objects = Cache(), dict[Ref, Object]()
    draft = Draft(cache)
    stacked = Draft(draft)
    for number, writes in enumerate(history, 1):
        if number <= committed:
            commit(cache, writes)
        for ref, written in writes:
            if number > committed:
                (draft if number % 2 and ref not in stacked.touched else stacked).write(ref, written)
            objects.pop(ref, None)
            found = stacked.find(ref)
            if found is not None:
                objects[ref] = found
    assert_answers(stacked, objects)


@settings(max_examples=40)
@given(commits(), st.integers(0, 40))
def test_the_events_after_a_revision_lead_from_its_state_to_the_present(history: list[Writes], after: int) -> None:
    cache, told, at_revision = Cache(), list[Event](), dict[Ref, Object]()
    cache.subscribe(told.extend)
    for writes in history:
        commit(cache, writes)
    after = min(after, cache.revision)
    for event in told:
        if event.revision <= after:
            at_revision.pop(ref_of(event.object), None)
            if event.new is not None:
                at_revision[ref_of(event.object)] = event.new
    since = list(cache.since(after))
    assert since == [event for event in told if event.revision > after]
    for event in since:
        assert at_revision.get(ref_of(event.object)) == event.old
        if event.new is None:
            del at_revision[ref_of(event.object)]
        else:
            at_revision[ref_of(event.object)] = event.new
    assert at_revision == everything(cache)


def everything(cache: Cache) -> dict[Ref, Object]:
    return {ref_of(one): one for kind in KINDS for one in cache.list(kind.type)}


def test_an_event_says_what_happened_to_each_object() -> None:
    cache, told = Cache(7), list[Sequence[Event]]()
    cache.subscribe(told.append)
    push(cache, config("a"), config("b"))
    push(cache, config("a", {"k": "v"}), Ref("ConfigMap", "shop", "b"), Ref("ConfigMap", "shop", "never"))
    assert [[(event.type, event.object.metadata.name) for event in events] for events in told] == [
        [("ADDED", "a"), ("ADDED", "b")],
        [("MODIFIED", "a"), ("DELETED", "b")],
    ]
    modified, deleted = told[1]
    assert [one and one.metadata.resource_version for one in (modified.old, modified.new)] == ["8", "10"]
    assert (deleted.revision, deleted.object.metadata.resource_version) == (11, "9")


def test_a_listener_finds_the_view_at_the_revision_of_the_events() -> None:
    cache, found = Cache(), list[tuple[int, int, bool]]()

    def look(events: Sequence[Event]) -> None:
        found.extend(
            (event.revision, cache.revision, cache.find(ref_of(event.object)) is event.new) for event in events
        )

    cache.subscribe(look)
    push(cache, config("a"), config("b"))
    push(cache, Ref("ConfigMap", "shop", "a"))
    assert found == [(1, 2, True), (2, 2, True), (3, 3, True)]


def test_a_listener_that_has_ended_is_told_nothing_more() -> None:
    cache, told = Cache(), list[Event]()
    end = cache.subscribe(told.extend)
    push(cache, config("a"))
    end()
    end()
    push(cache, config("b"))
    assert [event.object.metadata.name for event in told] == ["a"]


def test_a_listener_that_fails_is_logged_and_keeps_nobody_else_from_the_events(
    caplog: pytest.LogCaptureFixture,
) -> None:
    cache, told = Cache(), list[Event]()

    def fail(events: Sequence[Event]) -> None:
        raise ValueError("a fault of its own")

    cache.subscribe(fail)
    cache.subscribe(told.extend)
    with caplog.at_level(logging.ERROR):
        push(cache, config("a"))
    assert len(told) == 1
    assert "a fault of its own" in caplog.text


def test_events_that_are_no_longer_kept_are_compacted() -> None:
    cache = Cache(7, bounds=Bounds(seconds=1, commits=2, size=100))
    with pytest.raises(Compacted):
        cache.since(6)
    for name in "abc":
        push(cache, config(name))
    assert [event.object.metadata.name for event in cache.since(8)] == ["b", "c"]
    with pytest.raises(Compacted) as caught:
        cache.since(7)
    assert caught.value.oldest == 8


def test_a_list_nothing_has_touched_is_handed_out_again_as_it_is() -> None:
    cache = Cache()
    push(cache, node("pi-1"), config("a", namespace="x"))
    nodes = cache.list(Node)
    push(cache, config("b", namespace="x"))
    assert cache.list(Node) is nodes
