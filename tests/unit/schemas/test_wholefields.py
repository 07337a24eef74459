import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.core.pod import Pod
from schemas.defaults import defaulted
from schemas.fieldowners import changes
from schemas.kinds import BY_NAME, KINDS, Kind
from schemas.wholefields import fields_of
from tests.unit.schemas.test_any_object import some_object


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_they_are_what_making_the_object_changes(kind: Kind, seed: int) -> None:
    document = msgspec.to_builtins(defaulted(some_object(kind, seed)))
    assert fields_of(kind.type, document) == changes(kind.type, None, document)[0]


def test_elements_that_cannot_be_told_apart_are_owned_as_one() -> None:
    twice = {"spec": {"containers": [{"name": "a"}, {"name": "a"}]}}
    assert fields_of(Pod, twice) == {"f:spec": {"f:containers": {}}}


def test_what_is_always_there_is_nobodys_and_an_empty_list_is_nothing() -> None:
    assert fields_of(Pod, {"metadata": {"name": "a"}, "spec": {"containers": []}}) == {}
    assert fields_of(BY_NAME["ReplicaSet"].type, {"spec": {"replicas": 1}}) == {"f:spec": {"f:replicas": {}}}
