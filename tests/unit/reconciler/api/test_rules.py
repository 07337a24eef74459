from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from reconciler.api import rules
from reconciler.api.target import parse
from schemas.apps import Deployment
from schemas.batch import Job
from schemas.core.event import Event, EventSource
from schemas.core.pod import Pod
from schemas.decode import decode
from schemas.defaults import defaulted
from schemas.kinds import BY_NAME
from schemas.meta import Object

TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "x"}]}}


def read(kind: str, **fields: object) -> Object:
    document = {"apiVersion": BY_NAME[kind].api_version, "kind": kind, "metadata": {"name": "one", "namespace": "n"}}
    found = decode(BY_NAME[kind], {**document, **fields}, "Strict").object
    assert found is not None
    return defaulted(found)


def test_a_new_pod_has_no_ephemeral_containers() -> None:
    spec = {"containers": [{"name": "c", "image": "x"}], "ephemeralContainers": [{"name": "e", "image": "x"}]}
    pod = read("Pod", spec=spec)
    assert isinstance(pod, Pod)
    [fault] = rules.of_new(parse("", "v1", "namespaces/n/pods"), pod, "uid")
    assert str(fault) == "spec.ephemeralContainers: Forbidden: cannot be set on create"


def test_a_refusal_shows_what_would_change_in_a_claim() -> None:
    asked: dict[str, object] = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "500Mi"}},
        "storageClassName": "manual",
        "volumeMode": "Filesystem",
        "volumeName": "disk-a",
    }
    bound = read("PersistentVolumeClaim", spec=asked, status={"phase": "Bound"})
    more = {"requests": {"storage": "1Gi"}}  # which may change
    other = read("PersistentVolumeClaim", spec=asked | {"volumeName": "x", "resources": more})
    other = replace(other, status=bound.status)  # type: ignore[attr-defined]
    target = parse("", "v1", "namespaces/n/persistentvolumeclaims/one")
    [fault] = rules.of_changed(target, other, bound)
    assert str(fault) == (
        "spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName "
        "for bound claims\n"
        "@@ -9,7 +9,7 @@\n"
        '    "storage": "500Mi"\n'
        "   }\n"
        "  },\n"
        '- "VolumeName": "disk-a",\n'
        '+ "VolumeName": "x",\n'
        '  "StorageClassName": "manual",\n'
        '  "VolumeMode": "Filesystem",\n'
        '  "DataSource": null,\n'
    )


def test_the_selector_of_a_new_job_is_held_to_the_one_that_is_made_for_it() -> None:
    spec = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x"}]}
    job = read("Job", spec={"selector": {"matchLabels": {"a": "b"}}, "template": {"spec": spec}})
    assert isinstance(job, Job)
    found = [str(fault) for fault in rules.of_new(parse("batch", "v1", "namespaces/n/jobs"), job, "u1")]
    assert found[0] == (
        'spec.selector: Invalid value: {"matchLabels":{"a":"b","batch.kubernetes.io/controller-uid":"u1"}}: '
        "`selector` not auto-generated"
    )
    assert found[1].startswith("spec.template.metadata.labels: Invalid value: ")


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        pytest.param("", [], id="core group"),
        pytest.param(
            "events.k8s.io",
            [
                "eventTime: Required value",
                'type: Invalid value: "": has invalid value: ',
                'count: Invalid value: "": needs to be unset',
                'source: Invalid value: "": needs to be unset',
            ],
            id="newer group",
        ),
    ],
)
def test_the_newer_group_of_events_takes_nothing_of_the_older_form(group: str, expected: list[str]) -> None:
    event = read("Event", involvedObject={"namespace": "n"}, count=2)
    assert isinstance(event, Event)
    event = replace(event, source=EventSource(component="me"), last_timestamp=None)
    target = parse(group, "v1", "namespaces/n/events")
    assert [str(fault) for fault in rules.of_new(target, event, "uid")] == expected


def test_of_a_deployment_the_whole_is_looked_at_before_the_change() -> None:
    old = read("Deployment", spec={"selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE})
    new = read("Deployment", spec={"selector": {"matchLabels": {"a": "c"}}, "template": TEMPLATE})
    assert isinstance(new, Deployment)
    found = rules.of_changed(parse("apps", "v1", "namespaces/n/deployments/one"), new, old)
    assert [fault.field for fault in found] == ["spec.template.metadata.labels", "spec.selector"]


def test_an_object_that_is_being_deleted_gets_no_new_finalizer() -> None:
    old = read("ConfigMap")
    old = replace(old, metadata=replace(old.metadata, deletion_timestamp=datetime(2026, 1, 1, tzinfo=UTC)))
    new = replace(old, metadata=replace(old.metadata, finalizers=("example.com/a",)))
    [fault] = rules.of_changed(parse("", "v1", "namespaces/n/configmaps/one"), new, old)
    assert str(fault) == (
        "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, "
        'found new finalizers []string{"example.com/a"}'
    )
