"""Jobs and their pods for tests, with only what the test is about."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import structs

from reconciler.controllers import cronjob, garbagecollector, job, jobtracking, podgc, ttl
from reconciler.controllers.podstate import active
from reconciler.store.changes import UpdateStatus
from schemas.batch import (
    CronJob,
    CronJobSpec,
    Job,
    JobCondition,
    JobSpec,
    JobStatus,
    JobTemplateSpec,
    PodFailurePolicyOnExitCodesRequirement,
    PodFailurePolicyOnPodConditionsPattern,
    PodFailurePolicyRule,
)
from schemas.core.event import Event
from schemas.core.pod import Pod, PodTemplateSpec
from schemas.core.podstatus import ContainerState, ContainerStateTerminated, ContainerStatus, PodCondition
from schemas.meta import ObjectMeta
from tests.unit.reconciler.controllers.builders import node, template
from tests.unit.reconciler.controllers.world import World, with_phase

COMPLETE = [("SuccessCriteriaMet", "True"), ("Complete", "True")]
FAILED = [("FailureTarget", "True"), ("Failed", "True")]
"""Types and states of the conditions of a Job that has ended."""

CONTROLLERS = (
    job.CONTROLLER,
    jobtracking.CONTROLLER,
    cronjob.CONTROLLER,
    ttl.CONTROLLER,
    garbagecollector.CONTROLLER,
    podgc.CONTROLLER,
)


def job_template(policy: str = "Never") -> PodTemplateSpec:
    found = template(labels={"app": "work"})
    assert found.spec is not None
    return structs.replace(found, spec=structs.replace(found.spec, restart_policy=policy))


def a_job(spec: JobSpec | None = None, name: str = "work") -> Job:
    return Job(metadata=ObjectMeta(name=name, namespace="default"), spec=spec or JobSpec(job_template()))


def a_cron_job(schedule: str = "0 * * * *", created: datetime | None = None, name: str = "tick") -> CronJob:
    return CronJob(
        metadata=ObjectMeta(name=name, namespace="default", uid=f"uid-{name}", creation_timestamp=created),
        spec=CronJobSpec(JobTemplateSpec(spec=JobSpec(job_template())), schedule),
    )


def started(world: World, found: Job) -> Job:
    """As it is in the world, once the controllers have looked at it."""
    world.create(found)
    world.settle()
    return the_job(world, found.metadata.name)


def the_job(world: World, name: str = "work") -> Job:
    return world.get(Job, "default", name)


def conditions_of(found: Job) -> list[tuple[str, str, str]]:
    return [(one.type, one.status, one.reason) for one in found.status.conditions]


def end_pods(
    world: World, pods: Sequence[Pod], phase: str, code: int = 1, conditions: Sequence[str] = (), ago: float = 0
) -> None:
    """Plays the agent that reports them ended, so many seconds ago."""
    for pod in pods:
        at = world.now - timedelta(seconds=ago)
        terminated = ContainerStateTerminated(exit_code=0 if phase == "Succeeded" else code, finished_at=at)
        status = ContainerStatus("app:1", "", "c", ready=False, restart_count=0, state=ContainerState(None, terminated))
        told = with_phase(pod, phase, at)
        told_conditions = (*told.status.conditions, *(PodCondition("True", type_) for type_ in conditions))
        told = structs.replace(
            told,
            status=structs.replace(told.status, container_statuses=(status,), conditions=told_conditions),
        )
        world.apply((UpdateStatus(told),))


def finish(world: World, name: str, type_: str = "Complete") -> None:
    """Plays the Job controller where only its CronJob matters."""
    found = the_job(world, name)
    end = JobCondition("True", type_, last_transition_time=world.now)
    status = JobStatus(
        conditions=(end,),
        start_time=world.now,
        completion_time=world.now if type_ == "Complete" else None,
    )
    world.apply((UpdateStatus(structs.replace(found, status=status)),))


def with_a_node() -> World:
    world = World(CONTROLLERS)
    world.create(node("n1"))
    return world


def a_spec(**fields: object) -> JobSpec:
    return structs.replace(JobSpec(job_template()), **fields)


def active_pods(world: World) -> list[Pod]:
    return [pod for pod in world.pods() if active(pod)]


def a_rule(action: str, *codes: int, condition: str = "") -> PodFailurePolicyRule:
    if condition:
        return PodFailurePolicyRule(action, on_pod_conditions=(PodFailurePolicyOnPodConditionsPattern(condition),))
    return PodFailurePolicyRule(action, PodFailurePolicyOnExitCodesRequirement("In", codes))


def said(world: World) -> list[tuple[str, str, str]]:
    return sorted((one.type, one.reason, one.message) for one in world.cache.list(Event))
