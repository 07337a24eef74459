"""Rules of a pod, and of the pod in a template."""

from schemas import names
from schemas.core.pod import Pod, PodDNSConfig, PodSpec
from schemas.faults import Fault, Path
from schemas.validation import address, nodeloss, scheduling, security
from schemas.validation.container import containers
from schemas.validation.report import (
    Faults,
    between,
    forbidden,
    invalid,
    one_of,
    required,
    unsupported,
    well_formed,
)
from schemas.validation.volumes import volumes

RESTART_POLICIES = ("Always", "OnFailure", "Never")
_DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")


def pod(declared: Pod) -> Faults:
    yield from nodeloss.annotations(("metadata", "annotations"), declared.metadata.annotations)
    yield from pod_spec(("spec",), declared.spec)


def pod_spec(path: Path, spec: PodSpec) -> Faults:
    yield from volumes((*path, "volumes"), spec.volumes)
    yield from containers(path, spec)
    yield from one_of((*path, "restartPolicy"), spec.restart_policy, RESTART_POLICIES)
    yield from between((*path, "activeDeadlineSeconds"), spec.active_deadline_seconds, 1, 2**31 - 1)
    yield from _names(path, spec)
    yield from _dns(path, spec)
    yield from scheduling.scheduling(path, spec)
    yield from _host(path, spec)
    for index, alias in enumerate(spec.host_aliases):
        yield from address.address((*path, "hostAliases", index, "ip"), alias.ip)
        for name in alias.hostnames:
            yield from well_formed((*path, "hostAliases", index, "hostnames"), name, names.dns1123_subdomain)
    for index, gate in enumerate(spec.readiness_gates):
        at = (*path, "readinessGates", index, "conditionType")
        yield from well_formed(at, gate.condition_type, names.qualified_name)
    for index, secret in enumerate(spec.image_pull_secrets):
        if not secret.name:
            yield Fault((*path, "imagePullSecrets", index, "name"), 'invalid empty name ""', "warning")


def _names(path: Path, spec: PodSpec) -> Faults:
    for field, text, rule in (
        ("hostname", spec.hostname, names.dns1123_label),
        ("subdomain", spec.subdomain, names.dns1123_label),
        ("nodeName", spec.node_name, names.dns1123_subdomain),
        ("serviceAccountName", spec.service_account_name, names.dns1123_subdomain),
        ("priorityClassName", spec.priority_class_name, names.dns1123_subdomain),
        ("runtimeClassName", spec.runtime_class_name, names.dns1123_subdomain),
        ("schedulerName", spec.scheduler_name, names.dns1123_subdomain),
    ):
        if text:
            yield from well_formed((*path, field), text, rule)


def _dns(path: Path, spec: PodSpec) -> Faults:
    yield from one_of((*path, "dnsPolicy"), spec.dns_policy, _DNS_POLICIES)
    if spec.dns_config is not None:
        yield from _dns_config((*path, "dnsConfig"), spec.dns_config)
    if spec.dns_policy == "None":
        if spec.dns_config is None:
            yield required((*path, "dnsConfig"), "must provide `dnsConfig` when `dnsPolicy` is None")
        elif not spec.dns_config.nameservers:
            sentence = "must provide at least one DNS nameserver when `dnsPolicy` is None"
            yield required((*path, "dnsConfig", "nameservers"), sentence)


def _dns_config(path: Path, config: PodDNSConfig) -> Faults:
    if len(config.nameservers) > 3:
        yield invalid((*path, "nameservers"), config.nameservers, "must not have more than 3 nameservers")
    for index, nameserver in enumerate(config.nameservers):
        yield from address.address((*path, "nameservers", index), nameserver)
    if len(config.searches) > 32:
        yield invalid((*path, "searches"), config.searches, "must not have more than 32 search paths")
    for index, search in enumerate(config.searches):
        if search != ".":
            bare = search.removesuffix(".").replace("_", "-")
            yield from well_formed((*path, "searches", index), bare, names.dns1123_subdomain)
    for index, option in enumerate(config.options):
        if not option.name:
            yield required((*path, "options", index), "must not be empty")


def _host(path: Path, spec: PodSpec) -> Faults:
    at = (*path, "securityContext")
    if spec.security_context is not None:
        yield from security.pod(at, spec.security_context, host_network=spec.host_network, host_ipc=spec.host_ipc)
    if spec.host_pid and spec.share_process_namespace:
        sentence = "ShareProcessNamespace and HostPID cannot both be enabled"
        yield invalid((*at, "shareProcessNamespace"), True, sentence)
    if spec.os is None:
        return
    if spec.os.name not in ("linux", "windows"):
        yield unsupported((*path, "os"), spec.os.name, ("linux", "windows"))
    if spec.os.name == "windows":
        for field, value in (
            ("hostPID", spec.host_pid),
            ("hostIPC", spec.host_ipc),
            ("shareProcessNamespace", spec.share_process_namespace),
        ):
            if value:
                yield forbidden((*path, field), "cannot be set for a windows pod")
