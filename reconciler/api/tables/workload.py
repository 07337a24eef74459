"""The columns of what keeps pods running: Deployment, ReplicaSet, StatefulSet, DaemonSet and their like."""

from datetime import datetime

from reconciler.api.tables.column import (
    AGE,
    NAME,
    NONE,
    Cell,
    Column,
    Layout,
    age,
    label_selector,
    labels,
    wide,
)
from schemas.apps import ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet
from schemas.core.pod import PodTemplateSpec
from schemas.core.replication import PodTemplate, ReplicationController
from schemas.meta import controller_of


def template_cells(template: PodTemplateSpec | None) -> tuple[str, str]:
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
        *template_cells(deployment.spec.template),
        label_selector(deployment.spec.selector),
    )


def _replica_set(replica_set: ReplicaSet, now: datetime) -> tuple[Cell, ...]:
    return (
        replica_set.metadata.name,
        replica_set.spec.replicas or 0,
        replica_set.status.replicas,
        replica_set.status.ready_replicas,
        age(replica_set, now),
        *template_cells(replica_set.spec.template),
        label_selector(replica_set.spec.selector),
    )


def _replication_controller(controller: ReplicationController, now: datetime) -> tuple[Cell, ...]:
    return (
        controller.metadata.name,
        controller.spec.replicas or 0,
        controller.status.replicas,
        controller.status.ready_replicas,
        age(controller, now),
        *template_cells(controller.spec.template),
        labels(controller.spec.selector),
    )


def _stateful_set(stateful_set: StatefulSet, now: datetime) -> tuple[Cell, ...]:
    return (
        stateful_set.metadata.name,
        f"{stateful_set.status.ready_replicas}/{stateful_set.spec.replicas or 0}",
        age(stateful_set, now),
        *template_cells(stateful_set.spec.template),
    )


def _daemon_set(daemon_set: DaemonSet, now: datetime) -> tuple[Cell, ...]:
    status, template = daemon_set.status, daemon_set.spec.template
    return (
        daemon_set.metadata.name,
        status.desired_number_scheduled,
        status.current_number_scheduled,
        status.number_ready,
        status.updated_number_scheduled,
        status.number_available,
        labels(template.spec.node_selector if template.spec else {}),
        age(daemon_set, now),
        *template_cells(template),
        label_selector(daemon_set.spec.selector),
    )


def _controller_revision(revision: ControllerRevision, now: datetime) -> tuple[Cell, ...]:
    return (revision.metadata.name, _controller(revision), revision.revision, age(revision, now))


def _controller(revision: ControllerRevision) -> str:
    """As kubectl names it: by the resource in the singular, with its group, and the name."""
    owner = controller_of(revision)
    if owner is None:
        return NONE
    group = owner.api_version.rpartition("/")[0]
    return f"{owner.kind.lower()}{f'.{group}' if group else ''}/{owner.name}"


def _pod_template(pod_template: PodTemplate, now: datetime) -> tuple[Cell, ...]:
    template = pod_template.template
    return (pod_template.metadata.name, *template_cells(template), labels(template.metadata.labels if template else {}))


CONTAINERS = (
    wide("Containers", description="Names of the template's containers"),
    wide("Images", description="Images of the template's containers"),
)
TEMPLATE = (*CONTAINERS, wide("Selector", description="Which pods belong to it"))
DEPLOYMENT = Layout(
    (
        NAME,
        Column("Ready", description="Ready pods, of those asked for"),
        Column("Up-to-date", description="Pods of the present template"),
        Column("Available", description="Pods that have been ready for long enough"),
        AGE,
        *TEMPLATE,
    ),
    _deployment,
)

_NUMBERS = (
    NAME,
    Column("Desired", type="integer", description="Pods asked for"),
    Column("Current", type="integer", description="Pods that exist"),
    Column("Ready", type="integer", description="Pods that are ready"),
)

REPLICA_SET = Layout((*_NUMBERS, AGE, *TEMPLATE), _replica_set)
REPLICATION_CONTROLLER = Layout((*_NUMBERS, AGE, *TEMPLATE), _replication_controller)
STATEFUL_SET = Layout(
    (NAME, Column("Ready", description="Ready pods, of those asked for"), AGE, *CONTAINERS), _stateful_set
)
DAEMON_SET = Layout(
    (
        *_NUMBERS,
        Column("Up-to-date", type="integer", description="Pods of the present template"),
        Column("Available", type="integer", description="Pods that have been ready for long enough"),
        Column("Node Selector", description="Labels of the nodes that get a pod"),
        AGE,
        *TEMPLATE,
    ),
    _daemon_set,
)
POD_TEMPLATE = Layout(
    (
        NAME,
        Column("Containers", description="Names of the template's containers"),
        Column("Images", description="Images of the template's containers"),
        Column("Pod Labels", description="Labels of the template"),
    ),
    _pod_template,
)
CONTROLLER_REVISION = Layout(
    (
        NAME,
        Column("Controller", description="Whose history it belongs to"),
        Column("Revision", description="Its number; the highest is the newest"),
        AGE,
    ),
    _controller_revision,
)
