"""Of which instance the log is shown, and in which words it is refused."""

import pytest
from msgspec import convert

from nodeagent.pods.observed import Observed
from nodeagent.rpc.which import NoContainer, logged
from schemas.core.podstatus import PodStatus

RUNNING = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}


def ended(id_: str) -> dict[str, object]:
    return {"terminated": {"exitCode": 1, "containerID": id_}}


def waiting(reason: str) -> dict[str, object]:
    return {"waiting": {"reason": reason}}


def status(**fields: object) -> PodStatus:
    container = {"name": "main", "image": "app", "imageID": "", "ready": False, "restartCount": 0, **fields}
    return convert({"containerStatuses": [container]}, PodStatus)


@pytest.mark.parametrize(
    ("said", "previous", "wanted"),
    [
        pytest.param(status(state=RUNNING, containerID="x://1"), False, "x://1", id="running"),
        pytest.param(status(state=ended("x://1")), False, "x://1", id="ended"),
        pytest.param(status(state=waiting("CrashLoopBackOff"), lastState=ended("x://1")), False, "x://1", id="crashed"),
        pytest.param(
            status(state=RUNNING, containerID="x://2", lastState=ended("x://1")), True, "x://1", id="previous"
        ),
        pytest.param(
            status(state=RUNNING, containerID="x://1"),
            True,
            'previous terminated container "main" in pod "web" not found',
            id="no previous",
        ),
        pytest.param(
            status(state=waiting("ErrImageNeverPull")),
            False,
            'container "main" in pod "web" is waiting to start: ErrImageNeverPull',
            id="waiting",
        ),
        pytest.param(
            status(state=waiting("ImagePullBackOff")),
            False,
            'container "main" in pod "web" is waiting to start: trying and failing to pull image',
            id="no image",
        ),
        pytest.param(PodStatus(), False, 'container "main" in pod "web" is not available', id="nothing known"),
    ],
)
def test_the_log_is_that_of_the_instance_which_the_status_tells_of(
    said: PodStatus, previous: bool, wanted: str
) -> None:
    found = logged("web", "main", said, Observed(), previous=previous)
    if isinstance(found, NoContainer):
        assert (found.code, found.reason) == (400, "BadRequest")
        found = found.message
    assert found == wanted
