from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodeagent.runtime import cri_convert as convert
from nodeagent.runtime.interface import (
    ContainerConfig,
    Device,
    Features,
    Mount,
    PortMapping,
    Profile,
    SandboxConfig,
    SELinuxLabel,
    State,
    UserRange,
)
from nodeagent.runtime.proto import cri_pb2 as cri

SANDBOX = SandboxConfig(
    uid="11-22", namespace="default", name="web", attempt=2, hostname="web", log_directory=Path("/logs")
)
CONTAINER = ContainerConfig(name="main", attempt=1, image="sha256:00")


def sandbox(**changes: object) -> cri.PodSandboxConfig:
    return convert.sandbox_to_cri(msgspec.structs.replace(SANDBOX, **changes), "edge-1", "/wherry/pod11-22")


def container(pod: SandboxConfig = SANDBOX, **changes: object) -> cri.ContainerConfig:
    return convert.container_to_cri(msgspec.structs.replace(CONTAINER, **changes), pod, "edge-1")


def test_everything_we_make_bears_the_nodes_name() -> None:
    assert dict(sandbox(labels={"a": "b"}).labels) == {"a": "b", "wherry.dev/node": "edge-1"}
    assert dict(container(labels={"wherry.dev/node": "forged"}).labels) == {"wherry.dev/node": "edge-1"}


def test_a_pod_has_namespaces_of_its_own_unless_it_asks_for_others() -> None:
    own = sandbox().linux.security_context.namespace_options
    assert (own.network, own.pid, own.ipc) == (cri.POD, cri.CONTAINER, cri.POD)
    hosts = sandbox(host_network=True, host_pid=True, host_ipc=True).linux.security_context.namespace_options
    assert (hosts.network, hosts.pid, hosts.ipc) == (cri.NODE, cri.NODE, cri.NODE)
    shared = sandbox(share_process_namespace=True).linux.security_context.namespace_options
    assert shared.pid == cri.POD


def test_containers_join_the_namespaces_of_their_sandbox() -> None:
    pod = msgspec.structs.replace(SANDBOX, host_network=True)
    assert container(pod).linux.security_context.namespace_options.network == cri.NODE


def test_a_pod_on_the_nodes_network_has_the_nodes_name() -> None:
    assert (sandbox().hostname, sandbox(host_network=True).hostname) == ("web", "")


def test_without_dns_settings_the_nodes_own_count() -> None:
    assert not sandbox().HasField("dns_config")
    assert list(sandbox(dns_options=("ndots:5",)).dns_config.options) == ["ndots:5"]


def test_a_group_is_not_sent_without_a_user() -> None:
    alone = container(run_as_group=5).linux.security_context
    assert not alone.HasField("run_as_group")
    both = container(run_as_user=0, run_as_group=5).linux.security_context
    assert (both.HasField("run_as_user"), both.run_as_user.value, both.run_as_group.value) == (True, 0, 5)


def test_only_a_privileged_container_sees_all_of_the_kernel() -> None:
    usual, privileged = container().linux.security_context, container(privileged=True).linux.security_context
    assert "/proc/kcore" in usual.masked_paths
    assert "/proc/sys" in usual.readonly_paths
    assert usual.seccomp.profile_type == cri.SecurityProfile.RuntimeDefault
    assert list(privileged.masked_paths) == list(privileged.readonly_paths) == []
    assert privileged.seccomp.profile_type == cri.SecurityProfile.Unconfined


@pytest.mark.parametrize(
    ("propagation", "sent"),
    [
        ("None", cri.PROPAGATION_PRIVATE),
        ("HostToContainer", cri.PROPAGATION_HOST_TO_CONTAINER),
        ("Bidirectional", cri.PROPAGATION_BIDIRECTIONAL),
    ],
)
def test_mounts_are_propagated_as_the_api_says(propagation: str, sent: int) -> None:
    mount = Mount(host_path=Path("/a"), container_path="/b", read_only=True, propagation=propagation)
    (made,) = container(mounts=(mount,)).mounts
    assert (made.host_path, made.container_path, made.readonly, made.propagation) == ("/a", "/b", True, sent)


def test_ports_keep_protocol_and_address() -> None:
    (port,) = sandbox(port_mappings=(PortMapping(53, 5353, "UDP", "10.0.0.1"),)).port_mappings
    assert (port.container_port, port.host_port, port.protocol, port.host_ip) == (53, 5353, cri.UDP, "10.0.0.1")


@pytest.mark.parametrize(("systemd", "parent"), [(False, "/wherry-1a/podab-cd"), (True, "wherry_1a-podab_cd.slice")])
def test_a_pods_cgroup_is_named_as_the_driver_wants_it(systemd: bool, parent: str) -> None:
    assert convert.cgroup_parent("wherry-1a", "ab-cd", systemd) == parent


@pytest.mark.parametrize(
    ("info", "systemd"),
    [
        ("{}", False),
        ('{"containerd":{"runtimes":{"runc":{"options":{"SystemdCgroup":true}}}}}', True),
        ('{"containerd":{"runtimes":{"runc":{"options":null}}}}', False),
        ('{"containerd":{"defaultRuntimeName":"x","runtimes":{"runc":{"options":{"SystemdCgroup":true}}}}}', False),
    ],
)
def test_containerds_configuration_tells_its_cgroup_driver(info: str, systemd: bool) -> None:
    assert convert.uses_systemd_cgroups(info) == systemd


def test_a_containers_status_is_read_whole() -> None:
    status = cri.ContainerStatus(
        id="c",
        metadata=cri.ContainerMetadata(name="main", attempt=3),
        state=cri.CONTAINER_EXITED,
        created_at=1_000_000_000,
        started_at=2_000_000_000,
        finished_at=3_000_000_000,
        exit_code=137,
        reason="OOMKilled",
        image_ref="sha256:00",
    )
    read = convert.container_from_cri(status, "s")
    assert (read.id, read.sandbox_id, read.name, read.attempt, read.state) == ("c", "s", "main", 3, State.EXITED)
    assert (read.exit_code, read.reason, read.image_id) == (137, "OOMKilled", "sha256:00")
    assert read.finished_at == datetime(1970, 1, 1, 0, 0, 3, tzinfo=UTC)
    status.started_at = status.finished_at = 0
    created = convert.container_from_cri(status, "s")
    assert (created.started_at, created.finished_at) == (None, None)


@pytest.mark.parametrize(("shared", "mode"), [(False, cri.TARGET), (True, cri.POD)], ids=["own", "shared by the pod"])
def test_a_debugger_sees_the_processes_of_its_target(shared: bool, mode: cri.NamespaceMode) -> None:
    pod = msgspec.structs.replace(SANDBOX, share_process_namespace=shared)
    made = container(pod, pid_of="c1")
    found = made.linux.security_context.namespace_options
    assert (found.pid, found.target_id) == (mode, "c1" if mode == cri.TARGET else "")


def test_a_sandbox_has_its_primary_address_first() -> None:
    network = cri.PodSandboxNetworkStatus(ip="10.0.0.2", additional_ips=[cri.PodIP(ip="fd00::2")])
    status = cri.PodSandboxStatus(id="s", state=cri.SANDBOX_READY, network=network)
    assert convert.sandbox_from_cri(status).ips == ("10.0.0.2", "fd00::2")
    assert convert.sandbox_from_cri(cri.PodSandboxStatus(id="s", state=cri.SANDBOX_NOTREADY)).ips == ()


@pytest.mark.parametrize(
    ("image", "user"),
    [
        (cri.Image(id="i"), ""),
        (cri.Image(id="i", username="www"), "www"),
        (cri.Image(id="i", uid=cri.Int64Value(value=0)), "0"),
    ],
)
def test_an_images_user_is_a_number_a_name_or_none(image: cri.Image, user: str) -> None:
    assert convert.image_from_cri(image).user == user


def test_a_container_without_figures_is_left_out() -> None:
    assert convert.usages_from_cri([cri.ContainerStats(attributes=cri.ContainerAttributes(id="new"))]) == []


@settings(max_examples=50)
@given(st.integers(min_value=0, max_value=4_000_000_000_000_000_000))
def test_times_keep_their_order_and_their_microsecond(nanoseconds: int) -> None:
    assert convert.instant(nanoseconds) <= convert.instant(nanoseconds + 1)
    delta = convert.instant(nanoseconds) - datetime(1970, 1, 1, tzinfo=UTC)
    assert (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds == nanoseconds // 1000


def test_a_container_is_confined_as_it_asks() -> None:
    asked = container(
        seccomp=Profile("Localhost", "/p.json"),
        apparmor=Profile("Localhost", "narrow"),
        selinux=SELinuxLabel(type="t"),
        strict_groups=True,
        unmasked_proc=True,
    ).linux.security_context
    assert (asked.seccomp.profile_type, asked.seccomp.localhost_ref) == (cri.SecurityProfile.Localhost, "/p.json")
    assert (asked.apparmor.profile_type, asked.apparmor.localhost_ref) == (cri.SecurityProfile.Localhost, "narrow")
    assert asked.selinux_options.type == "t"
    assert asked.supplemental_groups_policy == cri.Strict
    assert not asked.masked_paths
    assert not asked.readonly_paths


def test_without_a_word_a_container_has_the_runtimes_profiles() -> None:
    plain = container().linux.security_context
    assert plain.seccomp.profile_type == cri.SecurityProfile.RuntimeDefault
    assert not plain.HasField("apparmor")
    assert not plain.HasField("selinux_options")
    assert "/proc/kcore" in plain.masked_paths
    privileged = container(privileged=True).linux.security_context
    assert privileged.seccomp.profile_type == cri.SecurityProfile.Unconfined


def test_a_pod_with_users_of_its_own_is_mapped_and_so_are_its_mounts() -> None:
    pod = msgspec.structs.replace(SANDBOX, users=UserRange(131072, 65536))
    options = convert.namespaces(pod).userns_options
    assert (options.mode, [(one.host_id, one.container_id, one.length) for one in options.uids]) == (
        cri.POD,
        [(131072, 0, 65536)],
    )
    made = container(pod, mounts=(Mount(host_path=Path("/a"), container_path="/b"),))
    assert made.mounts[0].uidMappings == options.uids
    assert made.linux.security_context.namespace_options.userns_options == options
    assert not convert.namespaces(SANDBOX).HasField("userns_options")


def test_devices_and_limits_come_to_the_runtime() -> None:
    made = container(
        devices=(Device("/dev/x", "/dev/y", "r"),),
        hugepages={"2MB": 4},
        unified={"memory.oom.group": "1"},
        swap_limit=7,
    )
    assert [(one.host_path, one.container_path, one.permissions) for one in made.devices] == [("/dev/x", "/dev/y", "r")]
    resources = made.linux.resources
    assert [(one.page_size, one.limit) for one in resources.hugepage_limits] == [("2MB", 4)]
    assert dict(resources.unified) == {"memory.oom.group": "1"}
    assert resources.memory_swap_limit_in_bytes == 7


def test_what_a_runtime_can_is_what_it_says() -> None:
    assert convert.features_from_cri(cri.StatusResponse()) == Features()
    modern = cri.StatusResponse(
        runtime_handlers=[
            cri.RuntimeHandler(name="runc", features=cri.RuntimeHandlerFeatures(user_namespaces=True)),
            cri.RuntimeHandler(name="kata"),
        ],
        features=cri.RuntimeFeatures(supplemental_groups_policy=True),
    )
    assert convert.features_from_cri(modern) == Features(True, frozenset({"runc"}))
