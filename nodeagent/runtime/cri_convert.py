"""Between the interface's values and CRI's messages. Pure: what containerd is asked is decided here."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

import msgspec
from msgspec import field

from nodeagent.runtime.interface import (
    Container,
    ContainerConfig,
    ContainerUsage,
    Features,
    Image,
    Mount,
    PortMapping,
    Profile,
    Resources,
    Sandbox,
    SandboxConfig,
    SELinuxLabel,
    State,
    UserRange,
)
from nodeagent.runtime.proto import cri_pb2 as cri

NODE_LABEL = "wherry.dev/node"
"""On every sandbox and container of ours; the value is the node's name."""

# What a container must not see or change of the kernel: the kubelet's `procMount: Default`.
MASKED_PATHS = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
)
READ_ONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")

_PROPAGATION: Mapping[str, cri.MountPropagation] = {
    "None": cri.PROPAGATION_PRIVATE,
    "HostToContainer": cri.PROPAGATION_HOST_TO_CONTAINER,
    "Bidirectional": cri.PROPAGATION_BIDIRECTIONAL,
}
_PROFILES: Mapping[str, cri.SecurityProfile.ProfileType] = {
    "RuntimeDefault": cri.SecurityProfile.RuntimeDefault,
    "Unconfined": cri.SecurityProfile.Unconfined,
    "Localhost": cri.SecurityProfile.Localhost,
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
    snapshotter: str = "overlayfs"


class _CriInfo(msgspec.Struct):
    containerd: _ContainerdInfo = field(default_factory=_ContainerdInfo)
    sandbox_image: str = field(name="sandboxImage", default="")


def cgroup_parent(root: str, uid: str, systemd: bool, quality: str = "") -> str:
    """The cgroup of a pod: a path for the cgroupfs driver, the name of a slice for systemd's.

    `quality`: the cgroup around all pods of a class, `burstable` or `besteffort`.
    """
    if systemd:
        # A dash in a slice's name makes a level of the tree.
        names = (name for name in (root.replace("-", "_"), quality, f"pod{uid.replace('-', '_')}") if name)
        return f"{'-'.join(names)}.slice"
    return "/" + "/".join(name for name in (root, quality, f"pod{uid}") if name)


def cgroup_path(parent: str) -> str:
    """Where below a hierarchy the cgroup of that name lies: a slice lies in the slices that its name begins with."""
    if not parent.endswith(".slice"):
        return parent
    words = parent.removesuffix(".slice").split("-")
    return "/" + "/".join("-".join(words[: count + 1]) + ".slice" for count in range(len(words)))


def snapshotter(info: str) -> str:
    """Where images are unpacked, from the same configuration."""
    return msgspec.json.decode(info, type=_CriInfo).containerd.snapshotter


def uses_systemd_cgroups(info: str) -> bool:
    """From the configuration that CRI's verbose status holds, as JSON."""
    config = msgspec.json.decode(info, type=_CriInfo)
    runtime = config.containerd.runtimes.get(config.containerd.default_runtime)
    return runtime is not None and (runtime.options or {}).get("SystemdCgroup") is True


def sandbox_image(info: str) -> str:
    """What sandboxes run, from the same configuration; empty where it does not tell."""
    return msgspec.json.decode(info, type=_CriInfo).sandbox_image


class _SandboxInfo(msgspec.Struct):
    pid: int = 0


def sandbox_pid(info: str) -> int:
    """The process that holds the sandbox's namespaces, from the verbose status; 0 where there is none (any more)."""
    return msgspec.json.decode(info, type=_SandboxInfo).pid


def features_from_cri(status: cri.StatusResponse) -> Features:
    """A containerd before 2.0 says nothing, and can none of it."""
    able = {one.name for one in status.runtime_handlers if one.features.user_namespaces}
    return Features(status.features.supplemental_groups_policy, frozenset(able))


def sandbox_to_cri(config: SandboxConfig, node: str, cgroup_parent: str) -> cri.PodSandboxConfig:
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
            cgroup_parent=cgroup_parent,
            sysctls=config.sysctls,
            security_context=cri.LinuxSandboxSecurityContext(
                namespace_options=namespaces(config),
                privileged=config.privileged,
                readonly_rootfs=config.read_only_root,
                run_as_user=_id(config.run_as_user),
                run_as_group=_id(config.run_as_group if config.run_as_user is not None else None),
                supplemental_groups=config.supplemental_groups,
                supplemental_groups_policy=_groups_policy(config.strict_groups),
                # The least that its own process needs, whatever the containers are given.
                seccomp=_profile(Profile("Unconfined" if config.privileged else "RuntimeDefault")),
                selinux_options=_selinux(config.selinux),
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
        userns_options=None if config.users is None else _user_namespace(config.users),
    )


def _user_namespace(users: UserRange) -> cri.UserNamespace:
    ids = [cri.IDMapping(host_id=users.first, container_id=0, length=users.length)]
    return cri.UserNamespace(mode=cri.POD, uids=ids, gids=ids)


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
        mounts=[_mount(mount, sandbox.users) for mount in config.mounts],
        devices=[
            cri.Device(host_path=one.host_path, container_path=one.container_path, permissions=one.permissions)
            for one in config.devices
        ],
        labels={**config.labels, NODE_LABEL: node},
        annotations=config.annotations,
        log_path=config.log_path,
        stdin=config.stdin,
        stdin_once=config.stdin_once,
        tty=config.tty,
        linux=cri.LinuxContainerConfig(
            resources=_resources(config),
            security_context=_container_security(config, sandbox),
        ),
    )


def _resources(config: ContainerConfig) -> cri.LinuxContainerResources:
    return cri.LinuxContainerResources(
        cpu_shares=config.cpu_shares,
        cpu_quota=config.cpu_quota,
        cpu_period=config.cpu_period,
        memory_limit_in_bytes=config.memory_limit,
        memory_swap_limit_in_bytes=config.swap_limit,
        oom_score_adj=config.oom_score_adj,
        hugepage_limits=[cri.HugepageLimit(page_size=size, limit=limit) for size, limit in config.hugepages.items()],
        unified=config.unified,
    )


def resize_to_cri(container_id: str, resources: Resources) -> cri.UpdateContainerResourcesRequest:
    return cri.UpdateContainerResourcesRequest(
        container_id=container_id,
        linux=cri.LinuxContainerResources(
            cpu_shares=resources.cpu_shares,
            cpu_quota=resources.cpu_quota,
            cpu_period=resources.cpu_period,
            memory_limit_in_bytes=resources.memory_limit,
            memory_swap_limit_in_bytes=resources.swap_limit,
        ),
    )


def _container_security(config: ContainerConfig, sandbox: SandboxConfig) -> cri.LinuxContainerSecurityContext:
    masked = not (config.privileged or config.unmasked_proc)
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
        supplemental_groups_policy=_groups_policy(config.strict_groups),
        no_new_privs=config.no_new_privileges,
        masked_paths=MASKED_PATHS if masked else (),
        readonly_paths=READ_ONLY_PATHS if masked else (),
        seccomp=_profile(Profile("Unconfined") if config.privileged else config.seccomp),
        apparmor=None if config.apparmor is None else _profile(config.apparmor),
        selinux_options=_selinux(config.selinux),
    )


def _profile(profile: Profile) -> cri.SecurityProfile:
    return cri.SecurityProfile(profile_type=_PROFILES[profile.type], localhost_ref=profile.reference)


def _groups_policy(strict: bool) -> cri.SupplementalGroupsPolicy:
    return cri.Strict if strict else cri.Merge


def _selinux(label: SELinuxLabel | None) -> cri.SELinuxOption | None:
    if label is None:
        return None
    return cri.SELinuxOption(user=label.user, role=label.role, type=label.type, level=label.level)


def _id(value: int | None) -> cri.Int64Value | None:
    return None if value is None else cri.Int64Value(value=value)


def _port(mapping: PortMapping) -> cri.PortMapping:
    return cri.PortMapping(
        protocol=_PROTOCOL[mapping.protocol],
        container_port=mapping.container_port,
        host_port=mapping.host_port,
        host_ip=mapping.host_ip,
    )


def _mount(mount: Mount, users: UserRange | None) -> cri.Mount:
    """In a user namespace files keep the owners that they have on the node: the kernel maps them at the mount."""
    ids = [] if users is None else [cri.IDMapping(host_id=users.first, container_id=0, length=users.length)]
    return cri.Mount(
        container_path=mount.container_path,
        host_path=str(mount.host_path),
        readonly=mount.read_only,
        selinux_relabel=mount.relabel,
        propagation=_PROPAGATION[mount.propagation],
        uidMappings=ids,
        gidMappings=ids,
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
        pinned=image.pinned,
    )


def usages_from_cri(stats: Iterable[cri.ContainerStats]) -> list[ContainerUsage]:
    """One that is just being started or ended has no figures, and is left out."""
    return [
        ContainerUsage(
            container_id=entry.attributes.id,
            taken_at=instant(entry.cpu.timestamp),
            cpu_nanoseconds=entry.cpu.usage_core_nano_seconds.value,
            memory_bytes=entry.memory.working_set_bytes.value,
            writable_bytes=entry.writable_layer.used_bytes.value,
            writable_inodes=entry.writable_layer.inodes_used.value,
        )
        for entry in stats
        if entry.cpu.timestamp
    ]


def instant(nanoseconds: int) -> datetime:
    # Not `fromtimestamp` of a float: that would round, and two reads of one time must be equal.
    return _EPOCH + timedelta(microseconds=nanoseconds // 1000)


def _instant_or_none(nanoseconds: int) -> datetime | None:
    return instant(nanoseconds) if nanoseconds > 0 else None
