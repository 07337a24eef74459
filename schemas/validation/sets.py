"""Rules of StatefulSets and DaemonSets, and of their history."""

from msgspec import structs

from schemas import names
from schemas.apps import (
    ControllerRevision,
    DaemonSet,
    DaemonSetUpdateStrategy,
    RollingUpdateDaemonSet,
    StatefulSet,
    StatefulSetSpec,
    StatefulSetUpdateStrategy,
)
from schemas.core.pod import PodTemplateSpec
from schemas.core.volume import PersistentVolumeClaimVolumeSource, Volume
from schemas.faults import Fault, Path
from schemas.validation.report import IMMUTABLE, Faults, at_least, invalid, one_of, required, shown, unique, well_formed
from schemas.validation.share import is_zero, not_above_all, share
from schemas.validation.storage import claim_spec
from schemas.validation.template import matching, running_template, selector

_SPEC: Path = ("spec",)
_TEMPLATE: Path = (*_SPEC, "template")
_STRATEGY: Path = (*_SPEC, "updateStrategy")


def stateful_set(declared: StatefulSet) -> Faults:
    spec = declared.spec
    if spec.pod_management_policy not in ("", "OrderedReady", "Parallel"):
        sentence = "must be 'OrderedReady' or 'Parallel'"
        yield invalid((*_SPEC, "podManagementPolicy"), spec.pod_management_policy, sentence)
    yield from _stateful_set_strategy(spec.update_strategy)
    retention = spec.persistent_volume_claim_retention_policy
    if retention is not None:
        at = (*_SPEC, "persistentVolumeClaimRetentionPolicy")
        yield from one_of((*at, "whenDeleted"), retention.when_deleted, ("Retain", "Delete"))
        yield from one_of((*at, "whenScaled"), retention.when_scaled, ("Retain", "Delete"))
    yield from at_least((*_SPEC, "replicas"), spec.replicas)
    yield from at_least((*_SPEC, "minReadySeconds"), spec.min_ready_seconds)
    yield from at_least((*_SPEC, "revisionHistoryLimit"), spec.revision_history_limit)
    if spec.ordinals is not None:
        yield from at_least((*_SPEC, "ordinals", "start"), spec.ordinals.start)
    if spec.service_name:
        yield from well_formed((*_SPEC, "serviceName"), spec.service_name, names.dns1123_label)
    yield from selector((*_SPEC, "selector"), spec.selector, "statefulset")
    yield from _claims(spec)
    yield from matching(_TEMPLATE, spec.selector, spec.template)
    yield from running_template(_TEMPLATE, _with_claims(spec), "StatefulSet")


def _stateful_set_strategy(strategy: StatefulSetUpdateStrategy) -> Faults:
    rolling = strategy.rolling_update
    at = (*_STRATEGY, "rollingUpdate")
    if strategy.type == "OnDelete":
        if rolling is not None:
            written = {"Partition": rolling.partition or 0, "MaxUnavailable": rolling.max_unavailable}
            yield invalid(at, written, "only allowed for updateStrategy 'RollingUpdate'")
    elif strategy.type not in ("", "RollingUpdate"):
        written = {"Type": strategy.type, "RollingUpdate": None}
        yield invalid(_STRATEGY, written, "must be 'RollingUpdate' or 'OnDelete'")
    elif rolling is not None:
        yield from at_least((*at, "partition"), rolling.partition)
        yield from share((*at, "maxUnavailable"), rolling.max_unavailable)
        if is_zero(rolling.max_unavailable):
            yield invalid((*at, "maxUnavailable"), rolling.max_unavailable, "cannot be 0")
        yield from not_above_all((*at, "maxUnavailable"), rolling.max_unavailable)


def _claims(spec: StatefulSetSpec) -> Faults:
    path = (*_SPEC, "volumeClaimTemplates")
    for index, claim in enumerate(spec.volume_claim_templates):
        yield from claim_spec((*path, index, "spec"), claim.spec)
        at = (*path, index, "metadata", "name")
        if not claim.metadata.name:
            yield required(at)
        else:
            yield from well_formed(at, claim.metadata.name, names.dns1123_label)
    yield from unique(path, (claim.metadata.name for claim in spec.volume_claim_templates), "metadata", "name")


def _with_claims(spec: StatefulSetSpec) -> PodTemplateSpec:
    """The template with a volume for each claim, which takes the place of one that has its name."""
    pod = spec.template.spec
    claims = {
        claim.metadata.name for claim in spec.volume_claim_templates if not names.dns1123_label(claim.metadata.name)
    }
    if pod is None or not claims:
        return spec.template
    added = (
        Volume(name=name, persistent_volume_claim=PersistentVolumeClaimVolumeSource(claim_name=name))
        for name in sorted(claims)
    )
    # Behind the others, so that these keep their places in what is complained about.
    kept = tuple(volume for volume in pod.volumes if volume.name not in claims)
    return structs.replace(spec.template, spec=structs.replace(pod, volumes=(*kept, *added)))


def daemon_set(declared: DaemonSet) -> Faults:
    spec = declared.spec
    yield from selector((*_SPEC, "selector"), spec.selector, "daemonset")
    yield from matching(_TEMPLATE, spec.selector, spec.template)
    yield from running_template(_TEMPLATE, spec.template, "DaemonSet")
    yield from at_least((*_SPEC, "minReadySeconds"), spec.min_ready_seconds)
    yield from at_least((*_SPEC, "revisionHistoryLimit"), spec.revision_history_limit)
    yield from _daemon_set_strategy(spec.update_strategy)


def _daemon_set_strategy(strategy: DaemonSetUpdateStrategy) -> Faults:
    if strategy.type not in ("", "OnDelete", "RollingUpdate"):
        written = shown({"Type": strategy.type, "RollingUpdate": None})
        yield Fault(_STRATEGY, f'Unsupported value: {written}: supported values: "RollingUpdate", "OnDelete"')
    elif strategy.type == "RollingUpdate":
        yield from _rolling(strategy.rolling_update or RollingUpdateDaemonSet())


def _rolling(rolling: RollingUpdateDaemonSet) -> Faults:
    """One of the two bounds is needed, and one is all there may be."""
    at = (*_STRATEGY, "rollingUpdate")
    for field, bound in (("maxUnavailable", rolling.max_unavailable), ("maxSurge", rolling.max_surge)):
        yield from share((*at, field), bound)
        yield from not_above_all((*at, field), bound)
    unavailable, surge = (not is_zero(bound or 0) for bound in (rolling.max_unavailable, rolling.max_surge))
    if unavailable and surge:
        yield invalid((*at, "maxSurge"), rolling.max_surge, "may not be set when maxUnavailable is non-zero")
    elif not unavailable and not surge:
        yield required((*at, "maxUnavailable"), "cannot be 0 when maxSurge is 0")


def controller_revision(declared: ControllerRevision) -> Faults:
    if declared.data is None:
        yield required(("data",), "data is mandatory")
    yield from at_least(("revision",), declared.revision)


def controller_revision_update(new: ControllerRevision, old: ControllerRevision) -> Faults:
    """History is not rewritten; a state that comes back only gets the next number."""
    if new.data != old.data:
        yield invalid(("data",), new.data, IMMUTABLE)
