from typing import Any

import pytest

from tests.unit.schemas.build import cron_job, job
from tests.unit.schemas.validation.found import faults, only_fault


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(cron_job(), id="every day"),
        pytest.param(cron_job("*/5 9-17 * jan,jul mon-fri", timeZone="Europe/Berlin"), id="in office hours"),
        pytest.param(cron_job(timeZone="Etc/GMT+5"), id="a fixed offset"),
        pytest.param(cron_job(successfulJobsHistoryLimit=0, concurrencyPolicy="Forbid"), id="no history"),
        pytest.param({**cron_job(), "metadata": {"name": "n" * 52}}, id="the longest name"),
    ],
)
def test_a_sound_cron_job_has_no_faults(written: dict[str, Any]) -> None:
    assert faults(written) == []


def with_job(**spec: Any) -> dict[str, Any]:  # noqa: ANN401
    return cron_job(jobTemplate={"spec": {**job()["spec"], **spec}})


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        pytest.param(
            cron_job("every day"),
            'spec.schedule: Invalid value: "every day": expected exactly 5 fields, found 2: [every day]',
            id="schedule",
        ),
        pytest.param(
            cron_job("CRON_TZ=UTC 0 * * * *"),
            'spec.schedule: Invalid value: "CRON_TZ=UTC 0 * * * *": '
            "cannot use TZ or CRON_TZ in schedule, use timeZone field instead",
            id="zone in the schedule",
        ),
        pytest.param(
            cron_job(timeZone=""),
            'spec.timeZone: Invalid value: "": timeZone must be nil or non-empty string',
            id="empty zone",
        ),
        pytest.param(
            cron_job(timeZone="../etc/passwd"),
            'spec.timeZone: Invalid value: "../etc/passwd": unknown time zone ../etc/passwd',
            id="a zone that leads elsewhere",
        ),
        pytest.param(
            cron_job(timeZone="Europe"),
            'spec.timeZone: Invalid value: "Europe": unknown time zone Europe',
            id="a zone that is a folder",
        ),
        pytest.param(
            cron_job(timeZone="a/" * 3000 + "a"),
            f'spec.timeZone: Invalid value: "{"a/" * 3000}a": unknown time zone {"a/" * 3000}a',
            id="a zone without end",
        ),
        pytest.param(
            cron_job(failedJobsHistoryLimit=-1),
            "spec.failedJobsHistoryLimit: Invalid value: -1: must be greater than or equal to 0",
            id="history",
        ),
        pytest.param(
            with_job(selector={"matchLabels": {"a": "b"}}),
            'spec.jobTemplate.spec.selector: Invalid value: {"matchLabels":{"a":"b"}}: '
            "`selector` will be auto-generated",
            id="a selector",
        ),
        pytest.param(
            with_job(manualSelector=True),
            'spec.jobTemplate.spec.manualSelector: Unsupported value: true: supported values: "nil", "false"',
            id="a manual one",
        ),
        pytest.param(
            with_job(parallelism=-1),
            "spec.jobTemplate.spec.parallelism: Invalid value: -1: must be greater than or equal to 0",
            id="the job's own rules",
        ),
    ],
)
def test_a_broken_rule_of_cron_jobs_is_told_in_the_words_of_kubernetes(written: dict[str, Any], complaint: str) -> None:
    assert only_fault(written) == complaint


def test_a_cron_job_needs_a_job() -> None:
    assert faults(cron_job(jobTemplate={})) == [
        "spec.jobTemplate.spec.template.spec.containers: Required value",
        'spec.jobTemplate.spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"',
    ]
