"""What may not change of a workload once it is there."""

from msgspec import structs

from schemas.apps import DaemonSet, Deployment, ReplicaSet, StatefulSet
from schemas.batch import Job, JobSpec
from schemas.core.affinity import Affinity
from schemas.core.container import Container, ResourceRequirements
from schemas.core.pod import PodSpec, PodTemplateSpec
from schemas.faults import Fault, Path
from schemas.meta import ObjectMeta, Record
from schemas.shape import shape_of
from schemas.validation.report import IMMUTABLE, Faults, forbidden, invalid

_SPEC: Path = ("spec",)
_STATEFUL_SET_FIELDS = (
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
    "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
)


def selector(new: DaemonSet | Deployment | ReplicaSet, old: DaemonSet | Deployment | ReplicaSet) -> Faults:
    if new.spec.selector != old.spec.selector:
        yield invalid((*_SPEC, "selector"), new.spec.selector, IMMUTABLE)


def stateful_set(new: StatefulSet, old: StatefulSet) -> Faults:
    allowed = structs.replace(
        old.spec,
        replicas=new.spec.replicas,
        ordinals=new.spec.ordinals,
        template=new.spec.template,
        update_strategy=new.spec.update_strategy,
        revision_history_limit=new.spec.revision_history_limit,
        persistent_volume_claim_retention_policy=new.spec.persistent_volume_claim_retention_policy,
        min_ready_seconds=new.spec.min_ready_seconds,
    )
    if new.spec != allowed:
        yield forbidden(_SPEC, _STATEFUL_SET_FIELDS)


def job(new: Job, old: Job) -> Faults:
    yield from _completions(new.spec, old.spec)
    for field, value, before in (
        ("selector", new.spec.selector, old.spec.selector),
        ("completionMode", new.spec.completion_mode, old.spec.completion_mode),
        ("podFailurePolicy", new.spec.pod_failure_policy, old.spec.pod_failure_policy),
        ("backoffLimitPerIndex", new.spec.backoff_limit_per_index, old.spec.backoff_limit_per_index),
        ("managedBy", new.spec.managed_by or None, old.spec.managed_by or None),
        ("successPolicy", new.spec.success_policy, old.spec.success_policy),
    ):
        if value != before:
            yield invalid((*_SPEC, field), value, IMMUTABLE)
    yield from _template(new.spec.template, old.spec.template, resting=_is_resting(old))


def _completions(new: JobSpec, old: JobSpec) -> Faults:
    """An indexed Job may grow and shrink, in all its width."""
    at = (*_SPEC, "completions")
    if new.completions == old.completions:
        return
    if new.completion_mode != "Indexed":
        yield invalid(at, new.completions, IMMUTABLE)
    elif new.completions is not None and new.completions != new.parallelism:
        yield invalid(at, new.completions, "can only be modified in tandem with spec.parallelism")


def _is_resting(declared: Job) -> bool:
    """Suspended, with no pod that was made to the template as it is."""
    status = declared.status
    stopped = any(one.type == "Suspended" and one.status == "True" for one in status.conditions) and not status.active
    return bool(declared.spec.suspend) and (status.start_time is None or stopped)


def _template(new: PodTemplateSpec, old: PodTemplateSpec, *, resting: bool) -> Faults:
    if resting:
        new, old = _lasting(new), _lasting(old)
    changed = [f"metadata.{name}" for name in _changed(new.metadata, old.metadata)]
    changed += [f"spec.{name}" for name in _changed(new.spec or _NO_PODS, old.spec or _NO_PODS)]
    if changed:
        # The API server shows the whole template; which part of it is meant helps more.
        yield Fault((*_SPEC, "template"), f"Invalid value: {{…}}: {IMMUTABLE}; changed: {', '.join(changed)}")


_NO_PODS = PodSpec(containers=())


def _changed(new: Record, old: Record) -> list[str]:
    fields = shape_of(type(new)).fields.values()
    return [field.name for field in fields if getattr(new, field.attribute) != getattr(old, field.attribute)]


def _lasting(template: PodTemplateSpec) -> PodTemplateSpec:
    """Less what a queue may still decide of a Job that rests: where its pods go, and how much they get."""
    spec = template.spec
    if spec is None:
        return structs.replace(template, metadata=ObjectMeta())
    affinity = structs.replace(spec.affinity or Affinity(), node_affinity=None)
    return structs.replace(
        template,
        metadata=structs.replace(template.metadata, annotations={}, labels={}),
        spec=structs.replace(
            spec,
            affinity=None if affinity == Affinity() else affinity,
            node_selector={},
            tolerations=(),
            scheduling_gates=(),
            containers=tuple(map(_of_any_size, spec.containers)),
            init_containers=tuple(map(_of_any_size, spec.init_containers)),
        ),
    )


def _of_any_size(container: Container) -> Container:
    return structs.replace(container, resources=ResourceRequirements())
