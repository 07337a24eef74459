"""What the API server fills in where a Job or CronJob leaves a field out. See `schemas.defaults`."""

from collections.abc import Mapping

from msgspec import structs

from schemas.batch import CronJob, Job, JobSpec, JobTemplateSpec, PodFailurePolicy, PodFailurePolicyRule
from schemas.defaults.workloads import template
from schemas.meta import LabelSelector, ObjectMeta

_UNLIMITED = 2**31 - 1


def job(declared: Job) -> Job:
    """A Job that has its uid also has the labels and the selector that are made of it."""
    spec = _spec(declared.spec)
    written = spec.template.metadata.labels
    if declared.metadata.uid and not spec.manual_selector:
        spec = _generated(spec, identity(declared.metadata.name, declared.metadata.uid))
    labels = declared.metadata.labels
    if not labels or labels == written:
        labels = spec.template.metadata.labels
    return structs.replace(declared, metadata=structs.replace(declared.metadata, labels=labels), spec=spec)


def identity(name: str, uid: str) -> dict[str, str]:
    """The labels by which a Job knows its pods."""
    return {
        "batch.kubernetes.io/controller-uid": uid,
        "batch.kubernetes.io/job-name": name,
        "controller-uid": uid,
        "job-name": name,
    }


def _generated(spec: JobSpec, labels: Mapping[str, str]) -> JobSpec:
    uid = "batch.kubernetes.io/controller-uid"
    selector, metadata = spec.selector or LabelSelector(), spec.template.metadata
    metadata = structs.replace(metadata, labels=_completed(metadata.labels, labels))
    return structs.replace(
        spec,
        selector=structs.replace(selector, match_labels=_completed(selector.match_labels, {uid: labels[uid]})),
        template=structs.replace(spec.template, metadata=metadata),
    )


def _completed(written: Mapping[str, str], made: Mapping[str, str]) -> dict[str, str]:
    """What was written stands, so that validation finds what contradicts."""
    return {**written, **{key: value for key, value in made.items() if key not in written}}


def _spec(spec: JobSpec) -> JobSpec:
    once = spec.completions is None and spec.parallelism is None
    backoff = 6 if spec.backoff_limit_per_index is None else _UNLIMITED
    replacement = "TerminatingOrFailed" if spec.pod_failure_policy is None else "Failed"
    return structs.replace(
        _of_a_template(spec),
        completions=1 if once else spec.completions,
        parallelism=1 if spec.parallelism is None else spec.parallelism,
        backoff_limit=backoff if spec.backoff_limit is None else spec.backoff_limit,
        completion_mode=spec.completion_mode or "NonIndexed",
        manual_selector=bool(spec.manual_selector),
        suspend=bool(spec.suspend),
        pod_replacement_policy=spec.pod_replacement_policy or replacement,
    )


def _of_a_template(spec: JobSpec) -> JobSpec:
    """Of a Job that a CronJob will make, too: what concerns the Job as a whole waits until it is there."""
    policy = spec.pod_failure_policy
    return structs.replace(
        spec,
        pod_failure_policy=None if policy is None else _failure_policy(policy),
        template=template(spec.template),
    )


def _failure_policy(policy: PodFailurePolicy) -> PodFailurePolicy:
    return PodFailurePolicy(rules=tuple(map(_failure_rule, policy.rules)))


def _failure_rule(rule: PodFailurePolicyRule) -> PodFailurePolicyRule:
    patterns = tuple(structs.replace(pattern, status=pattern.status or "True") for pattern in rule.on_pod_conditions)
    return structs.replace(rule, on_pod_conditions=patterns)


def cron_job(declared: CronJob) -> CronJob:
    spec = declared.spec
    return structs.replace(
        declared,
        spec=structs.replace(
            spec,
            concurrency_policy=spec.concurrency_policy or "Allow",
            suspend=bool(spec.suspend),
            successful_jobs_history_limit=(
                3 if spec.successful_jobs_history_limit is None else spec.successful_jobs_history_limit
            ),
            failed_jobs_history_limit=1 if spec.failed_jobs_history_limit is None else spec.failed_jobs_history_limit,
            job_template=_job_template(spec.job_template),
        ),
    )


def _job_template(declared: JobTemplateSpec) -> JobTemplateSpec:
    return JobTemplateSpec(
        metadata=declared.metadata or ObjectMeta(),
        spec=None if declared.spec is None else _of_a_template(declared.spec),
    )
