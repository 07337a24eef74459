"""Rules of Jobs."""

from collections.abc import Mapping

from schemas import names, selectors
from schemas.batch import Job, JobSpec
from schemas.defaults.jobs import identity
from schemas.faults import Path
from schemas.validation import jobpolicies
from schemas.validation.report import (
    Faults,
    at_least,
    invalid,
    one_of,
    required,
    too_long,
    unsupported,
    well_formed,
)
from schemas.validation.scheduling import label_selector
from schemas.validation.template import matched, template

_SPEC: Path = ("spec",)
_MOST_INDEXES = 100_000
"""Parallel pods, and failed indexes, of an indexed Job."""

_MOST_OF_MANY = 10_000
"""The same of one with more completions than that and a limit per index."""


def job(declared: Job) -> Faults:
    spec, metadata = declared.spec, declared.metadata
    if not spec.manual_selector:
        yield from _generated(declared)
    yield from job_spec(_SPEC, spec)
    if spec.selector is not None:
        yield from label_selector((*_SPEC, "selector"), spec.selector)
        labels = _known_labels(declared)
        yield from matched((*_SPEC, "template"), selectors.matches(spec.selector, labels), labels)
    elif spec.manual_selector:
        yield required((*_SPEC, "selector"))
    if spec.completion_mode == "Indexed" and (spec.completions or 0) > 0:
        last = f"{metadata.name}-{(spec.completions or 0) - 1}"
        if metadata.name and names.dns1123_label(last):
            sentence = f"will not able to create pod with invalid DNS label: {last}"
            yield invalid(("metadata", "name"), metadata.name, sentence)


def _known_labels(declared: Job) -> Mapping[str, str]:
    """Of the pods: a Job that is not stored yet has no uid, but will be labelled with its name."""
    labels = declared.spec.template.metadata.labels
    if declared.spec.manual_selector or declared.metadata.uid:
        return labels
    made = identity(declared.metadata.name, "")
    return {**{key: value for key, value in made.items() if value}, **labels}


def _generated(declared: Job) -> Faults:
    """The labels that a Job gives its pods, and the selector, are its own to make."""
    labels = declared.spec.template.metadata.labels
    at = (*_SPEC, "template", "metadata", "labels")
    uid = declared.metadata.uid
    if not uid:
        yield from well_formed(at, declared.metadata.name, names.label_value)
    for key, value in identity(declared.metadata.name, uid).items():
        if uid and key not in labels:
            yield required((*at, key), f"must be '{value}'")
        elif key in labels and labels[key] != value:
            must = f"must be '{value}'" if value else "must not be set: it is made of the uid that the Job will have"
            yield invalid((*at, key), labels, must)
    selector = declared.spec.selector
    if selector is not None and not selectors.matches(selector, identity(declared.metadata.name, uid)):
        yield invalid((*_SPEC, "selector"), selector, "`selector` not auto-generated")


def job_spec(path: Path, spec: JobSpec) -> Faults:
    """Of a Job, and of one that a CronJob will make."""
    for field, number in (
        ("parallelism", spec.parallelism),
        ("completions", spec.completions),
        ("activeDeadlineSeconds", spec.active_deadline_seconds),
        ("backoffLimit", spec.backoff_limit),
        ("ttlSecondsAfterFinished", spec.ttl_seconds_after_finished),
        ("backoffLimitPerIndex", spec.backoff_limit_per_index),
        ("maxFailedIndexes", spec.max_failed_indexes),
    ):
        yield from at_least((*path, field), number)
    if spec.max_failed_indexes is not None and spec.backoff_limit_per_index is None:
        yield required((*path, "backoffLimitPerIndex"), "when maxFailedIndexes is specified")
    if spec.managed_by:
        if len(spec.managed_by) > 63:
            yield too_long((*path, "managedBy"), 63)
        yield from well_formed((*path, "managedBy"), spec.managed_by, names.domain_prefixed_path)
    yield from one_of((*path, "completionMode"), spec.completion_mode, ("NonIndexed", "Indexed"))
    if spec.completion_mode == "Indexed":
        yield from _indexed(path, spec)
    elif spec.completion_mode in ("", "NonIndexed"):
        yield from _not_indexed(path, spec)
    yield from jobpolicies.replacement((*path, "podReplacementPolicy"), spec)
    yield from template((*path, "template"), spec.template)
    yield from _restart((*path, "template", "spec", "restartPolicy"), spec)
    if spec.pod_failure_policy is not None:
        yield from jobpolicies.failure((*path, "podFailurePolicy"), spec, spec.pod_failure_policy)


def _indexed(path: Path, spec: JobSpec) -> Faults:
    completions, parallelism, failed = spec.completions, spec.parallelism or 0, spec.max_failed_indexes
    if completions is None:
        yield required((*path, "completions"), "when completion mode is Indexed")
    if parallelism > _MOST_INDEXES:
        sentence = f"must be less than or equal to {_MOST_INDEXES} when completion mode is Indexed"
        yield invalid((*path, "parallelism"), parallelism, sentence)
    if completions is not None and failed is not None and failed > completions:
        yield invalid((*path, "maxFailedIndexes"), failed, "must be less than or equal to completions")
    if failed is not None and failed > _MOST_INDEXES:
        yield invalid((*path, "maxFailedIndexes"), failed, f"must be less than or equal to {_MOST_INDEXES}")
    if completions is not None and completions > _MOST_INDEXES and spec.backoff_limit_per_index is not None:
        sentence = (
            f"must be less than or equal to {_MOST_OF_MANY} when completions are above {_MOST_INDEXES} "
            "and used with backoff limit per index"
        )
        if failed is None:
            must = f"must be specified when completions is above {_MOST_INDEXES}"
            yield required((*path, "maxFailedIndexes"), must)
        elif failed > _MOST_OF_MANY:
            yield invalid((*path, "maxFailedIndexes"), failed, sentence)
        if parallelism > _MOST_OF_MANY:
            yield invalid((*path, "parallelism"), parallelism, sentence)
    if completions is not None and spec.success_policy is not None:
        yield from jobpolicies.success((*path, "successPolicy"), spec.success_policy, completions)


def _not_indexed(path: Path, spec: JobSpec) -> Faults:
    for field, value in (
        ("backoffLimitPerIndex", spec.backoff_limit_per_index),
        ("maxFailedIndexes", spec.max_failed_indexes),
        ("successPolicy", None if spec.success_policy is None else jobpolicies.as_shown(spec.success_policy)),
    ):
        if value is not None:
            yield invalid((*path, field), value, "requires indexed completion mode")


def _restart(path: Path, spec: JobSpec) -> Faults:
    """A pod that starts again whatever happens would never complete."""
    policy = "" if spec.template.spec is None else spec.template.spec.restart_policy
    if policy in ("", "Always"):
        yield required(path, 'valid values: "OnFailure", "Never"')
    elif policy not in ("OnFailure", "Never"):
        yield unsupported(path, policy, ("OnFailure", "Never"))
    elif spec.pod_failure_policy is not None and policy != "Never":
        yield invalid(path, policy, 'only "Never" is supported when podFailurePolicy is specified')
