"""Rules of Deployments and ReplicaSets."""

from schemas import names, selectors
from schemas.apps import Deployment, DeploymentStrategy, ReplicaSet
from schemas.core.pod import PodTemplateSpec
from schemas.faults import Fault, Path
from schemas.meta import LabelSelector
from schemas.validation import metadata
from schemas.validation.pod import pod_spec
from schemas.validation.report import Faults, at_least, forbidden, invalid, required, shown, unsupported
from schemas.validation.scheduling import label_selector

_SPEC: Path = ("spec",)


def deployment(declared: Deployment) -> Faults:
    spec = declared.spec
    yield from at_least((*_SPEC, "replicas"), spec.replicas)
    yield from at_least((*_SPEC, "minReadySeconds"), spec.min_ready_seconds)
    yield from at_least((*_SPEC, "revisionHistoryLimit"), spec.revision_history_limit)
    deadline = spec.progress_deadline_seconds
    yield from at_least((*_SPEC, "progressDeadlineSeconds"), deadline)
    if deadline is not None and deadline <= spec.min_ready_seconds:
        yield invalid((*_SPEC, "progressDeadlineSeconds"), deadline, "must be greater than minReadySeconds")
    yield from _strategy((*_SPEC, "strategy"), spec.strategy)
    yield from _selector(spec.selector, "deployment")
    yield from _template(spec.template, spec.selector)


def replica_set(declared: ReplicaSet) -> Faults:
    spec = declared.spec
    yield from at_least((*_SPEC, "replicas"), spec.replicas)
    yield from at_least((*_SPEC, "minReadySeconds"), spec.min_ready_seconds)
    yield from _selector(spec.selector, "replicaset")
    yield from _template(spec.template or PodTemplateSpec(), spec.selector)


def _selector(selector: LabelSelector, kind: str) -> Faults:
    path = (*_SPEC, "selector")
    faults = tuple(label_selector(path, selector))
    yield from faults
    if not selector.match_labels and not selector.match_expressions:
        yield invalid(path, {}, f"empty selector is invalid for {kind}")
    elif faults:
        yield invalid(path, selector, "invalid label selector")


def _template(template: PodTemplateSpec, selector: LabelSelector) -> Faults:
    path = (*_SPEC, "template")
    at = (*path, "metadata", "labels")
    empty = not selector.match_labels and not selector.match_expressions
    sound = not empty and not any(label_selector(path, selector))
    if sound and not selectors.matches(selector, template.metadata.labels):
        labels = template.metadata.labels or None
        yield invalid(at, labels, "`selector` does not match template `labels`")
    yield from metadata.labels(at, template.metadata.labels)
    yield from metadata.annotations((*path, "metadata", "annotations"), template.metadata.annotations)
    spec = template.spec
    if spec is None:
        yield required((*path, "spec", "containers"))
        return
    yield from (fault for fault in pod_spec((*path, "spec"), spec) if fault.path != (*path, "spec", "restartPolicy"))
    if spec.restart_policy not in ("", "Always"):
        yield unsupported((*path, "spec", "restartPolicy"), spec.restart_policy, ("Always",))
    if spec.active_deadline_seconds is not None:
        sentence = "activeDeadlineSeconds in ReplicaSet is not Supported"
        yield forbidden((*path, "spec", "activeDeadlineSeconds"), sentence)


def _strategy(path: Path, strategy: DeploymentStrategy) -> Faults:
    rolling = strategy.rolling_update
    if strategy.type == "Recreate":
        if rolling is not None:
            sentence = "may not be specified when strategy `type` is 'Recreate'"
            yield forbidden((*path, "rollingUpdate"), sentence)
    elif strategy.type not in ("", "RollingUpdate"):
        written = f'{{"Type":{shown(strategy.type)},"RollingUpdate":null}}'
        supported = '"Recreate", "RollingUpdate"'
        yield Fault(path, f"Unsupported value: {written}: supported values: {supported}")
    elif rolling is not None:
        at = (*path, "rollingUpdate")
        yield from _share((*at, "maxUnavailable"), rolling.max_unavailable)
        yield from _share((*at, "maxSurge"), rolling.max_surge)
        if _is_zero(rolling.max_unavailable) and _is_zero(rolling.max_surge):
            unavailable = rolling.max_unavailable
            yield invalid((*at, "maxUnavailable"), unavailable, "may not be 0 when `maxSurge` is 0")
        if isinstance(rolling.max_unavailable, str) and _percent(rolling.max_unavailable) > 100:
            yield invalid((*at, "maxUnavailable"), rolling.max_unavailable, "must not be greater than 100%")


def _share(path: Path, share: int | str | None) -> Faults:
    """A number of pods, or a share such as `25%`."""
    if isinstance(share, int):
        yield from at_least(path, share)
    elif share is not None:
        for complaint in names.percent(share):
            yield invalid(path, share, complaint)


def _is_zero(share: int | str | None) -> bool:
    return share == 0 or (isinstance(share, str) and _percent(share) == 0)


def _percent(share: str) -> int:
    return -1 if names.percent(share) or len(share) > 12 else int(share[:-1])
