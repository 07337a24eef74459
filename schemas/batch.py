"""Workloads that end: Job, CronJob."""

from datetime import datetime
from typing import Annotated

from msgspec import field

from schemas.core.pod import PodTemplateSpec
from schemas.core.reference import ObjectReference
from schemas.meta import MERGED_SET, LabelSelector, Object, ObjectMeta, Record, merged_by


class PodFailurePolicyOnExitCodesRequirement(Record, frozen=True):
    operator: str
    values: Annotated[tuple[int, ...], MERGED_SET]
    container_name: str | None = None


class PodFailurePolicyOnPodConditionsPattern(Record, frozen=True):
    type: str
    status: str = ""


class PodFailurePolicyRule(Record, frozen=True):
    action: str
    on_exit_codes: PodFailurePolicyOnExitCodesRequirement | None = None
    on_pod_conditions: tuple[PodFailurePolicyOnPodConditionsPattern, ...] = ()


class PodFailurePolicy(Record, frozen=True):
    rules: tuple[PodFailurePolicyRule, ...]


class SuccessPolicyRule(Record, frozen=True):
    succeeded_count: int | None = None
    succeeded_indexes: str = ""


class SuccessPolicy(Record, frozen=True):
    rules: tuple[SuccessPolicyRule, ...]


class JobSpec(Record, frozen=True):
    template: PodTemplateSpec
    active_deadline_seconds: int | None = None
    backoff_limit: int | None = None
    backoff_limit_per_index: int | None = None
    completion_mode: str = ""
    completions: int | None = None
    managed_by: str = ""
    manual_selector: bool | None = None
    max_failed_indexes: int | None = None
    parallelism: int | None = None
    pod_failure_policy: PodFailurePolicy | None = None
    pod_replacement_policy: str = ""
    selector: LabelSelector | None = None
    success_policy: SuccessPolicy | None = None
    suspend: bool | None = None
    ttl_seconds_after_finished: int | None = None


class JobCondition(Record, frozen=True):
    status: str
    type: str
    last_probe_time: datetime | None = None
    last_transition_time: datetime | None = None
    message: str = ""
    reason: str = ""


class UncountedTerminatedPods(Record, frozen=True):
    failed: Annotated[tuple[str, ...], MERGED_SET] = ()
    succeeded: Annotated[tuple[str, ...], MERGED_SET] = ()


class JobStatus(Record, frozen=True):
    active: int = 0
    completed_indexes: str = ""
    completion_time: datetime | None = None
    conditions: Annotated[tuple[JobCondition, ...], merged_by(patch="type")] = ()
    failed: int = 0
    failed_indexes: str | None = None
    ready: int | None = None
    start_time: datetime | None = None
    succeeded: int = 0
    terminating: int | None = None
    uncounted_terminated_pods: UncountedTerminatedPods | None = None


class Job(Object, frozen=True, kw_only=True):
    api_version: str = field(default_factory=lambda: "batch/v1")
    kind: str = field(default_factory=lambda: "Job")
    spec: JobSpec
    status: JobStatus = field(default_factory=JobStatus)


class JobTemplateSpec(Record, frozen=True):
    metadata: ObjectMeta | None = None
    spec: JobSpec | None = None


class CronJobSpec(Record, frozen=True):
    job_template: JobTemplateSpec
    schedule: str
    concurrency_policy: str = ""
    failed_jobs_history_limit: int | None = None
    starting_deadline_seconds: int | None = None
    successful_jobs_history_limit: int | None = None
    suspend: bool | None = None
    time_zone: str | None = None


class CronJobStatus(Record, frozen=True):
    active: tuple[ObjectReference, ...] = ()
    last_schedule_time: datetime | None = None
    last_successful_time: datetime | None = None


class CronJob(Object, frozen=True, kw_only=True):
    api_version: str = field(default_factory=lambda: "batch/v1")
    kind: str = field(default_factory=lambda: "CronJob")
    spec: CronJobSpec
    status: CronJobStatus = field(default_factory=CronJobStatus)
