"""What the API server fills in where a workload that runs on leaves a field out. See `schemas.defaults`."""

from msgspec import structs

from schemas.apps import (
    DaemonSet,
    DaemonSetUpdateStrategy,
    Deployment,
    DeploymentStrategy,
    ReplicaSet,
    RollingUpdateDaemonSet,
    RollingUpdateDeployment,
    RollingUpdateStatefulSetStrategy,
    StatefulSet,
    StatefulSetPersistentVolumeClaimRetentionPolicy,
    StatefulSetUpdateStrategy,
)
from schemas.core.pod import PodTemplateSpec
from schemas.core.replication import PodTemplate, ReplicationController
from schemas.defaults.pod import template_spec
from schemas.defaults.volume import persistent_volume_claim

_REVISIONS = 10


def template(declared: PodTemplateSpec) -> PodTemplateSpec:
    return declared if declared.spec is None else structs.replace(declared, spec=template_spec(declared.spec))


def deployment(declared: Deployment) -> Deployment:
    spec = declared.spec
    return structs.replace(
        declared,
        spec=structs.replace(
            spec,
            replicas=_or(spec.replicas, 1),
            revision_history_limit=_or(spec.revision_history_limit, _REVISIONS),
            progress_deadline_seconds=_or(spec.progress_deadline_seconds, 600),
            strategy=_deployment_strategy(spec.strategy),
            template=template(spec.template),
        ),
    )


def _or(number: int | None, default: int) -> int:
    return default if number is None else number


def _share(share: int | str | None, default: int | str) -> int | str:
    return default if share is None else share


def _deployment_strategy(strategy: DeploymentStrategy) -> DeploymentStrategy:
    type_ = strategy.type or "RollingUpdate"
    if type_ != "RollingUpdate":
        return strategy
    rolling = strategy.rolling_update or RollingUpdateDeployment()
    return DeploymentStrategy(
        type=type_,
        rolling_update=RollingUpdateDeployment(
            max_surge=_share(rolling.max_surge, "25%"), max_unavailable=_share(rolling.max_unavailable, "25%")
        ),
    )


def replica_set(declared: ReplicaSet) -> ReplicaSet:
    spec = declared.spec
    return structs.replace(
        declared,
        spec=structs.replace(
            spec,
            replicas=_or(spec.replicas, 1),
            template=None if spec.template is None else template(spec.template),
        ),
    )


def stateful_set(declared: StatefulSet) -> StatefulSet:
    spec = declared.spec
    retention = spec.persistent_volume_claim_retention_policy or StatefulSetPersistentVolumeClaimRetentionPolicy()
    return structs.replace(
        declared,
        spec=structs.replace(
            spec,
            replicas=_or(spec.replicas, 1),
            revision_history_limit=_or(spec.revision_history_limit, _REVISIONS),
            pod_management_policy=spec.pod_management_policy or "OrderedReady",
            persistent_volume_claim_retention_policy=StatefulSetPersistentVolumeClaimRetentionPolicy(
                when_deleted=retention.when_deleted or "Retain", when_scaled=retention.when_scaled or "Retain"
            ),
            update_strategy=_stateful_set_strategy(spec.update_strategy),
            template=template(spec.template),
            volume_claim_templates=tuple(map(persistent_volume_claim, spec.volume_claim_templates)),
        ),
    )


def _stateful_set_strategy(strategy: StatefulSetUpdateStrategy) -> StatefulSetUpdateStrategy:
    type_ = strategy.type or "RollingUpdate"
    if type_ != "RollingUpdate":
        return strategy
    rolling = strategy.rolling_update or RollingUpdateStatefulSetStrategy()
    return StatefulSetUpdateStrategy(
        type=type_, rolling_update=structs.replace(rolling, partition=_or(rolling.partition, 0))
    )


def daemon_set(declared: DaemonSet) -> DaemonSet:
    spec = declared.spec
    return structs.replace(
        declared,
        spec=structs.replace(
            spec,
            revision_history_limit=_or(spec.revision_history_limit, _REVISIONS),
            update_strategy=_daemon_set_strategy(spec.update_strategy),
            template=template(spec.template),
        ),
    )


def _daemon_set_strategy(strategy: DaemonSetUpdateStrategy) -> DaemonSetUpdateStrategy:
    type_ = strategy.type or "RollingUpdate"
    if type_ != "RollingUpdate":
        return strategy
    rolling = strategy.rolling_update or RollingUpdateDaemonSet()
    return DaemonSetUpdateStrategy(
        type=type_,
        rolling_update=RollingUpdateDaemonSet(
            max_surge=_share(rolling.max_surge, 0), max_unavailable=_share(rolling.max_unavailable, 1)
        ),
    )


def replication_controller(declared: ReplicationController) -> ReplicationController:
    """The labels of its pods stand in for its selector and its own labels."""
    spec, metadata = declared.spec, declared.metadata
    labels = {} if spec.template is None else spec.template.metadata.labels
    return structs.replace(
        declared,
        metadata=structs.replace(metadata, labels=metadata.labels or labels),
        spec=structs.replace(
            spec,
            replicas=_or(spec.replicas, 1),
            selector=spec.selector or labels,
            template=None if spec.template is None else template(spec.template),
        ),
    )


def pod_template(declared: PodTemplate) -> PodTemplate:
    return declared if declared.template is None else structs.replace(declared, template=template(declared.template))
