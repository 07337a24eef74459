"""Rules of the containers of a pod."""

from collections.abc import Collection, Iterable

from schemas import names
from schemas.core.container import Container, ContainerPort, VolumeMount
from schemas.core.pod import PodSpec
from schemas.faults import Path
from schemas.validation import address, environment, probe, resources, security
from schemas.validation.report import (
    Faults,
    duplicate,
    forbidden,
    invalid,
    not_found,
    one_of,
    port_number,
    required,
    too_many,
    unsupported,
    well_formed,
    written_as,
)

MOST_RULES, MOST_EXIT_CODES = 20, 255
RULE_ACTIONS = ("Restart", "RestartAllContainers")
_PROTOCOLS = ("SCTP", "TCP", "UDP")


def containers(path: Path, spec: PodSpec) -> Faults:
    """Of a pod's spec at `path`: init containers, then the others."""
    volumes = frozenset(volume.name for volume in spec.volumes)
    if not spec.containers:
        yield required((*path, "containers"))
    for index, container in enumerate(spec.init_containers):
        at = (*path, "initContainers", index)
        yield from _container(at, container, spec, volumes)
        if container.restart_policy != "Always":
            yield from _plain_init(at, container)
        yield from _host_ports(at, (container,))
    for index, container in enumerate(spec.containers):
        yield from _container((*path, "containers", index), container, spec, volumes)
    yield from _host_ports((*path, "containers"), spec.containers, indexed=True)
    yield from _unique_names(path, spec)


def _unique_names(path: Path, spec: PodSpec) -> Faults:
    seen: set[str] = set()
    for field, listed in (("containers", spec.containers), ("initContainers", spec.init_containers)):
        for index, container in enumerate(listed):
            if container.name and container.name in seen:
                yield duplicate((*path, field, index, "name"), container.name)
            seen.add(container.name)


def _container(path: Path, container: Container, spec: PodSpec, volumes: Collection[str]) -> Faults:
    if not container.name:
        yield required((*path, "name"))
    else:
        yield from well_formed((*path, "name"), container.name, names.dns1123_label)
    if not container.image:
        yield required((*path, "image"))
    elif container.image != container.image.strip():
        yield invalid((*path, "image"), container.image, "must not have leading or trailing whitespace")
    yield from one_of((*path, "imagePullPolicy"), container.image_pull_policy, ("Always", "IfNotPresent", "Never"))
    termination_policies = ("File", "FallbackToLogsOnError")
    yield from one_of((*path, "terminationMessagePolicy"), container.termination_message_policy, termination_policies)
    yield from _restarts(path, container)
    yield from _ports((*path, "ports"), container.ports, spec.host_network)
    yield from environment.variables((*path, "env"), container.env)
    yield from environment.sources((*path, "envFrom"), container.env_from)
    yield from resources.resources((*path, "resources"), container.resources)
    yield from resources.resize_policies((*path, "resizePolicy"), container.resize_policy)
    yield from _mounts((*path, "volumeMounts"), container, volumes)
    yield from probe.probes(path, container.liveness_probe, container.readiness_probe, container.startup_probe)
    if container.lifecycle is not None:
        grace = spec.termination_grace_period_seconds
        yield from probe.lifecycle((*path, "lifecycle"), container.lifecycle, grace)
    if container.security_context is not None:
        yield from security.container((*path, "securityContext"), container.security_context)


def _restarts(path: Path, container: Container) -> Faults:
    """`restartPolicy` and its rules by exit code (KEP-5307, KEP-5532)."""
    at = (*path, "restartPolicyRules")
    yield from one_of((*path, "restartPolicy"), container.restart_policy, ("Always", "Never", "OnFailure"))
    if container.restart_policy_rules and not container.restart_policy:
        yield required((*path, "restartPolicy"), "must specify restartPolicy when restart rules are used")
    if len(container.restart_policy_rules) > MOST_RULES:
        yield too_many(at, len(container.restart_policy_rules), MOST_RULES)
    for index, rule in enumerate(container.restart_policy_rules):
        if rule.action not in RULE_ACTIONS:
            yield unsupported((*at, index, "action"), rule.action, RULE_ACTIONS)
        if rule.exit_codes is None:
            yield required((*at, index, "exitCodes"), "must be specified")
            continue
        where = (*at, index, "exitCodes")
        if rule.exit_codes.operator not in ("In", "NotIn"):
            yield unsupported((*where, "operator"), rule.exit_codes.operator, ("In", "NotIn"))
        if len(rule.exit_codes.values) > MOST_EXIT_CODES:
            yield too_many((*where, "values"), len(rule.exit_codes.values), MOST_EXIT_CODES)


def _plain_init(path: Path, container: Container) -> Faults:
    for field, value in (
        ("lifecycle", container.lifecycle),
        ("livenessProbe", container.liveness_probe),
        ("readinessProbe", container.readiness_probe),
        ("startupProbe", container.startup_probe),
    ):
        if value is not None:
            yield forbidden((*path, field), "may not be set for init containers without restartPolicy=Always")


def _ports(path: Path, ports: Iterable[ContainerPort], host_network: bool) -> Faults:
    seen: set[str] = set()
    for index, port in enumerate(ports):
        at = (*path, index)
        if port.name:
            yield from well_formed((*at, "name"), port.name, names.port_name)
            if port.name in seen:
                yield duplicate((*at, "name"), port.name)
            seen.add(port.name)
        if port.container_port == 0:
            yield required((*at, "containerPort"))
        else:
            yield from port_number((*at, "containerPort"), port.container_port)
        if port.host_port:
            yield from port_number((*at, "hostPort"), port.host_port)
            if host_network and port.host_port != port.container_port:
                sentence = "must match `containerPort` when `hostNetwork` is true"
                yield invalid((*at, "hostPort"), port.host_port, sentence)
        if port.host_ip:
            yield from address.address((*at, "hostIP"), port.host_ip)
        yield from one_of((*at, "protocol"), port.protocol, _PROTOCOLS)


def _host_ports(path: Path, listed: Iterable[Container], *, indexed: bool = False) -> Faults:
    """A port of the node is taken once in a pod (an init container has come and gone, so it counts alone)."""
    taken: set[str] = set()
    for position, container in enumerate(listed):
        for index, port in enumerate(container.ports):
            key = f"{port.protocol or 'TCP'}/{port.host_ip}/{port.host_port}"
            if port.host_port and key in taken:
                at = (*path, position) if indexed else path
                yield duplicate((*at, "ports", index, "hostPort"), key)
            taken.add(key)


def _mounts(path: Path, container: Container, volumes: Collection[str]) -> Faults:
    seen: set[str] = set()
    privileged = container.security_context is not None and bool(container.security_context.privileged)
    for index, mount in enumerate(container.volume_mounts):
        at = (*path, index)
        if not mount.name:
            yield required((*at, "name"))
        elif mount.name not in volumes:
            yield not_found((*at, "name"), mount.name)
        if not mount.mount_path:
            yield required((*at, "mountPath"))
        elif mount.mount_path in seen:
            yield invalid((*at, "mountPath"), mount.mount_path, "must be unique")
        seen.add(mount.mount_path)
        yield from _sub_path(at, mount)
        propagations = ("Bidirectional", "HostToContainer", "None")
        yield from one_of((*at, "mountPropagation"), mount.mount_propagation, propagations)
        if mount.mount_propagation == "Bidirectional" and not privileged:
            sentence = "Bidirectional mount propagation is available only to privileged containers"
            yield forbidden((*at, "mountPropagation"), sentence)
        recursive = ("Disabled", "Enabled", "IfPossible")
        yield from one_of((*at, "recursiveReadOnly"), mount.recursive_read_only, recursive)


def _sub_path(path: Path, mount: VolumeMount) -> Faults:
    if mount.sub_path and mount.sub_path_expr:
        sentence = "subPathExpr and subPath are mutually exclusive"
        yield invalid((*path, "subPathExpr"), mount.sub_path_expr, sentence)
    for field, value in (("subPath", mount.sub_path), ("subPathExpr", mount.sub_path_expr)):
        if value:
            yield from written_as((*path[:-1], field), local_path((*path, field), value))


def local_path(path: Path, text: str) -> Faults:
    """A path that cannot leave the volume that it is in."""
    if text.startswith("/"):
        yield invalid(path, text, "must be a relative path")
    yield from no_way_up(path, text)


def no_way_up(path: Path, text: str) -> Faults:
    if ".." in text.replace("\\", "/").split("/"):
        yield invalid(path, text, "must not contain '..'")
