"""A container of a pod as the runtime has to make it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from nodeagent.devices.handing import Handed
from nodeagent.pods.confinement import apparmor, has_strict_groups, seccomp, selinux
from nodeagent.pods.environment import expand_all
from nodeagent.pods.fieldpaths import PodFacts
from nodeagent.pods.memory import spec_hash
from nodeagent.pods.podcgroup import container_hugepages
from nodeagent.pods.resizing import RESOURCES
from nodeagent.pods.resources import (
    CPU_PERIOD,
    cpu_quota,
    cpu_shares,
    is_sidecar,
    memory_limit,
    oom_score_adj,
)
from nodeagent.pods.sandboxconfig import CONTAINER_NAME, groups_of, pod_labels
from nodeagent.pods.situation import SPEC_HASH
from nodeagent.runtime.interface import ContainerConfig, Device, Mount
from schemas.core.container import Container, LifecycleHandler, VolumeMount
from schemas.core.pod import Pod
from schemas.core.security import Capabilities, PodSecurityContext, SecurityContext

PRE_STOP = "wherry.dev/pre-stop"
SIDECAR = "wherry.dev/sidecar"
STOP_SIGNAL = "wherry.dev/stop-signal"
"""Kept at the container, so that a pod whose assignment is gone still ends as it asked for."""
_KILLED_TOGETHER = {"memory.oom.group": "1"}
"""Out of memory, all processes of a container end: half of one is worse than none (KEP-3983, the kubelet's default)."""
DEFAULT_MESSAGE_PATH = "/dev/termination-log"
HOSTS = "/etc/hosts"


class Refusal(ValueError):
    """The container must not run as it is written. The text is for its status."""


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What was prepared on the node. `volumes`: where each `volumeMounts` entry lies, in their order."""

    image: str
    image_user: str
    environment: Mapping[str, str]
    volumes: Sequence[Path]
    read_only_volumes: frozenset[str]
    hosts: Path
    termination_message: Path
    relabelled: frozenset[str] = frozenset()
    """Volumes whose files are this pod's alone, so that their SELinux labels may be."""
    handed: Handed = Handed()
    """What comes with the container's devices."""
    block_devices: Sequence[Device] = ()


def container_config(facts: PodFacts, container: Container, attempt: int, parts: Parts) -> ContainerConfig:
    """Raises `Refusal`."""
    pod = facts.pod
    rights = container.security_context or SecurityContext()
    pod_rights = pod.spec.security_context or PodSecurityContext()
    user = pod_rights.run_as_user if rights.run_as_user is None else rights.run_as_user
    group = pod_rights.run_as_group if rights.run_as_group is None else rights.run_as_group
    _refuse_root(pod, container, user, parts.image_user)
    capabilities = rights.capabilities or Capabilities()
    return ContainerConfig(
        name=container.name,
        attempt=attempt,
        image=parts.image,
        command=expand_all(container.command, parts.environment),
        args=expand_all(container.args, parts.environment),
        working_dir=container.working_dir,
        environment=tuple({**parts.handed.environment, **parts.environment}.items()),
        mounts=_mounts(container, parts),
        devices=(*parts.handed.devices, *parts.block_devices),
        labels={**pod_labels(pod), CONTAINER_NAME: container.name},
        annotations=_annotations(pod, container),
        log_path=f"{container.name}/{attempt}.log",
        stdin=container.stdin,
        stdin_once=container.stdin_once,
        tty=container.tty,
        cpu_shares=cpu_shares(container),
        cpu_quota=cpu_quota(container),
        cpu_period=CPU_PERIOD,
        memory_limit=memory_limit(container),
        swap_limit=memory_limit(container) if facts.node.has_cgroup_v2 else 0,
        hugepages=container_hugepages(container, facts.node.page_sizes),
        unified=_KILLED_TOGETHER if facts.node.has_cgroup_v2 else {},
        oom_score_adj=oom_score_adj(pod, container, facts.node.memory_capacity),
        privileged=bool(rights.privileged),
        read_only_root=bool(rights.read_only_root_filesystem),
        no_new_privileges=rights.allow_privilege_escalation is False,
        run_as_user=user,
        run_as_group=group,
        supplemental_groups=tuple(dict.fromkeys((*groups_of(pod_rights), *parts.handed.groups))),
        strict_groups=has_strict_groups(pod),
        unmasked_proc=rights.proc_mount == "Unmasked",
        seccomp=seccomp(pod, container, facts.node.seccomp_profiles),
        apparmor=apparmor(pod, container),
        selinux=selinux(pod, container),
        add_capabilities=capabilities.add,
        drop_capabilities=capabilities.drop,
    )


def _annotations(pod: Pod, container: Container) -> dict[str, str]:
    kept = {SPEC_HASH: spec_hash(container), RESOURCES: msgspec.json.encode(container.resources).decode()}
    if container.lifecycle and container.lifecycle.pre_stop:
        kept[PRE_STOP] = msgspec.json.encode(container.lifecycle.pre_stop).decode()
    if container.lifecycle and container.lifecycle.stop_signal:
        kept[STOP_SIGNAL] = container.lifecycle.stop_signal
    if is_sidecar(pod, container):
        kept[SIDECAR] = str([one.name for one in pod.spec.init_containers].index(container.name))
    return kept


def kept_pre_stop(annotations: Mapping[str, str]) -> LifecycleHandler | None:
    """The `preStop` that was kept at a container."""
    text = annotations.get(PRE_STOP)
    return msgspec.json.decode(text, type=LifecycleHandler) if text else None


def _refuse_root(pod: Pod, container: Container, user: int | None, image_user: str) -> None:
    """`runAsNonRoot` is kept before the container is made: the image's user counts where the spec names none."""
    rights, pod_rights = container.security_context, pod.spec.security_context
    own = rights.run_as_non_root if rights else None
    non_root = own if own is not None else (pod_rights.run_as_non_root if pod_rights else None)
    if not non_root:
        return
    meta = pod.metadata
    where = f'(pod: "{meta.name}_{meta.namespace}({meta.uid})", container: {container.name})'
    if user == 0:
        raise Refusal(f"container's runAsUser breaks non-root policy {where}")
    name = image_user.partition(":")[0]
    if user is None and name and not name.isdecimal():
        raise Refusal(
            f"container has runAsNonRoot and image has non-numeric user ({name}), "
            f"cannot verify user is non-root {where}"
        )
    if user is None and int(name or 0) == 0:
        raise Refusal(f"container has runAsNonRoot and image will run as root {where}")


def _mounts(container: Container, parts: Parts) -> tuple[Mount, ...]:
    mounts = [
        Mount(
            host_path=path,
            container_path=_absolute(mount),
            read_only=mount.read_only or mount.name in parts.read_only_volumes,
            propagation=mount.mount_propagation or "None",
            relabel=mount.name in parts.relabelled,
        )
        for mount, path in zip(container.volume_mounts, parts.volumes, strict=True)
    ]
    mounts += parts.handed.mounts
    if all(mount.container_path != HOSTS for mount in mounts):
        mounts.append(Mount(host_path=parts.hosts, container_path=HOSTS))
    message_path = container.termination_message_path or DEFAULT_MESSAGE_PATH
    mounts.append(Mount(host_path=parts.termination_message, container_path=message_path))
    return tuple(mounts)


def _absolute(mount: VolumeMount) -> str:
    return mount.mount_path if mount.mount_path.startswith("/") else f"/{mount.mount_path}"
