"""What holds of every object of every kind, however odd."""

from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.decode import decode
from schemas.defaults import defaulted
from schemas.kinds import KINDS, Kind
from schemas.meta import Object
from schemas.validation import validate, validate_update
from tests.unit.schemas.generated import document


def some_object(kind: Kind, seed: int) -> Object:
    decoded = decode(kind, document(kind, Random(seed)))
    assert decoded.object is not None, decoded.faults
    return decoded.object


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_defaults_stay_and_the_rules_have_an_answer(kind: Kind, seed: int) -> None:
    once = defaulted(some_object(kind, seed))
    assert defaulted(once) == once
    assert msgspec.json.decode(msgspec.json.encode(once), type=kind.type) == once
    for fault in validate(once):
        assert str(fault)
    assert validate_update(once, once) == ()
