from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.fieldsets import FieldSet, difference, intersection, members, path_text, union

STEPS = st.sampled_from(("f:a", "f:b", 'k:{"name":"x"}', 'v:"y"'))


def _field_set(paths: list[tuple[str, ...]]) -> FieldSet:
    found: FieldSet = {}
    for path in paths:
        single: dict[str, Any] = {}
        for step in reversed(path):
            single = {step: single}
        found = union(found, single)
    return found


SETS = st.lists(st.lists(STEPS, min_size=1, max_size=3).map(tuple), max_size=6).map(_field_set)


@given(SETS, SETS)
def test_sets_of_fields_behave_as_sets(one: FieldSet, other: FieldSet) -> None:
    a, b = set(members(one)), set(members(other))
    assert set(members(union(one, other))) == a | b
    assert set(members(difference(one, other))) == a - b
    assert set(members(intersection(one, other))) == a & b


@given(SETS)
def test_what_is_taken_from_itself_leaves_nothing(one: FieldSet) -> None:
    assert difference(one, one) == {}
    assert union(one, {}) == one


def test_a_path_reads_as_people_write_it() -> None:
    path = ("f:spec", "f:ports", 'k:{"containerPort":80,"protocol":"TCP"}', "f:name")
    assert path_text(path) == '.spec.ports[containerPort=80,protocol="TCP"].name'
    assert path_text(("f:metadata", "f:finalizers", 'v:"example.com/x"')) == '.metadata.finalizers[="example.com/x"]'


def test_a_whole_and_its_parts_are_different_members() -> None:
    both: FieldSet = {"f:data": {".": {}, "f:a": {}}}
    assert list(members(both)) == [("f:data",), ("f:data", "f:a")]
    assert difference(both, {"f:data": {}}) == {"f:data": {"f:a": {}}}
    assert difference(both, {"f:data": {"f:a": {}}}) == {"f:data": {}}
