"""The columns of workloads: Deployment and ReplicaSet."""

from datetime import datetime

from reconciler.api.tables.column import AGE, NAME, Cell, Column, Layout, age, label_selector, wide
from schemas.apps import Deployment, ReplicaSet
from schemas.core.pod import PodTemplateSpec


def _template(template: PodTemplateSpec | None) -> tuple[str, str]:
    """Names and images of the containers."""
    containers = template.spec.containers if template and template.spec else ()
    return ",".join(c.name for c in containers), ",".join(c.image for c in containers)


def _deployment(deployment: Deployment, now: datetime) -> tuple[Cell, ...]:
    status = deployment.status
    return (
        deployment.metadata.name,
        f"{status.ready_replicas}/{deployment.spec.replicas or 0}",
        status.updated_replicas,
        status.available_replicas,
        age(deployment, now),
        *_template(deployment.spec.template),
        label_selector(deployment.spec.selector),
    )


def _replica_set(replica_set: ReplicaSet, now: datetime) -> tuple[Cell, ...]:
    return (
        replica_set.metadata.name,
        replica_set.spec.replicas or 0,
        replica_set.status.replicas,
        replica_set.status.ready_replicas,
        age(replica_set, now),
        *_template(replica_set.spec.template),
        label_selector(replica_set.spec.selector),
    )


_TEMPLATE = (
    wide("Containers", description="Names of the template's containers"),
    wide("Images", description="Images of the template's containers"),
    wide("Selector", description="Which pods belong to it"),
)

DEPLOYMENT = Layout(
    (
        NAME,
        Column("Ready", description="Ready pods, of those asked for"),
        Column("Up-to-date", description="Pods of the present template"),
        Column("Available", description="Pods that have been ready for long enough"),
        AGE,
        *_TEMPLATE,
    ),
    _deployment,
)

REPLICA_SET = Layout(
    (
        NAME,
        Column("Desired", type="integer", description="Pods asked for"),
        Column("Current", type="integer", description="Pods that exist"),
        Column("Ready", type="integer", description="Pods that are ready"),
        AGE,
        *_TEMPLATE,
    ),
    _replica_set,
)
