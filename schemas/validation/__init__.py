"""The API server's rules for the served kinds, in its own words.

`validate` looks at an object that is decoded and defaulted, `validate_update` at what changed of one that was there
before; a caller that updates an object asks both. Rules that need to see other objects (quotas, classes, allocated
addresses) are not here. Follows the validation of Kubernetes 1.36.
"""

from collections.abc import Callable
from typing import Any

from schemas import names
from schemas.apps import DaemonSet, Deployment, ReplicaSet, StatefulSet
from schemas.autoscaling import HorizontalPodAutoscaler
from schemas.batch import CronJob, Job
from schemas.core.config import ConfigMap, Namespace, Secret
from schemas.core.event import Event
from schemas.core.node import Node
from schemas.core.pod import Pod
from schemas.core.replication import PodTemplate, ReplicationController
from schemas.core.service import Service
from schemas.faults import Fault
from schemas.kinds import BY_GROUP_VERSION_KIND
from schemas.meta import Object
from schemas.policy import PodDisruptionBudget
from schemas.validation import autoscaling, config, cronjobs, disruption, jobs, node, pod, service, sets, workloads
from schemas.validation.metadata import metadata
from schemas.validation.report import Faults
from schemas.validation.update import update


def validate(object_: Object) -> tuple[Fault, ...]:
    """What is wrong with the object, if anything."""
    kind = BY_GROUP_VERSION_KIND.get((object_.api_version, object_.kind))
    name_rule = (
        names.dns1123_label if isinstance(object_, Namespace | Service | StatefulSet) else names.dns1123_subdomain
    )
    namespaced = kind is None or kind.namespaced
    faults = [*metadata(object_.metadata, namespaced=namespaced, name_rule=name_rule)]
    if rules := _BY_TYPE.get(type(object_)):
        faults += rules(object_)
    return tuple(faults)


def validate_update(new: Object, old: Object) -> tuple[Fault, ...]:
    """What may not change from `old` to `new`; both are defaulted."""
    return tuple(update(new, old))


_NAMED_AS_LABELS = (Namespace, Service, StatefulSet)
"""Their names become labels or parts of host names."""

_BY_TYPE: dict[type[Object], Callable[[Any], Faults]] = {
    ConfigMap: config.config_map,
    CronJob: cronjobs.cron_job,
    DaemonSet: sets.daemon_set,
    Deployment: workloads.deployment,
    Event: config.event,
    HorizontalPodAutoscaler: autoscaling.horizontal_pod_autoscaler,
    Job: jobs.job,
    Namespace: config.namespace,
    Node: node.node,
    Pod: pod.pod,
    PodDisruptionBudget: disruption.pod_disruption_budget,
    PodTemplate: workloads.pod_template,
    ReplicaSet: workloads.replica_set,
    ReplicationController: workloads.replication_controller,
    Secret: config.secret,
    Service: service.service,
    StatefulSet: sets.stateful_set,
}
