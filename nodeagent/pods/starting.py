"""What a container needs before it is made: its environment, its mounts, its files on the node."""

from pathlib import Path

from msgspec.structs import replace

from nodeagent.devices.handing import Handed, handed
from nodeagent.devices.present import along_with, is_device
from nodeagent.pods import files
from nodeagent.pods.containerconfig import Parts, Refusal, container_config
from nodeagent.pods.context import Context
from nodeagent.pods.envfile import MAX_BYTES
from nodeagent.pods.environment import Environment, FileFault, MissingConfig, environment, expand
from nodeagent.pods.fieldpaths import FieldFault, PodFacts
from nodeagent.pods.podstate import PodState
from nodeagent.pods.sandboxconfig import hosts_file
from nodeagent.pods.serviceenv import service_variables
from nodeagent.runtime.interface import ContainerConfig, Device, State
from nodeagent.volumes.plan import Block, EmptyDir, HostPath, Share, VolumeFault, is_read_only
from nodeagent.volumes.subpath import read_within
from schemas.core.container import Container, VolumeDevice
from schemas.messages import HANDLER, RUNTIME_CLASS, config_key


class ConfigFault(Exception):
    """The container cannot be made from its spec and from what that names. The text is for its status.

    `passing`: what it lacks may come without a word of it.
    """

    def __init__(self, text: str, *, passing: bool = False) -> None:
        super().__init__(text)
        self.passing = passing


def configure(context: Context, state: PodState, container: Container, attempt: int) -> ContainerConfig:
    """Raises `ConfigFault`, and `OSError` when the node's files cannot be written."""
    facts = state.facts(context.node)
    variables = _environment(context, state, container, facts)
    directories = context.directories
    hosts, message = directories.hosts(state.uid), directories.termination_message(state.uid, container.name, attempt)
    files.write_if_changed(hosts, hosts_file(facts))
    files.make_message_file(message)
    (directories.pod_logs(state.pod) / container.name).mkdir(parents=True, exist_ok=True)
    memory = state.memory.of(container.name)
    parts = Parts(
        image=memory.image,
        image_user=memory.image_user,
        environment=variables.variables,
        volumes=[_path(context, state, container, index, variables) for index in range(len(container.volume_mounts))],
        read_only_volumes=frozenset(name for name, one in state.volumes.items() if is_read_only(one)),
        hosts=hosts,
        termination_message=message,
        relabelled=frozenset(name for name, one in state.volumes.items() if not isinstance(one, HostPath | Share)),
        handed=_handed(facts, container),
        block_devices=[_block_device(context, state, one) for one in container.volume_devices],
    )
    try:
        return replace(container_config(facts, container, attempt, parts), pid_of=_target(state, container))
    except Refusal as refusal:
        raise ConfigFault(str(refusal)) from None


def runtime_handler(context: Context, state: PodState) -> str:
    """Of the pod's RuntimeClass; empty: the runtime's default. Raises `ConfigFault`."""
    name, handler = state.pod.spec.runtime_class_name, ""
    if name:
        config = state.configs.get(config_key(RUNTIME_CLASS, "", name))
        if config is None:
            raise ConfigFault(f'runtimeclass.node.k8s.io "{name}" not found', passing=True)
        handler = config.data[HANDLER].decode()
    if state.allocated.first_user and handler not in context.features.user_namespaces:
        text = f'runtime handler "{handler}" does not support user namespaces (spec.hostUsers: false)'
        raise ConfigFault(text, passing=True)
    return handler


def _handed(facts: PodFacts, container: Container) -> Handed:
    """Its devices, which have to be there now: one that was pulled out may be put in again."""
    given = facts.allocated.devices.get(container.name, {})
    declared = [one for one in facts.node.device_resources if one.resource in given]
    if not given:
        return Handed()
    for path in (path for paths in given.values() for path in paths):
        if not is_device(path):
            raise ConfigFault(f"the device {path} that the container was given is not there", passing=True)
    return handed(given, declared, {one.resource: along_with(one) for one in declared})


def _block_device(context: Context, state: PodState, wanted: VolumeDevice) -> Device:
    planned = state.volumes.get(wanted.name)
    if not isinstance(planned, Block):
        raise ConfigFault(f'volumeDevices: volume "{wanted.name}" is no block device')
    if not is_device(planned.path):
        raise ConfigFault(f'the device {planned.path} of volume "{wanted.name}" is not there', passing=True)
    return Device(planned.path, wanted.device_path, "r" if planned.read_only else "rwm")


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
        found = environment(
            container, facts, state.configs, services, lambda ref: _read(context, state, ref.volume_name, ref.path)
        )
    except FieldFault as fault:
        raise ConfigFault(str(fault)) from None
    except FileFault as fault:
        raise ConfigFault(str(fault), passing=True) from None
    if isinstance(found, MissingConfig):
        raise ConfigFault(str(found))
    for skipped in found.skipped:
        context.event(state.pod, "Warning", "InvalidEnvironmentVariableNames", str(skipped), container.name)
    return found


def _read(context: Context, state: PodState, volume: str, path: str) -> bytes | None:
    planned = state.volumes.get(volume)
    if not isinstance(planned, EmptyDir):
        raise ConfigFault(f'fileKeyRef: "{volume}" is no emptyDir volume of this pod')
    try:
        return read_within(volume, context.volumes.path(state.uid, planned), path, MAX_BYTES)
    except VolumeFault as fault:
        raise ConfigFault(str(fault), passing=True) from None


def _path(context: Context, state: PodState, container: Container, index: int, variables: Environment) -> Path:
    mount = container.volume_mounts[index]
    planned = state.volumes.get(mount.name)
    if planned is None:
        raise ConfigFault(f'volumeMounts: there is no volume "{mount.name}" in this pod')
    if isinstance(planned, Block):
        raise ConfigFault(f"volume {mount.name} has volumeMode Block, but is specified in volumeMounts")
    sub_path = mount.sub_path or expand(mount.sub_path_expr, variables.variables)
    try:
        path = context.volumes.path(state.uid, planned)
        if sub_path:
            path = context.volumes.sub_path(state.uid, planned, sub_path, container.name, index)
        if mount.recursive_read_only in ("Enabled", "IfPossible"):
            required = mount.recursive_read_only == "Enabled"
            path = context.volumes.read_only(state.uid, planned, path, container.name, index, required=required)
        return path
    except VolumeFault as fault:
        raise ConfigFault(
            f'failed to prepare volumeMount "{mount.name}" of container "{container.name}": {fault}'
        ) from None
