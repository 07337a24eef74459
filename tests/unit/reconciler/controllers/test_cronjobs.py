"""https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from reconciler.controllers.cronjob import LONGEST_SLEEP, job_for, reconcile
from reconciler.controllers.cronschedule import NeverDue, due
from reconciler.store.changes import Create, Delete, Update
from schemas import cron
from schemas.batch import CronJob, Job, JobSpec
from schemas.core.event import Event
from schemas.core.quota import ResourceQuota, ResourceQuotaSpec
from schemas.meta import ObjectMeta, OwnerReference, Ref
from tests.unit.reconciler.controllers.jobs import CONTROLLERS, a_cron_job, finish, job_template
from tests.unit.reconciler.controllers.world import World

BERLIN = "Europe/Berlin"
ONLY_CRON = tuple(one for one in CONTROLLERS if one.name in ("cronjob", "garbagecollector"))


def _world(now: datetime) -> World:
    world = World(ONLY_CRON)
    world.now = now
    return world


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _cron(schedule: str = "0 * * * *", zone: str | None = None, **fields: object) -> CronJob:
    found = a_cron_job(schedule)
    return structs.replace(found, spec=structs.replace(found.spec, time_zone=zone, **fields))


def _the(world: World) -> CronJob:
    return world.get(CronJob, "default", "tick")


def _edit(world: World, **fields: object) -> None:
    found = _the(world)
    world.apply((Update(structs.replace(found, spec=structs.replace(found.spec, **fields))),))
    world.settle()


def _jobs(world: World) -> list[str]:
    return [job.metadata.name for job in world.cache.list(Job)]


def _reasons(world: World) -> list[str]:
    return sorted(one.reason for one in world.cache.list(Event))


def _begun(schedule: str = "0 * * * *", now: str = "2026-01-01T00:30:00", **fields: object) -> World:
    world = _world(_at(now))
    world.create(_cron(schedule, **fields))  # type: ignore[arg-type]
    world.settle()
    return world


def test_a_job_is_started_in_its_minute_and_named_for_it() -> None:
    world = _begun()
    world.advance(1799)
    assert _jobs(world) == []
    world.advance(1)
    at = _at("2026-01-01T01:00:00")
    assert _jobs(world) == [f"tick-{int(at.timestamp()) // 60}"]
    found, job = _the(world), world.cache.list(Job)[0]
    assert found.status.last_schedule_time == at
    assert [one.uid for one in found.status.active] == [job.metadata.uid]
    assert job.metadata.annotations["batch.kubernetes.io/cronjob-scheduled-timestamp"] == "2026-01-01T01:00:00Z"
    assert job.metadata.owner_references[0].controller
    assert _reasons(world) == ["SuccessfulCreate"]


def test_nothing_is_written_between_two_starts() -> None:
    world = _begun()
    world.advance(3600)
    commits = world.commits
    world.advance(1500)
    world.restart([_the(world), *world.cache.list(Job)])
    world.settle()
    assert world.commits == commits


@pytest.mark.parametrize(
    ("schedule", "zone", "start", "expected"),
    [
        pytest.param(
            "30 2 * * *", BERLIN, "2026-03-28T12:00:00", ["2026-03-30T00:30:00"], id="02:30 does not come on 29 March"
        ),
        pytest.param(
            "30 2 * * *",
            BERLIN,
            "2026-10-24T12:00:00",
            ["2026-10-25T00:30:00", "2026-10-25T01:30:00"],
            id="02:30 comes twice on 25 October",
        ),
        pytest.param(
            "0 9 * * *",
            BERLIN,
            "2026-03-28T00:00:00",
            ["2026-03-28T08:00:00", "2026-03-29T07:00:00"],
            id="nine o'clock moves with the clocks",
        ),
        pytest.param(
            "0 0 * * *",
            "Asia/Kathmandu",
            "2026-01-01T00:00:00",
            ["2026-01-01T18:15:00"],
            id="a zone of odd minutes",
        ),
        pytest.param("0 0 * * *", None, "2026-01-01T12:00:00", ["2026-01-02T00:00:00"], id="UTC where none is named"),
    ],
)
def test_schedules_follow_the_clocks_of_their_zone(
    schedule: str, zone: str | None, start: str, expected: list[str]
) -> None:
    world = _begun(schedule, start, zone=zone)
    seen: list[datetime] = []
    while len(seen) < len(expected):
        world.advance(1800)
        last = _the(world).status.last_schedule_time
        if last is not None and last not in seen:
            seen.append(last)
    assert seen == [_at(text) for text in expected]


def test_the_time_that_a_job_is_for_is_told_in_its_zone() -> None:
    found = _cron(zone=BERLIN)
    job = job_for(found, _at("2026-07-01T10:00:00"), ZoneInfo(BERLIN))
    assert job.metadata.annotations["batch.kubernetes.io/cronjob-scheduled-timestamp"] == "2026-07-01T12:00:00+02:00"


@pytest.mark.parametrize(
    ("policy", "expected", "reasons"),
    [
        pytest.param("Allow", 2, [], id="Allow"),
        pytest.param("Forbid", 1, ["JobAlreadyActive"], id="Forbid"),
        pytest.param("Replace", 1, ["SuccessfulDelete"], id="Replace"),
    ],
)
def test_a_start_while_a_job_runs(policy: str, expected: int, reasons: list[str]) -> None:
    """https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#concurrency-policy"""
    world = _begun(concurrency_policy=policy)
    world.advance(1800)
    first = _jobs(world)
    world.advance(3600)
    world.restart([_the(world)])
    world.settle()
    assert len(_jobs(world)) == len(_the(world).status.active) == expected
    assert (first[0] in _jobs(world)) == (policy != "Replace")
    assert [one for one in _reasons(world) if one != "SuccessfulCreate"] == reasons
    assert [one.count for one in world.cache.list(Event) if one.reason == "JobAlreadyActive"] == [1] * (
        policy == "Forbid"
    )


def test_a_forbidden_start_is_made_up_for_when_the_job_ends() -> None:
    world = _begun(concurrency_policy="Forbid")
    world.advance(1800 + 3600 + 60)
    finish(world, _jobs(world)[0])
    world.settle()
    assert _the(world).status.last_schedule_time == _at("2026-01-01T02:00:00")


@pytest.mark.parametrize(
    ("deadline", "away", "expected", "reasons"),
    [
        pytest.param(None, 300, "01:00", [], id="one missed start is made up for"),
        pytest.param(None, 3 * 3600 + 60, "04:00", [], id="of several the last"),
        pytest.param(120, 300, None, [], id="not after the deadline"),
        pytest.param(600, 300, "01:00", [], id="within the deadline"),
        pytest.param(None, 200 * 3600, "09:00", ["TooManyMissedTimes"], id="more than a hundred are told of"),
        pytest.param(7200, 200 * 3600, "09:00", [], id="a deadline leaves only few"),
    ],
)
def test_starts_that_were_missed(deadline: int | None, away: int, expected: str | None, reasons: list[str]) -> None:
    """https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#starting-deadline-seconds"""
    world = _begun(now="2026-01-01T00:59:00", starting_deadline_seconds=deadline)
    world.now += timedelta(seconds=60 + away)  # The reconciler does not run.
    world.restart([_the(world)])
    world.settle()
    last = _the(world).status.last_schedule_time
    assert (None if last is None else f"{last:%H:%M}") == expected
    assert len(_jobs(world)) == (expected is not None)
    assert [one for one in _reasons(world) if one != "SuccessfulCreate"] == reasons


def test_a_start_that_comes_too_late_is_said_once() -> None:
    world = _begun(now="2026-01-01T00:59:30", starting_deadline_seconds=10)
    _edit(world, suspend=True)
    world.now += timedelta(seconds=35)
    world.restart([_the(world)])
    world.settle()
    assert _jobs(world) == []
    _edit(world, suspend=False)
    assert len(_jobs(world)) == 1, "within the ten seconds"


def test_a_suspended_cron_job_starts_nothing_and_has_no_timer() -> None:
    world = _begun(suspend=True)
    world.advance(7200)
    assert _jobs(world) == []
    _edit(world, suspend=False)
    assert len(_jobs(world)) == 1, "what it missed, as it has no deadline"


def test_a_schedule_that_is_edited_starts_nothing_for_the_past() -> None:
    world = _begun("0 2 * * *", "2026-01-01T00:30:00")
    world.advance(14 * 3600)
    assert len(_jobs(world)) == 1
    _edit(world, schedule="0 3 * * *")
    assert len(_jobs(world)) == 1
    world.advance(86400)
    assert _the(world).status.last_schedule_time == _at("2026-01-02T03:00:00")


def test_only_an_edited_schedule_is_remembered_and_a_replacement_keeps_that() -> None:
    world = _begun("0 2 * * *", "2026-01-01T00:30:00")
    _edit(world, suspend=True)
    assert _the(world).metadata.annotations == {}
    _edit(world, schedule="0 3 * * *")
    remembered = _the(world).metadata.annotations
    assert remembered == {"wherry.dev/schedule-since": world.now.isoformat().replace("+00:00", "Z")}
    world.advance(60)
    replaced = structs.replace(_the(world), metadata=structs.replace(_the(world).metadata, annotations={}))
    world.apply((Update(replaced),))
    assert _the(world).metadata.annotations == remembered


def test_jobs_that_have_ended_leave_the_list_and_are_kept_up_to_the_limits() -> None:
    world = _begun(successful_jobs_history_limit=2, failed_jobs_history_limit=1)
    names = []
    for turn in range(6):
        world.advance(1800 if turn == 0 else 3600)
        names.append(_jobs(world)[-1])
        finish(world, names[-1], "Failed" if turn % 2 else "Complete")
        world.settle()
    assert _jobs(world) == [names[2], names[4], names[5]]
    found = _the(world)
    assert (found.status.active, found.status.last_successful_time) == ((), _at("2026-01-01T05:00:00"))
    messages = [one.message for one in world.cache.list(Event)]
    assert f"Saw completed job: {names[5]}, condition: Failed" in messages
    assert f"Deleted job {names[0]}" in messages


def test_a_job_that_goes_missing_leaves_the_list() -> None:
    world = _begun()
    world.advance(1800)
    name = _jobs(world)[0]
    world.apply((Delete(Ref("Job", "default", name)),))
    world.settle()
    assert _the(world).status.active == ()
    assert f"Active job went missing: {name}" in [one.message for one in world.cache.list(Event)]
    assert _jobs(world) == [], "it is not made again"


def test_a_job_made_by_hand_counts_in_the_history_only() -> None:
    """`kubectl create job --from=cronjob/tick by-hand`"""
    world = _begun(concurrency_policy="Forbid", successful_jobs_history_limit=0)
    found = _the(world)
    metadata = ObjectMeta(
        name="by-hand",
        namespace="default",
        annotations={"cronjob.kubernetes.io/instantiate": "manual"},
        owner_references=(OwnerReference("batch/v1", "CronJob", "tick", found.metadata.uid, controller=True),),
    )
    world.apply((Create(Job(metadata=metadata, spec=JobSpec(job_template()))),))
    world.settle()
    world.advance(600)
    assert (_the(world).status.active, _reasons(world)) == ((), ["UnexpectedJob"])
    assert [one.count for one in world.cache.list(Event)] == [1]
    finish(world, "by-hand")
    world.settle()
    assert _jobs(world) == []
    assert _the(world).status.last_successful_time == world.now


def test_a_quota_that_is_full_is_told_and_asked_again() -> None:
    world = _begun()
    quota = ResourceQuota(
        metadata=ObjectMeta(name="few", namespace="default"), spec=ResourceQuotaSpec(hard={"count/jobs.batch": "0"})
    )
    world.create(quota)
    world.advance(1800)
    assert (_jobs(world), _reasons(world)) == ([], ["FailedCreate"])
    world.apply((Delete(Ref("ResourceQuota", "default", "few")),))
    world.advance(60)
    assert len(_jobs(world)) == 1


def test_the_clock_is_looked_at_again_long_before_a_start_that_is_far_away() -> None:
    """It may be set, or the machine may sleep, while a timer runs."""
    world = _begun("0 0 1 1 *", "1970-01-02T00:00:00")
    again = reconcile(Ref("CronJob", "default", "tick"), world.cache, world.now)
    assert (again.changes, again.requeue_after) == ((), LONGEST_SLEEP)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        pytest.param({"schedule": "0 0 31 2 *"}, "InvalidSchedule", id="a day that never comes"),
        pytest.param({"schedule": "often"}, "UnparseableSchedule", id="no schedule"),
        pytest.param({"time_zone": "Mars/Base"}, "UnknownTimeZone", id="no zone"),
    ],
)
def test_what_cannot_be_due_is_said_once(fields: dict[str, object], reason: str) -> None:
    world = _begun()
    _edit(world, **fields)
    world.restart([_the(world)])
    world.settle()
    assert [(one.reason, one.count) for one in world.cache.list(Event)] == [(reason, 1)]


def _walked(schedule: cron.Schedule, zone: ZoneInfo, since: datetime, now: datetime) -> Iterator[datetime]:
    found = schedule.after(since, zone)
    while found is not None and found <= now:
        yield found
        found = schedule.after(found, zone)


@settings(max_examples=60, deadline=None)
@given(
    schedule=st.sampled_from(["* * * * *", "*/7 * * * *", "30 6-16/4 * * *", "15 2 * * *", "@every 7m", "0 */5 * * *"]),
    zone=st.sampled_from(["UTC", BERLIN, "America/New_York", "Australia/Lord_Howe"]),
    start=st.integers(0, 365 * 24 * 3600).map(lambda seconds: _at("2026-01-01T00:00:00") + timedelta(seconds=seconds)),
    minutes=st.integers(0, 24 * 60),
)
def test_the_last_start_is_that_which_walking_finds(schedule: str, zone: str, start: datetime, minutes: int) -> None:
    parsed, where = cron.parse(schedule), ZoneInfo(zone)
    now = start + timedelta(minutes=minutes)
    walked = [*_walked(parsed, where, start, now)]
    found = due(parsed, where, start, now)
    assert found.at == (walked[-1] if walked else None)
    assert (found.missed > 0) == bool(walked)


def test_a_day_that_never_comes_is_never_due() -> None:
    with pytest.raises(NeverDue):
        due(cron.parse("0 0 31 2 *"), UTC, _at("2026-01-01T00:00:00"), _at("2026-02-01T00:00:00"))
