"""The nodes of a plan: what is placed on a node that is Ready runs a step later, and what shall end is gone.

Pure: (view, now) → what the nodes would report. All nodes answer alike. What can be known beforehand to keep a
container from starting does so here, in the words of the node agent; that an image does not exist, or that a program
crashes, cannot be known.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from msgspec import structs

from reconciler.controllers import podstate, rootca
from reconciler.store.changes import Change, Delete, UpdateStatus
from reconciler.store.view import View
from schemas import conditions
from schemas.core.config import ConfigMap, Secret
from schemas.core.container import Container
from schemas.core.node import Node
from schemas.core.pod import Pod
from schemas.core.podstatus import (
    ContainerState,
    ContainerStateRunning,
    ContainerStateWaiting,
    ContainerStatus,
    PodCondition,
    PodStatus,
)
from schemas.core.volume import Volume
from schemas.meta import Ref, ref_of

NOT_CONFIGURED = "CreateContainerConfigError"
_STARTING = ("", NOT_CONFIGURED, "ContainerCreating", "PodInitializing")
YOUNG = timedelta(minutes=2)
"""A pod that has run for no longer, and is not ready yet, is taken to be starting."""


def reports(view: View, now: datetime) -> Sequence[Change]:
    """What the nodes that are there would say now."""
    return [
        change
        for node in view.list(Node)
        if is_ready(node)
        for pod in view.pods_on(node.metadata.name)
        for change in _report(pod, view, now)
    ]


def is_ready(node: Node) -> bool:
    found = conditions.find(node.status.conditions, "Ready")
    return found is not None and found.status == "True"


def _report(pod: Pod, view: View, now: datetime) -> Iterator[Change]:
    if pod.metadata.deletion_timestamp is not None:
        yield Delete(ref_of(pod), uid=pod.metadata.uid, grace_seconds=0)
    elif not podstate.ended(pod) and not podstate.ready(pod) and not _is_stuck(pod, now):
        status = _status(pod, missing(pod, view), now)
        if status != pod.status:
            yield UpdateStatus(structs.replace(pod, status=status))


def _is_stuck(pod: Pod, now: datetime) -> bool:
    """Fails to run or to get ready for a reason of its own: nothing says that this would end."""
    for status in (*pod.status.init_container_statuses, *pod.status.container_statuses):
        waiting = status.state.waiting if status.state else None
        if waiting is not None and waiting.reason not in _STARTING:
            return True
    since = pod.status.start_time
    return pod.status.phase == "Running" and (since is None or now - since > YOUNG)


def _status(pod: Pod, lacking: str, now: datetime) -> PodStatus:
    told = pod.status.conditions
    gates = (conditions.find(told, gate.condition_type) for gate in pod.spec.readiness_gates)
    is_open = all(gate is not None and gate.status == "True" for gate in gates)
    runs = not lacking
    for type_, holds in (("Initialized", runs), ("ContainersReady", runs), ("Ready", runs and is_open)):
        new = PodCondition("True" if holds else "False", type_, last_transition_time=now)
        old = conditions.find(told, type_)
        if old is None or old.status != new.status:
            told = conditions.updated(told, new)
    statuses = tuple(_container(one, lacking, now) for one in pod.spec.containers)
    phase = "Running" if runs else "Pending"
    return structs.replace(
        pod.status,
        conditions=told,
        container_statuses=statuses if runs or waits_for(pod) != lacking else pod.status.container_statuses,
        observed_generation=pod.metadata.generation,
        phase=phase,
        start_time=pod.status.start_time or now,
    )


def _container(container: Container, lacking: str, now: datetime) -> ContainerStatus:
    state = (
        ContainerState(waiting=ContainerStateWaiting(lacking, NOT_CONFIGURED))
        if lacking
        else ContainerState(running=ContainerStateRunning(now))
    )
    return ContainerStatus(
        image=container.image,
        image_id="",
        name=container.name,
        ready=not lacking,
        restart_count=0,
        started=not lacking,
        state=state,
    )


def waits_for(pod: Pod) -> str:
    """What a container that does not start says, or an empty text."""
    for status in (*pod.status.init_container_statuses, *pod.status.container_statuses):
        waiting = status.state.waiting if status.state else None
        if waiting is not None and waiting.message:
            return waiting.message
    return ""


def missing(pod: Pod, view: View) -> str:
    """The first ConfigMap, Secret or key of one that the pod needs and that is not there."""
    for kind, name, key in _needed(pod):
        if (kind, name) == ("ConfigMap", rootca.NAME):
            continue  # The reconciler that carries the plan out keeps it in every namespace.
        found = view.find(Ref(kind, pod.metadata.namespace, name))
        if not isinstance(found, ConfigMap | Secret):
            return f'{kind.lower()} "{name}" not found'
        if key and key not in _keys(found):
            return f"couldn't find key {key} in {kind} {pod.metadata.namespace}/{name}"
    return ""


def _keys(found: ConfigMap | Secret) -> set[str]:
    return {*found.data, *(found.binary_data if isinstance(found, ConfigMap) else found.string_data)}


_Need = tuple[str, str, str]


def _needed(pod: Pod) -> Iterator[_Need]:
    for volume in pod.spec.volumes:
        yield from _of_volume(volume)
    for container in (*pod.spec.init_containers, *pod.spec.containers):
        yield from _of_container(container)


def _of_container(container: Container) -> Iterator[_Need]:
    for source in container.env_from:
        for kind, whole in (("ConfigMap", source.config_map_ref), ("Secret", source.secret_ref)):
            if whole and not whole.optional:
                yield kind, whole.name, ""
    for variable in container.env:
        if (value := variable.value_from) is None:
            continue
        for kind, one in (("ConfigMap", value.config_map_key_ref), ("Secret", value.secret_key_ref)):
            if one and not one.optional:
                yield kind, one.name, one.key


def _of_volume(volume: Volume) -> Iterator[_Need]:
    if volume.config_map and not volume.config_map.optional:
        yield from _each("ConfigMap", volume.config_map.name, volume.config_map.items)
    if volume.secret and not volume.secret.optional:
        yield from _each("Secret", volume.secret.secret_name, volume.secret.items)
    for source in volume.projected.sources if volume.projected else ():
        if source.config_map and not source.config_map.optional:
            yield from _each("ConfigMap", source.config_map.name, source.config_map.items)
        if source.secret and not source.secret.optional:
            yield from _each("Secret", source.secret.name, source.secret.items)


def _each(kind: str, name: str, items: Sequence[object]) -> Iterator[_Need]:
    yield kind, name, ""
    for item in items:
        yield kind, name, getattr(item, "key", "")
