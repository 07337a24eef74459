"""What the policies of a Job say: of a failed pod, and of the indexes that have succeeded.

https://kubernetes.io/docs/concepts/workloads/controllers/job/#pod-failure-policy (KEP-3329),
https://kubernetes.io/docs/concepts/workloads/controllers/job/#success-policy (KEP-3998).
"""

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from reconciler.controllers import jobindexes
from reconciler.controllers.jobindexes import Indexes
from reconciler.controllers.jobpods import failed
from schemas.batch import (
    Job,
    PodFailurePolicyOnExitCodesRequirement,
    PodFailurePolicyOnPodConditionsPattern,
    PodFailurePolicyRule,
)
from schemas.core.pod import Pod
from schemas.core.podstatus import ContainerStatus, PodCondition


class Action(StrEnum):
    """What follows from a pod's failure."""

    FAIL_JOB = "FailJob"
    FAIL_INDEX = "FailIndex"
    IGNORE = "Ignore"
    COUNT = "Count"


class Verdict(msgspec.Struct, frozen=True):
    """What the policy says of one failed pod. `message` is that of a Job that fails of it."""

    action: Action
    message: str = ""

    @property
    def counts(self) -> bool:
        return self.action != Action.IGNORE


_ACTIONS = frozenset(action.value for action in Action)
_COUNTS = Verdict(Action.COUNT)


def verdict(job: Job, pod: Pod) -> Verdict:
    """Of the first rule that matches; a failure that none matches counts."""
    policy = job.spec.pod_failure_policy
    for number, rule in enumerate(policy.rules if policy is not None else ()):
        if (found := _matched(rule, pod)) is not None:
            if rule.action not in _ACTIONS:
                continue
            text = f"{found} matching {rule.action} rule at index {number}"
            return Verdict(Action(rule.action), text if rule.action == Action.FAIL_JOB else "")
    return _COUNTS


def _matched(rule: PodFailurePolicyRule, pod: Pod) -> str | None:
    """What the rule has found in the pod."""
    name = f"{pod.metadata.namespace}/{pod.metadata.name}"
    if rule.on_exit_codes is not None:
        container = _container(rule.on_exit_codes, pod)
        if container is None or container.state is None or container.state.terminated is None:
            return None
        return f"Container {container.name} for pod {name} failed with exit code {container.state.terminated.exit_code}"
    condition = _condition(rule.on_pod_conditions, pod)
    return f"Pod {name} has condition {condition.type}" if condition is not None else None


def _container(asked: PodFailurePolicyOnExitCodesRequirement, pod: Pod) -> ContainerStatus | None:
    for status in (*pod.status.container_statuses, *pod.status.init_container_statuses):
        ended = status.state.terminated if status.state is not None else None
        if ended is None or ended.exit_code == 0 or asked.container_name not in (None, "", status.name):
            continue
        if (ended.exit_code in asked.values) == (asked.operator == "In"):
            return status
    return None


def _condition(patterns: Iterable[PodFailurePolicyOnPodConditionsPattern], pod: Pod) -> PodCondition | None:
    wanted = [(pattern.type, pattern.status or "True") for pattern in patterns]
    return next((one for one in pod.status.conditions if (one.type, one.status) in wanted), None)


def failure_of_the_job(job: Job, pods: Iterable[Pod]) -> str:
    """The message of the first failed pod that the whole Job fails of; empty if there is none."""
    if job.spec.pod_failure_policy is None:
        return ""
    return next((said for pod in pods if failed(pod, job) and (said := verdict(job, pod).message)), "")


def success_of_the_job(job: Job, succeeded: Indexes) -> str:
    """The message of the first rule of success that is met; empty if none is."""
    policy, completions = job.spec.success_policy, job.spec.completions or 0
    for number, rule in enumerate(policy.rules if policy is not None and len(succeeded) else ()):
        counted, needed = succeeded, rule.succeeded_count
        if rule.succeeded_indexes:
            required = jobindexes.parse(rule.succeeded_indexes, completions)
            counted = succeeded & required
            needed = len(required) if needed is None else needed
        if needed is not None and len(counted) >= needed:
            return f"Matched rules at index {number}"
    return ""
