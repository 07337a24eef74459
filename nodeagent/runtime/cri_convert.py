"""Between the interface's values and CRI's messages. Pure: what containerd is asked is decided here."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

import msgspec
from msgspec import field

from nodeagent.runtime.interface import (
    Container,
    ContainerConfig,
    ContainerUsage,
    Image,
    Mount,
    PortMapping,
    Sandbox,
    SandboxConfig,
    State,
)
from nodeagent.runtime.proto import cri_pb2 as cri

NODE_LABEL = "wherry.dev/node"
"""On every sandbox and container of ours; the value is the node's name."""

# What a container must not see or change of the kernel: the kubelet's `procMount: Default`.
MASKED_PATHS = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/firmware",
)
READ_ONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")

_PROPAGATION: Mapping[str, cri.MountPropagation] = {
    "None": cri.PROPAGATION_PRIVATE,
    "HostToContainer": cri.PROPAGATION_HOST_TO_CONTAINER,
    "Bidirectional": cri.PROPAGATION_BIDIRECTIONAL,
}
_PROTOCOL: Mapping[str, cri.Protocol] = {"TCP": cri.TCP, "UDP": cri.UDP, "SCTP": cri.SCTP}
_STATE: Mapping[int, State] = {
    cri.CONTAINER_CREATED: State.CREATED,
    cri.CONTAINER_RUNNING: State.RUNNING,
    cri.CONTAINER_EXITED: State.EXITED,
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _RuntimeInfo(msgspec.Struct):
    options: dict[str, object] | None = None


class _ContainerdInfo(msgspec.Struct):
    default_runtime: str = field(name="defaultRuntimeName", default="runc")
    runtimes: dict[str, _RuntimeInfo] = field(default_factory=dict)


class _CriInfo(msgspec.Struct):
    containerd: _ContainerdInfo = field(default_factory=_ContainerdInfo)


def cgroup_parent(root: str, uid: str, systemd: bool) -> str:
    """The cgroup of a pod: a path for the cgroupfs driver, the name of a slice for systemd's."""
    if systemd:
        # A dash in a slice's name makes a level of the tree.
        return f"{root.replace('-', '_')}-pod{uid.replace('-', '_')}.slice"
    return f"/{root}/pod{uid}"


def uses_systemd_cgroups(info: str) -> bool:
    """From the configuration that CRI's verbose status holds, as JSON."""
    config = msgspec.json.decode(info, type=_CriInfo)
    runtime = config.containerd.runtimes.get(config.containerd.default_runtime)
    return runtime is not None and (runtime.options or {}).get("SystemdCgroup") is True


class _SandboxInfo(msgspec.Struct):
    pid: int = 0


def sandbox_pid(info: str) -> int:
    """The process that holds the sandbox's namespaces, from the verbose status; 0 where there is none (any more)."""
    return msgspec.json.decode(info, type=_SandboxInfo).pid


def sandbox_to_cri(config: SandboxConfig, node: str, default_cgroup_parent: str) -> cri.PodSandboxConfig:
    result = cri.PodSandboxConfig(
        metadata=cri.PodSandboxMetadata(
            name=config.name, uid=config.uid, namespace=config.namespace, attempt=config.attempt
        ),
        hostname="" if config.host_network else config.hostname,
        log_directory=str(config.log_directory),
        port_mappings=[_port(mapping) for mapping in config.port_mappings],
        labels={**config.labels, NODE_LABEL: node},
        annotations=config.annotations,
        linux=cri.LinuxPodSandboxConfig(
            cgroup_parent=config.cgroup_parent or default_cgroup_parent,
            sysctls=config.sysctls,
            security_context=cri.LinuxSandboxSecurityContext(
                namespace_options=namespaces(config),
                privileged=config.privileged,
                readonly_rootfs=config.read_only_root,
                run_as_user=_id(config.run_as_user),
                run_as_group=_id(config.run_as_group if config.run_as_user is not None else None),
                supplemental_groups=config.supplemental_groups,
                seccomp=_seccomp(config.privileged),
            ),
        ),
    )
    if config.dns_servers or config.dns_searches or config.dns_options:
        # Without it the pod has the node's own /etc/resolv.conf.
        result.dns_config.CopyFrom(
            cri.DNSConfig(servers=config.dns_servers, searches=config.dns_searches, options=config.dns_options)
        )
    return result


def namespaces(config: SandboxConfig) -> cri.NamespaceOption:
    def node_or(host: bool, otherwise: cri.NamespaceMode) -> cri.NamespaceMode:
        return cri.NODE if host else otherwise

    return cri.NamespaceOption(
        network=node_or(config.host_network, cri.POD),
        pid=node_or(config.host_pid, cri.POD if config.share_process_namespace else cri.CONTAINER),
        ipc=node_or(config.host_ipc, cri.POD),
    )


def _of_container(config: ContainerConfig, sandbox: SandboxConfig) -> cri.NamespaceOption:
    found = namespaces(sandbox)
    if config.pid_of and found.pid == cri.CONTAINER:
        found.pid, found.target_id = cri.TARGET, config.pid_of
    return found


def container_to_cri(config: ContainerConfig, sandbox: SandboxConfig, node: str) -> cri.ContainerConfig:
    return cri.ContainerConfig(
        metadata=cri.ContainerMetadata(name=config.name, attempt=config.attempt),
        image=cri.ImageSpec(image=config.image),
        command=config.command,
        args=config.args,
        working_dir=config.working_dir,
        envs=[cri.KeyValue(key=key, value=value) for key, value in config.environment],
        mounts=[_mount(mount) for mount in config.mounts],
        labels={**config.labels, NODE_LABEL: node},
        annotations=config.annotations,
        log_path=config.log_path,
        stdin=config.stdin,
        stdin_once=config.stdin_once,
        tty=config.tty,
        linux=cri.LinuxContainerConfig(
            resources=cri.LinuxContainerResources(
                cpu_shares=config.cpu_shares,
                cpu_quota=config.cpu_quota,
                cpu_period=config.cpu_period,
                memory_limit_in_bytes=config.memory_limit,
                oom_score_adj=config.oom_score_adj,
            ),
            security_context=_container_security(config, sandbox),
        ),
    )


def _container_security(config: ContainerConfig, sandbox: SandboxConfig) -> cri.LinuxContainerSecurityContext:
    return cri.LinuxContainerSecurityContext(
        capabilities=cri.Capability(
            add_capabilities=config.add_capabilities, drop_capabilities=config.drop_capabilities
        ),
        privileged=config.privileged,
        namespace_options=_of_container(config, sandbox),
        run_as_user=_id(config.run_as_user),
        # CRI refuses a group without a user; the image's user has its own group then.
        run_as_group=_id(config.run_as_group if config.run_as_user is not None else None),
        readonly_rootfs=config.read_only_root,
        supplemental_groups=config.supplemental_groups,
        no_new_privs=config.no_new_privileges,
        masked_paths=() if config.privileged else MASKED_PATHS,
        readonly_paths=() if config.privileged else READ_ONLY_PATHS,
        seccomp=_seccomp(config.privileged),
    )


def _seccomp(privileged: bool) -> cri.SecurityProfile:
    kind = cri.SecurityProfile.Unconfined if privileged else cri.SecurityProfile.RuntimeDefault
    return cri.SecurityProfile(profile_type=kind)


def _id(value: int | None) -> cri.Int64Value | None:
    return None if value is None else cri.Int64Value(value=value)


def _port(mapping: PortMapping) -> cri.PortMapping:
    return cri.PortMapping(
        protocol=_PROTOCOL[mapping.protocol],
        container_port=mapping.container_port,
        host_port=mapping.host_port,
        host_ip=mapping.host_ip,
    )


def _mount(mount: Mount) -> cri.Mount:
    return cri.Mount(
        container_path=mount.container_path,
        host_path=str(mount.host_path),
        readonly=mount.read_only,
        propagation=_PROPAGATION[mount.propagation],
    )


def sandbox_from_cri(status: cri.PodSandboxStatus) -> Sandbox:
    ips = (status.network.ip, *(more.ip for more in status.network.additional_ips))
    return Sandbox(
        id=status.id,
        uid=status.metadata.uid,
        namespace=status.metadata.namespace,
        name=status.metadata.name,
        attempt=status.metadata.attempt,
        ready=status.state == cri.SANDBOX_READY,
        created_at=instant(status.created_at),
        ips=tuple(ip for ip in ips if ip),
        labels=dict(status.labels),
        annotations=dict(status.annotations),
    )


def container_from_cri(status: cri.ContainerStatus, sandbox_id: str) -> Container:
    return Container(
        id=status.id,
        sandbox_id=sandbox_id,
        name=status.metadata.name,
        attempt=status.metadata.attempt,
        state=_STATE.get(status.state, State.UNKNOWN),
        image=status.image.image,
        image_id=status.image_ref,
        created_at=instant(status.created_at),
        started_at=_instant_or_none(status.started_at),
        finished_at=_instant_or_none(status.finished_at),
        exit_code=status.exit_code,
        reason=status.reason,
        message=status.message,
        log_path=status.log_path,
        labels=dict(status.labels),
        annotations=dict(status.annotations),
    )


def image_from_cri(image: cri.Image) -> Image:
    return Image(
        id=image.id,
        tags=tuple(image.repo_tags),
        digests=tuple(image.repo_digests),
        size=image.size,
        user=str(image.uid.value) if image.HasField("uid") else image.username,
    )


def usages_from_cri(stats: Iterable[cri.ContainerStats]) -> list[ContainerUsage]:
    """One that is just being started or ended has no figures, and is left out."""
    return [
        ContainerUsage(
            container_id=entry.attributes.id,
            taken_at=instant(entry.cpu.timestamp),
            cpu_nanoseconds=entry.cpu.usage_core_nano_seconds.value,
            memory_bytes=entry.memory.working_set_bytes.value,
        )
        for entry in stats
        if entry.cpu.timestamp
    ]


def instant(nanoseconds: int) -> datetime:
    # Not `fromtimestamp` of a float: that would round, and two reads of one time must be equal.
    return _EPOCH + timedelta(microseconds=nanoseconds // 1000)


def _instant_or_none(nanoseconds: int) -> datetime | None:
    return instant(nanoseconds) if nanoseconds > 0 else None
