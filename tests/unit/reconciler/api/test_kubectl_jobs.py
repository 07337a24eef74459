"""`kubectl create job --from`: what a CronJob's controller then has to make of it."""

from tests.unit.reconciler.api.conftest import Served


async def test_a_job_made_from_a_cron_job_belongs_to_it_and_says_that_it_was_made_by_hand(served: Served) -> None:
    await served.kubectl("create", "cronjob", "tick", "--image=busybox", "--schedule=@hourly", "--", "true")
    await served.kubectl("create", "job", "by-hand", "--from=cronjob/tick")
    job, owner = served.find("Job", "by-hand"), served.find("CronJob", "tick")
    assert job.metadata.annotations["cronjob.kubernetes.io/instantiate"] == "manual"
    assert [(one.uid, one.controller) for one in job.metadata.owner_references] == [(owner.metadata.uid, True)]
    assert job.spec.template.spec.containers[0].command == ("true",)
