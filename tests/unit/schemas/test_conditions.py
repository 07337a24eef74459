from datetime import UTC, datetime

from schemas.conditions import find, updated
from schemas.core.podstatus import PodCondition

EARLIER = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def ready(status: str, at: datetime, reason: str = "") -> PodCondition:
    return PodCondition(status, "Ready", last_transition_time=at, reason=reason)


SCHEDULED = PodCondition("True", "PodScheduled", last_transition_time=EARLIER)


def test_a_new_condition_is_put_last() -> None:
    assert updated((SCHEDULED,), ready("True", NOW)) == (SCHEDULED, ready("True", NOW))


def test_a_change_of_status_keeps_its_place_and_tells_its_time() -> None:
    assert updated((ready("False", EARLIER), SCHEDULED), ready("True", NOW)) == (ready("True", NOW), SCHEDULED)


def test_the_time_stays_while_only_the_reason_changes() -> None:
    assert updated((ready("False", EARLIER, "Old"),), ready("False", NOW, "New")) == (ready("False", EARLIER, "New"),)


def test_a_condition_is_found_by_its_type() -> None:
    assert find((SCHEDULED,), "PodScheduled") is SCHEDULED
    assert find((SCHEDULED,), "Ready") is None
