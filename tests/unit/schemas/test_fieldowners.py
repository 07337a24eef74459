from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.apps import Deployment
from schemas.core.config import ConfigMap
from schemas.fieldowners import (
    MOST_UPDATERS,
    Conflicts,
    Entries,
    Writer,
    after_update,
    applied,
    as_last_applied,
    changes,
)
from schemas.fieldsets import FieldSet, members, path_text
from schemas.kinds import BY_NAME

NOW = datetime(2026, 3, 1, tzinfo=UTC)
LATER = NOW + timedelta(seconds=1)


def _by(manager: str, now: datetime | None = NOW, subresource: str = "", version: str = "v1") -> Writer:
    return Writer(manager, version, now, subresource)


def _map(**data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": data}


def _owned(entries: Entries) -> dict[str, set[str]]:
    return {
        f"{entry.manager}/{entry.operation}": {path_text(path) for path in members(entry.fields_v1)}
        for entry in entries
    }


def test_who_makes_an_object_owns_all_of_it_but_what_identifies_it() -> None:
    entries = after_update(ConfigMap, (), None, _map(a="1"), _by("me"))
    assert _owned(entries) == {"me/Update": {".data", ".data.a"}}
    assert (entries[0].time, entries[0].fields_type, entries[0].api_version) == (NOW, "FieldsV1", "v1")


def test_a_change_takes_the_field_from_its_owner() -> None:
    made = after_update(ConfigMap, (), None, _map(a="1", b="1"), _by("me"))
    changed = after_update(ConfigMap, made, _map(a="1", b="1"), _map(a="1", b="2"), _by("you", LATER))
    assert _owned(changed) == {"me/Update": {".data", ".data.a"}, "you/Update": {".data.b"}}
    assert [entry.time for entry in changed] == [NOW, LATER]


def test_what_is_removed_is_nobodys() -> None:
    made = after_update(ConfigMap, (), None, _map(a="1", b="1"), _by("me"))
    assert _owned(after_update(ConfigMap, made, _map(a="1", b="1"), _map(a="1"), _by("you"))) == {
        "me/Update": {".data", ".data.a"}
    }


def test_nothing_changed_is_nothing_noted() -> None:
    made = after_update(ConfigMap, (), None, _map(a="1"), _by("me"))
    assert after_update(ConfigMap, made, _map(a="1"), _map(a="1"), _by("you", LATER)) == made


def test_lists_are_compared_as_json_has_them() -> None:
    old = {"spec": {"template": {"spec": {"containers": ({"name": "c", "command": ("a", "b")},)}}}}
    new = {"spec": {"template": {"spec": {"containers": [{"name": "c", "command": ["a", "b"]}]}}}}
    assert changes(Deployment, old, new) == ({}, {})


def test_elements_that_cannot_be_told_apart_are_owned_as_one() -> None:
    secrets = {"spec": {"imagePullSecrets": [{}], "nodeName": "pi"}}
    (entry,) = after_update(BY_NAME["Pod"].type, (), None, secrets, _by("kubectl"))
    assert entry.fields_v1 == {"f:spec": {"f:imagePullSecrets": {}, "f:nodeName": {}}}


def test_the_status_is_owned_apart_from_the_rest() -> None:
    old = {"spec": {"replicas": 1}, "status": {"replicas": 1}}
    new = {"spec": {"replicas": 2}, "status": {"replicas": 2}}
    whole = after_update(Deployment, (), old, new, _by("me", version="apps/v1"))
    status = after_update(Deployment, (), old, new, _by("me", version="apps/v1", subresource="status"))
    assert _owned(whole) == {"me/Update": {".spec.replicas"}}
    assert _owned(status) == {"me/Update": {".status.replicas"}}


def test_the_oldest_writers_become_one() -> None:
    entries: Entries = ()
    document = _map()
    for number in range(MOST_UPDATERS + 5):
        new = _map(**document["data"], **{f"k{number:02}": "v"})
        entries = after_update(ConfigMap, entries, document, new, _by(f"m{number:02}", NOW + timedelta(seconds=number)))
        document = new
    assert len(entries) == MOST_UPDATERS
    assert entries[0].manager == "ancient-changes"
    assert sum(len(list(members(entry.fields_v1))) for entry in entries) >= MOST_UPDATERS + 5


def _apply(
    live: dict[str, Any] | None, entries: Entries, manager: str, data: Mapping[str, str], *, force: bool = False
) -> tuple[dict[str, Any], Entries]:
    return applied(ConfigMap, entries, live, _map(**data), _by(manager), force=force)


def test_a_declaration_that_changes_what_another_owns_is_refused() -> None:
    live, entries = _apply(None, (), "one", {"a": "1", "b": "1"})
    with pytest.raises(Conflicts) as caught:
        _apply(live, entries, "two", {"a": "2", "b": "1"})
    assert [(one.field, one.with_whom) for one in caught.value.conflicts] == [(".data.a", '"one"')]
    updated = after_update(ConfigMap, entries, live, _map(a="3", b="1"), _by("hand"))
    with pytest.raises(Conflicts) as caught:
        _apply(_map(a="3", b="1"), updated, "one", {"a": "1", "b": "1"})
    assert [one.with_whom for one in caught.value.conflicts] == ['"hand" using v1']


def test_force_takes_the_fields_and_no_others() -> None:
    live, entries = _apply(None, (), "one", {"a": "1", "b": "1"})
    live, entries = _apply(live, entries, "two", {"a": "2", "c": "3"}, force=True)
    assert live["data"] == {"a": "2", "b": "1", "c": "3"}
    assert _owned(entries) == {"one/Apply": {".data.b"}, "two/Apply": {".data.a", ".data.c"}}


def test_what_is_shared_stays_until_the_last_owner_drops_it() -> None:
    live, entries = _apply(None, (), "one", {"a": "1"})
    live, entries = _apply(live, entries, "two", {"a": "1"})
    assert [(entry.manager, entry.time) for entry in entries] == [("two", None), ("one", NOW)]
    live, entries = _apply(live, entries, "one", {})
    assert live["data"] == {"a": "1"}
    live, entries = _apply(live, entries, "two", {})
    assert not live.get("data")


def test_an_object_without_owners_belongs_to_whoever_was_there_before() -> None:
    with pytest.raises(Conflicts) as caught:
        _apply(_map(a="1"), (), "one", {"a": "2"})
    assert caught.value.conflicts[0].with_whom == '"before-first-apply" using v1'


def test_an_element_that_others_have_a_part_in_keeps_that_part() -> None:
    def deployment(*containers: dict[str, Any]) -> dict[str, Any]:
        return {"metadata": {"name": "x"}, "spec": {"template": {"spec": {"containers": list(containers)}}}}

    by = _by("one", version="apps/v1")
    live, entries = applied(Deployment, (), None, deployment({"name": "c", "image": "x"}), by, force=False)
    other = _by("two", version="apps/v1")
    mine = deployment({"name": "c", "image": "x", "tty": True})
    live, entries = applied(Deployment, entries, live, mine, other, force=False)
    live, entries = applied(Deployment, entries, live, {"metadata": {"name": "x"}}, by, force=False)
    assert live["spec"]["template"]["spec"]["containers"] == [{"name": "c", "image": "x", "tty": True}]


def test_what_kubectl_declared_before_may_be_taken_over_where_nobody_changed_it() -> None:
    free = {path_text(path) for path in members(as_last_applied(ConfigMap, _map(a="1", b="1"), _map(a="1", b="9")))}
    assert free == {".data.a", ".metadata.annotations.kubectl.kubernetes.io/last-applied-configuration"}


DATA = st.dictionaries(st.sampled_from("abcd"), st.sampled_from("12"), max_size=4)


@settings(max_examples=60, deadline=None)
@given(DATA, DATA)
def test_applying_twice_is_applying_once(first: dict[str, str], second: dict[str, str]) -> None:
    live, entries = _apply(None, (), "one", first)
    once = _apply(live, entries, "two", second, force=True)
    again = _apply(*once, "two", second, force=True)
    assert again == once


@settings(max_examples=60, deadline=None)
@given(DATA, DATA)
def test_managers_of_different_fields_may_come_in_any_order(one: dict[str, str], other: dict[str, str]) -> None:
    apart = {f"other-{key}": value for key, value in other.items()}
    live, entries = _apply(None, (), "base", {"base": "1"})
    forth, by_forth = _apply(*_apply(live, entries, "one", one), "two", apart)
    back, by_back = _apply(*_apply(live, entries, "two", apart), "one", one)
    assert forth == back
    assert _owned(by_forth) == _owned(by_back)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(("one", "two")), st.booleans(), DATA), max_size=6))
def test_what_is_owned_is_there(steps: list[tuple[str, bool, dict[str, str]]]) -> None:
    live, entries = _map(), after_update(ConfigMap, (), None, _map(), _by("maker"))
    for manager, is_update, data in steps:
        if is_update:
            new = _map(**data)
            live, entries = new, after_update(ConfigMap, entries, live, new, _by(manager))
        else:
            live, entries = _apply(live, entries, manager, data, force=True)
    there = {f".data.{key}" for key in live.get("data") or {}} | {".data"}
    for fields in _owned(entries).values():
        assert fields <= there


def test_every_kind_can_be_compared_with_nothing() -> None:
    for kind in BY_NAME.values():
        found: tuple[FieldSet, FieldSet] = changes(kind.type, None, {"metadata": {"name": "x", "labels": {"a": "b"}}})
        assert found[0]["f:metadata"] == {"f:labels": {".": {}, "f:a": {}}}
