"""What a container needs before it is made: its environment, its mounts, its files on the node."""

from pathlib import Path

from msgspec.structs import replace

from nodeagent.pods import files
from nodeagent.pods.containerconfig import Parts, Refusal, container_config
from nodeagent.pods.context import Context
from nodeagent.pods.environment import Environment, MissingConfig, environment, expand
from nodeagent.pods.fieldpaths import FieldFault, PodFacts
from nodeagent.pods.podstate import PodState
from nodeagent.pods.sandboxconfig import hosts_file
from nodeagent.pods.serviceenv import service_variables
from nodeagent.runtime.interface import ContainerConfig, State
from nodeagent.volumes.plan import VolumeFault, is_read_only
from schemas.core.container import Container


class ConfigFault(Exception):
    """The container cannot be made from its spec and from what that names. The text is for its status."""


def configure(context: Context, state: PodState, container: Container, attempt: int) -> ContainerConfig:
    """Raises `ConfigFault`, and `OSError` when the node's files cannot be written."""
    facts = state.facts(context.node)
    variables = _environment(context, state, container, facts)
    directories = context.directories
    hosts, message = directories.hosts(state.uid), directories.termination_message(state.uid, container.name, attempt)
    files.write_if_changed(hosts, hosts_file(facts))
    files.make_message_file(message)
    meta = state.pod.metadata
    (directories.pod_logs(meta.namespace, meta.name, meta.uid) / container.name).mkdir(parents=True, exist_ok=True)
    memory = state.memory.of(container.name)
    parts = Parts(
        image=memory.image,
        image_user=memory.image_user,
        environment=variables.variables,
        volumes=[_path(context, state, container, index, variables) for index in range(len(container.volume_mounts))],
        read_only_volumes=frozenset(name for name, one in state.volumes.items() if is_read_only(one)),
        hosts=hosts,
        termination_message=message,
    )
    try:
        return replace(container_config(facts, container, attempt, parts), pid_of=_target(state, container))
    except Refusal as refusal:
        raise ConfigFault(str(refusal)) from None


def _target(state: PodState, container: Container) -> str:
    """The container whose processes an ephemeral one is to see."""
    targets = {one.name: one.target_container_name for one in state.pod.spec.ephemeral_containers}
    name = targets.get(container.name, "")
    found = state.observed.current(name) if name else None
    if name and (found is None or found.state is not State.RUNNING):
        raise ConfigFault(f'unable to find target container "{name}": it is not running')
    return found.id if found else ""


def _environment(context: Context, state: PodState, container: Container, facts: PodFacts) -> Environment:
    try:
        services = service_variables(state.pod, context.services())
        found = environment(container, facts, state.configs, services)
    except FieldFault as fault:
        raise ConfigFault(str(fault)) from None
    if isinstance(found, MissingConfig):
        raise ConfigFault(str(found))
    for skipped in found.skipped:
        context.event(state.pod, "Warning", "InvalidEnvironmentVariableNames", str(skipped), container.name)
    return found


def _path(context: Context, state: PodState, container: Container, index: int, variables: Environment) -> Path:
    mount = container.volume_mounts[index]
    planned = state.volumes.get(mount.name)
    if planned is None:
        raise ConfigFault(f'volumeMounts: there is no volume "{mount.name}" in this pod')
    sub_path = mount.sub_path or expand(mount.sub_path_expr, variables.variables)
    if not sub_path:
        return context.volumes.path(state.uid, planned)
    try:
        return context.volumes.sub_path(state.uid, planned, sub_path, container.name, index)
    except VolumeFault as fault:
        raise ConfigFault(
            f'failed to prepare subPath for volumeMount "{mount.name}" of container "{container.name}": {fault}'
        ) from None
