"""Fields that Kubernetes writes also where there is nothing in them."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from reconciler.api.representation import PLAIN, Form, encode_one
from schemas.coordination import Lease, LeaseSpec
from schemas.core.event import Event, EventSource
from schemas.core.pod import Pod, PodSpec
from schemas.core.podstatus import PodCondition, PodStatus
from schemas.core.reference import ObjectReference
from schemas.core.service import LoadBalancerStatus, Service, ServiceStatus
from schemas.events import shown
from schemas.meta import Object, ObjectMeta
from schemas.networking import Ingress
from schemas.rbac import ClusterRole, PolicyRule, Role
from tests.unit.reconciler.api.builders import NOW, config_map

NAMED = ObjectMeta(name="web", namespace="shop")
EVENT = Event(involved_object=ObjectReference(kind="Pod"), metadata=NAMED, reason="Tested")
AWAITED: dict[str, dict[str, Any]] = {
    "Event": {
        "eventTime": None,
        "firstTimestamp": None,
        "lastTimestamp": None,
        "reportingComponent": "",
        "reportingInstance": "",
        "source": {},
    },
    "Service": {"status": {"loadBalancer": {}}},
    "Ingress": {"status": {"loadBalancer": {}}},
}


def answered(object_: Object, form: Form = PLAIN) -> Any:  # noqa: ANN401
    return json.loads(encode_one(object_, form, NOW))


@pytest.mark.parametrize(
    "object_",
    [EVENT, Service(metadata=NAMED), Ingress(metadata=NAMED)],
    ids=lambda object_: object_.kind,
)
def test_what_kubernetes_writes_always_is_written(object_: Object) -> None:
    found = answered(object_)
    awaited = AWAITED[object_.kind]
    assert {name: found[name] for name in awaited} == awaited
    (row,) = answered(object_, Form("Table", "Object"))["rows"]
    assert row["object"] == found


def test_what_is_there_stays() -> None:
    event = replace(EVENT, first_timestamp=NOW, source=EventSource(component="agent"), reporting_component="agent")
    found = answered(event)
    assert found["firstTimestamp"]
    assert (found["source"], found["reportingComponent"], found["reason"]) == (
        {"component": "agent"},
        "agent",
        "Tested",
    )
    balanced = ServiceStatus(load_balancer=LoadBalancerStatus())
    assert answered(Service(metadata=NAMED, status=balanced))["status"] == {"loadBalancer": {}}
    assert "status" not in answered(config_map("a"))


def test_a_condition_of_a_pod_tells_when_it_was_probed() -> None:
    ready = PodCondition(type="Ready", status="True")
    bare = Pod(metadata=NAMED, spec=PodSpec(containers=()))
    assert answered(bare)["status"] == {}
    found = answered(replace(bare, status=PodStatus(phase="Running", conditions=(ready,))))["status"]
    assert found == {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "True", "lastProbeTime": None}],
    }


def test_the_times_of_a_lease_have_six_digits_behind_the_second() -> None:
    at = datetime(2026, 1, 1, 2, 3, 4, tzinfo=UTC)
    spec = LeaseSpec(holder_identity="n1", acquire_time=at.replace(microsecond=5), renew_time=at)
    assert answered(Lease(metadata=NAMED, spec=spec))["spec"] == {
        "acquireTime": "2026-01-01T02:03:04.000005Z",
        "holderIdentity": "n1",
        "renewTime": "2026-01-01T02:03:04.000000Z",
    }
    assert answered(Lease(metadata=NAMED))["spec"] == {}


def test_an_event_of_the_other_group_has_its_own_fields_without_content() -> None:
    found = answered(EVENT, Form("Object", as_=shown))
    assert {name: value for name, value in found.items() if name.startswith(("deprecated", "event"))} == {
        "eventTime": None,
        "deprecatedFirstTimestamp": None,
        "deprecatedLastTimestamp": None,
        "deprecatedSource": {},
    }


def test_a_role_without_rules_says_so() -> None:
    assert answered(ClusterRole(metadata=ObjectMeta(name="all")))["rules"] is None
    assert answered(Role(metadata=NAMED))["rules"] is None
    assert answered(Role(metadata=NAMED, rules=(PolicyRule(verbs=("get",)),)))["rules"] == [{"verbs": ["get"]}]
