"""What the API server quotes of a spec that may not change."""

import json
from typing import Any

import msgspec
import pytest

from reconciler.api import gostructs
from reconciler.api.gostructs import in_full
from schemas.core.pod import Pod
from schemas.decode import decode
from schemas.defaults import defaulted
from schemas.faults import Fault
from schemas.kinds import BY_NAME
from schemas.meta import Object
from schemas.validation import validate_update


def pod(command: str = "a", **spec: object) -> dict[str, Any]:
    container = {"name": "main", "image": "busybox:1", "command": [command], "stdin": True}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"containers": [container], "hostNetwork": True, **spec},
    }


def job(command: str) -> dict[str, Any]:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"restartPolicy": "Never", **pod(command)["spec"]}}
    metadata = {"name": "pi", "namespace": "default"}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {"template": template}}


def told(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    before, after = _read(old), _read(new)
    return [each.message for each in in_full(validate_update(after, before), after, before)]


def _read(document: dict[str, Any]) -> Object:
    found = decode(BY_NAME[document["kind"]], document).object
    assert found is not None
    return defaulted(found)


def test_a_pod_that_may_not_change_shows_the_lines_that_differ() -> None:
    [message] = told(pod(), pod("b"))
    head, _, diff = message.partition("\n")
    assert head.endswith("(allow it to be set to 1 if it was previously negative)")
    lines = diff.split("\n")
    assert lines[0].startswith("@@ -")
    assert lines[-1] == ""
    assert [line for line in lines if line[:1] in "+-" and line] == ['-    "a"', '+    "b"']


def test_what_may_change_is_no_part_of_the_difference() -> None:
    changed = pod("b", tolerations=[{"operator": "Exists"}])
    changed["spec"]["containers"][0]["image"] = "busybox:2"
    [message] = told(pod(), changed)
    assert "busybox:2" not in message
    assert "+    " in message


def test_a_job_shows_its_whole_template() -> None:
    [message] = told(job("a"), job("echo <&>"))
    assert message.startswith('Invalid value: {"labels":{"a":"b"},"Spec":{"Volumes":null,"InitContainers":null,')
    assert message.endswith(": field is immutable")
    assert '"echo \\u003c\\u0026\\u003e"' in message
    spec = json.loads(message[len("Invalid value: ") : -len(": field is immutable")])["Spec"]
    assert spec["SecurityContext"]["HostNetwork"] is True
    assert (spec["Containers"][0]["Stdin"], spec["Containers"][0]["TTY"]) == (True, False)
    assert spec["Containers"][0]["Resources"] == {"Limits": None, "Requests": None, "Claims": None}


def test_other_faults_are_left_as_they_are() -> None:
    fault = Fault(("metadata", "name"), "Invalid value")
    empty = msgspec.convert({"spec": {"containers": []}}, Pod)
    assert list(in_full([fault], empty, empty)) == [fault]


@pytest.mark.parametrize("type_", sorted(gostructs.TYPES))
def test_every_type_that_a_field_has_is_known(type_: str) -> None:
    below = {field.partition(mark)[2] for field in gostructs.TYPES[type_].split() for mark in "*[:" if mark in field}
    assert below <= gostructs.TYPES.keys()
