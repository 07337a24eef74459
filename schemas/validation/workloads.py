"""Rules of Deployments, ReplicaSets, ReplicationControllers and PodTemplates."""

from schemas import selectors
from schemas.apps import Deployment, DeploymentStrategy, ReplicaSet
from schemas.core.pod import PodTemplateSpec
from schemas.core.replication import PodTemplate, ReplicationController
from schemas.faults import Fault, Path
from schemas.meta import LabelSelector
from schemas.validation.pod import RESTART_POLICIES
from schemas.validation.report import Faults, at_least, forbidden, invalid, one_of, required, shown
from schemas.validation.scheduling import label_selector
from schemas.validation.share import is_zero, not_above_all, share
from schemas.validation.template import matched, matching, running_template, selector, template

_SPEC: Path = ("spec",)
_TEMPLATE: Path = (*_SPEC, "template")


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


def replication_controller(declared: ReplicationController) -> Faults:
    spec = declared.spec
    yield from at_least((*_SPEC, "replicas"), spec.replicas)
    yield from at_least((*_SPEC, "minReadySeconds"), spec.min_ready_seconds)
    if not spec.selector:
        yield required((*_SPEC, "selector"))
    if spec.template is None:
        yield required(_TEMPLATE)
        return
    labels = spec.template.metadata.labels
    yield from matched(_TEMPLATE, selectors.matches(LabelSelector(match_labels=spec.selector), labels), labels)
    yield from running_template(_TEMPLATE, spec.template, "ReplicationController")


def pod_template(declared: PodTemplate) -> Faults:
    held = declared.template or PodTemplateSpec()
    yield from template(("template",), held)
    if held.spec is not None:
        yield from one_of(("template", "spec", "restartPolicy"), held.spec.restart_policy, RESTART_POLICIES)


def _selector(declared: LabelSelector, kind: str) -> Faults:
    path = (*_SPEC, "selector")
    yield from selector(path, declared, kind)
    if any(label_selector(path, declared)):
        yield invalid(path, declared, "invalid label selector")


def _template(declared: PodTemplateSpec, picked_by: LabelSelector) -> Faults:
    yield from matching(_TEMPLATE, picked_by, declared)
    yield from running_template(_TEMPLATE, declared, "ReplicaSet")


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
        yield from share((*at, "maxUnavailable"), rolling.max_unavailable)
        yield from share((*at, "maxSurge"), rolling.max_surge)
        if is_zero(rolling.max_unavailable) and is_zero(rolling.max_surge):
            unavailable = rolling.max_unavailable
            yield invalid((*at, "maxUnavailable"), unavailable, "may not be 0 when `maxSurge` is 0")
        yield from not_above_all((*at, "maxUnavailable"), rolling.max_unavailable)
