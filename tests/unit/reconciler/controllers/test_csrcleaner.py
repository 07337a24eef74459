"""When requests for certificates go."""

from datetime import timedelta

import pytest

from reconciler.controllers import csrcleaner
from reconciler.controllers.interface import NOTHING, Plan
from reconciler.provenance import SOURCE
from reconciler.store.cache import Cache
from reconciler.store.changes import Delete
from schemas.certificates import (
    CertificateSigningRequest,
    CertificateSigningRequestCondition,
    CertificateSigningRequestSpec,
    CertificateSigningRequestStatus,
)
from schemas.meta import ObjectMeta, Ref
from tests.unit.reconciler.api.builders import NOW

REF = Ref("CertificateSigningRequest", "", "bob")


def plan(age: timedelta, *decided: tuple[str, timedelta], source: str = "") -> Plan:
    conditions = tuple(
        CertificateSigningRequestCondition("True", type_, last_update_time=NOW - ago) for type_, ago in decided
    )
    view = Cache()
    view.load(
        [
            CertificateSigningRequest(
                metadata=ObjectMeta(
                    name="bob",
                    uid="u",
                    creation_timestamp=NOW - age,
                    annotations={SOURCE: source} if source else {},
                ),
                spec=CertificateSigningRequestSpec(b"", "example.com/mine"),
                status=CertificateSigningRequestStatus(conditions=conditions),
            )
        ]
    )
    return csrcleaner.reconcile(REF, view, NOW)


HOUR = timedelta(hours=1)


@pytest.mark.parametrize("type_", ["Approved", "Denied", "Failed"])
def test_a_decided_request_goes_after_an_hour(type_: str) -> None:
    assert plan(5 * HOUR, (type_, HOUR / 2)) == Plan(requeue_after=1800)
    assert plan(5 * HOUR, (type_, HOUR)) == Plan((Delete(REF, uid="u"),))


def test_one_that_nobody_decides_goes_after_a_day() -> None:
    assert plan(23 * HOUR) == Plan(requeue_after=3600)
    assert plan(24 * HOUR) == Plan((Delete(REF, uid="u"),))


def test_one_that_the_folder_declares_stays() -> None:
    assert plan(48 * HOUR, ("Approved", 24 * HOUR), source="people/bob.yaml:1") == NOTHING


def test_what_is_gone_is_left_alone() -> None:
    assert csrcleaner.reconcile(REF, Cache(), NOW) == NOTHING
