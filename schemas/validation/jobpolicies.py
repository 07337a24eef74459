"""Rules of the policies of a Job: what counts as failed, what as done, and when a pod is replaced."""

import re
from typing import Any

from schemas import names
from schemas.batch import (
    JobSpec,
    PodFailurePolicy,
    PodFailurePolicyOnExitCodesRequirement,
    PodFailurePolicyOnPodConditionsPattern,
    PodFailurePolicyRule,
    SuccessPolicy,
    SuccessPolicyRule,
)
from schemas.faults import Fault, Path
from schemas.validation.report import (
    Faults,
    at_least,
    duplicate,
    invalid,
    required,
    shown,
    too_long,
    too_many,
    unsupported,
    well_formed,
)

_MOST_RULES = 20
_MOST_PATTERNS = 20
_MOST_EXIT_CODES = 255
_LONGEST_INDEXES = 64 * 1024
_ACTIONS = ("Count", "FailIndex", "FailJob", "Ignore")
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)


def replacement(path: Path, spec: JobSpec) -> Faults:
    choices = ("Failed", "TerminatingOrFailed") if spec.pod_failure_policy is None else ("Failed",)
    if spec.pod_replacement_policy and spec.pod_replacement_policy not in choices:
        yield unsupported(path, spec.pod_replacement_policy, choices)


def failure(path: Path, spec: JobSpec, policy: PodFailurePolicy) -> Faults:
    if len(policy.rules) > _MOST_RULES:
        yield too_many((*path, "rules"), len(policy.rules), _MOST_RULES)
    for index, rule in enumerate(policy.rules):
        yield from _failure_rule((*path, "rules", index), rule, spec)


def _failure_rule(path: Path, rule: PodFailurePolicyRule, spec: JobSpec) -> Faults:
    at = (*path, "action")
    if not rule.action:
        yield required(at, _valid(_ACTIONS))
    elif rule.action not in _ACTIONS:
        yield unsupported(at, rule.action, _ACTIONS)
    elif rule.action == "FailIndex" and spec.backoff_limit_per_index is None:
        yield invalid(at, rule.action, "requires the backoffLimitPerIndex to be set")
    codes, patterns = rule.on_exit_codes, rule.on_pod_conditions
    if codes is not None:
        yield from _exit_codes((*path, "onExitCodes"), codes, spec)
    if len(patterns) > _MOST_PATTERNS:
        yield too_many((*path, "onPodConditions"), len(patterns), _MOST_PATTERNS)
    for index, pattern in enumerate(patterns):
        yield from _pattern((*path, "onPodConditions", index), pattern)
    # The API server shows no value here.
    if codes is not None and patterns:
        yield Fault(path, "Invalid value: specifying both OnExitCodes and OnPodConditions is not supported")
    elif codes is None and not patterns:
        yield Fault(path, "Invalid value: specifying one of OnExitCodes and OnPodConditions is required")


def _valid(words: tuple[str, ...]) -> str:
    return f"valid values: [{' '.join(map(shown, words))}]"


def _exit_codes(path: Path, codes: PodFailurePolicyOnExitCodesRequirement, spec: JobSpec) -> Faults:
    operators = ("In", "NotIn")
    if not codes.operator:
        yield required((*path, "operator"), _valid(operators))
    elif codes.operator not in operators:
        yield unsupported((*path, "operator"), codes.operator, operators)
    pod = spec.template.spec
    containers = () if pod is None else (*pod.containers, *pod.init_containers)
    if codes.container_name is not None and codes.container_name not in {one.name for one in containers}:
        sentence = "must be one of the container or initContainer names in the pod template"
        yield invalid((*path, "containerName"), codes.container_name, sentence)
    at = (*path, "values")
    if not codes.values:
        yield invalid(at, codes.values, "at least one value is required")
    elif len(codes.values) > _MOST_EXIT_CODES:
        yield too_many(at, len(codes.values), _MOST_EXIT_CODES)
    seen: set[int] = set()
    for index, code in enumerate(codes.values):
        if codes.operator == "In" and code == 0:
            yield invalid((*at, index), code, "must not be 0 for the In operator")
        if code in seen:
            yield duplicate((*at, index), code)
        seen.add(code)
    if list(codes.values) != sorted(codes.values):
        yield invalid(at, codes.values, "must be ordered")


def _pattern(path: Path, pattern: PodFailurePolicyOnPodConditionsPattern) -> Faults:
    yield from well_formed((*path, "type"), pattern.type, names.qualified_name)
    statuses = ("False", "True", "Unknown")
    if not pattern.status:
        yield required((*path, "status"), _valid(statuses))
    elif pattern.status not in statuses:
        yield unsupported((*path, "status"), pattern.status, statuses)


def as_shown(policy: SuccessPolicy) -> dict[str, Any]:
    """The policy as the API server writes it in a complaint."""
    rules = [
        {"SucceededIndexes": rule.succeeded_indexes or None, "SucceededCount": rule.succeeded_count}
        for rule in policy.rules
    ]
    return {"Rules": rules}


def success(path: Path, policy: SuccessPolicy, completions: int) -> Faults:
    if not policy.rules:
        sentence = "at least one rules must be specified when the successPolicy is specified"
        yield required((*path, "rules"), sentence)
    if len(policy.rules) > _MOST_RULES:
        yield too_many((*path, "rules"), len(policy.rules), _MOST_RULES)
    for index, rule in enumerate(policy.rules):
        yield from _success_rule((*path, "rules", index), rule, completions)


def _success_rule(path: Path, rule: SuccessPolicyRule, completions: int) -> Faults:
    if rule.succeeded_count is None and not rule.succeeded_indexes:
        yield required(path, "at least one of succeededCount or succeededIndexes must be specified")
    total = 0
    if rule.succeeded_indexes:
        at = (*path, "succeededIndexes")
        if len(rule.succeeded_indexes) > _LONGEST_INDEXES:
            yield too_long(at, _LONGEST_INDEXES)
        try:
            total = _count_indexes(rule.succeeded_indexes, completions)
        except ValueError as error:
            yield invalid(at, rule.succeeded_indexes, f"error parsing succeededIndexes: {error}")
    count = rule.succeeded_count
    if count is None:
        return
    at = (*path, "succeededCount")
    yield from at_least(at, count)
    if count > completions:
        sentence = f"must be less than or equal to {completions} (the number of specified completions)"
        yield invalid(at, count, sentence)
    if rule.succeeded_indexes and count > total:
        within = "the number of indexes in the specified succeededIndexes field"
        yield invalid(at, count, f"must be less than or equal to {total} ({within})")


def _count_indexes(text: str, completions: int) -> int:
    """How many indexes `1,3-5,7` names. Raises `ValueError`."""
    total, last = 0, None
    for interval in text.split(","):
        first, *rest = interval.split("-")
        if len(rest) > 1:
            sentence = "violates the requirement that an index interval can have at most two parts separated by '-'"
            raise ValueError(f"the fragment {shown(interval)} {sentence}")
        start = _index(first, completions)
        end = _index(rest[0], completions) if rest else start
        if rest and start >= end:
            raise ValueError(f"non-increasing order, previous: {start}, current: {end}")
        if last is not None and last >= start:
            raise ValueError(f"non-increasing order, previous: {last}, current: {start}")
        total += end - start + 1
        last = end
    return total


def _index(text: str, completions: int) -> int:
    if not _INTEGER.fullmatch(text):
        raise ValueError(f"cannot convert string to integer for index: {shown(text)}")
    if int(text) >= completions:
        raise ValueError(f"too large index: {shown(text)}")
    return int(text)
