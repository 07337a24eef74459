"""The checks of the Pod Security Standards: what a pod does that a level forbids, in Kubernetes' words.

Pure. Each check yields the details that follow its reason; `BASELINE` and `RESTRICTED` say which belong to a level.
https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from itertools import chain
from typing import Any, NamedTuple

from schemas.core.container import Container, EphemeralContainer
from schemas.core.pod import PodSpec
from schemas.core.security import SecurityContext
from schemas.meta import ObjectMeta
from schemas.shape import shape_of
from schemas.sysctls import SAFE

_CAPABILITIES = frozenset(
    ("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP")
) | frozenset(("SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"))
_SELINUX_TYPES = frozenset(("", "container_engine_t", "container_init_t", "container_kvm_t", "container_t"))
_PROFILES = frozenset(("Localhost", "RuntimeDefault"))
_VOLUMES = frozenset(
    (
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "image",
        "persistentVolumeClaim",
        "projected",
        "secret",
    )
)
_APP_ARMOR = "container.apparmor.security.beta.kubernetes.io/"


class Subject(NamedTuple):
    """A pod, or the one in a template."""

    metadata: ObjectMeta
    spec: PodSpec


Check = Callable[[Subject], Iterator[str]]
AnyContainer = Container | EphemeralContainer


def _containers(subject: Subject) -> Iterator[tuple[AnyContainer, SecurityContext]]:
    spec = subject.spec
    containers: tuple[AnyContainer, ...] = (*spec.init_containers, *spec.containers, *spec.ephemeral_containers)
    for container in containers:
        yield container, container.security_context or SecurityContext()


def _quoted(words: Iterable[str]) -> str:
    return ", ".join(f'"{word}"' for word in words)


def _several(word: str, found: Iterable[str]) -> str:
    names = list(found)
    return f"{word if len(names) == 1 else word + 's'} {_quoted(names)}"


def _used(
    kind: str, used: Mapping[str, Set[Any]], word: str, write: Callable[[Any], str] = lambda text: f'"{text}"'
) -> Iterator[str]:
    """Which containers or volumes (`kind`) use what they must not, of what `word` names; `used` says it of each."""
    names, all_of_them = [name for name, found in used.items() if found], sorted({*chain(*used.values())})
    if names:
        verb, end = "uses" if len(names) == 1 else "use", "" if len(all_of_them) == 1 else "s"
        yield f"{_several(kind, names)} {verb} {word}{end} {', '.join(map(write, all_of_them))}"


def _app_armor(subject: Subject) -> Iterator[str]:
    said = []
    pod = subject.spec.security_context
    if pod and pod.app_armor_profile and pod.app_armor_profile.type not in _PROFILES:
        said.append(("pod", pod.app_armor_profile.type))
    named = [
        (container.name, context.app_armor_profile.type)
        for container, context in _containers(subject)
        if context.app_armor_profile and context.app_armor_profile.type not in _PROFILES
    ]
    who = [name for name, _ in said] + ([_several("container", (name for name, _ in named))] if named else [])
    if who:
        values = sorted({value for _, value in (*said, *named)})
        yield f"{' and '.join(who)} must not set AppArmor profile type to {_quoted(values)}"
    wrong = sorted(
        f'{key}="{value}"'
        for key, value in subject.metadata.annotations.items()
        if key.startswith(_APP_ARMOR) and value not in ("", "runtime/default") and not value.startswith("localhost/")
    )
    if wrong:
        yield f"{'annotation' if len(wrong) == 1 else 'annotations'} {', '.join(wrong)}"


def _added(subject: Subject, allowed: frozenset[str]) -> Iterator[str]:
    names, added = [], set()
    for container, context in _containers(subject):
        wrong = set(context.capabilities.add if context.capabilities else ()) - allowed
        if wrong:
            names.append(container.name)
            added |= wrong
    if names:
        yield (
            f"{_several('container', names)} must not include {_quoted(sorted(added))} in "
            "securityContext.capabilities.add"
        )


def _default_capabilities(subject: Subject) -> Iterator[str]:
    yield from _added(subject, _CAPABILITIES)


def _few_capabilities(subject: Subject) -> Iterator[str]:
    keeps = [
        container.name
        for container, context in _containers(subject)
        if context.capabilities is None or "ALL" not in context.capabilities.drop
    ]
    if keeps and not _is_windows(subject):
        yield f'{_several("container", keeps)} must set securityContext.capabilities.drop=["ALL"]'
    yield from _added(subject, frozenset(("NET_BIND_SERVICE",)))


def _host_namespaces(subject: Subject) -> Iterator[str]:
    spec = subject.spec
    named = (("hostNetwork", spec.host_network), ("hostPID", spec.host_pid), ("hostIPC", spec.host_ipc))
    if found := ", ".join(f"{name}=true" for name, is_set in named if is_set):
        yield found


def _host_paths(subject: Subject) -> Iterator[str]:
    found = [volume.name for volume in subject.spec.volumes if volume.host_path is not None]
    if found:
        yield _several("volume", found)


def _host_ports(subject: Subject) -> Iterator[str]:
    ports = {one.name: {port.host_port for port in one.ports if port.host_port} for one, _ in _containers(subject)}
    yield from _used("container", ports, "hostPort", str)


def _hosts_of_probes(subject: Subject) -> Iterator[str]:
    hosts = {one.name: {*_hosts(one)} for one, _ in _containers(subject)}
    yield from _used("container", hosts, "probe or lifecycle host")


def _hosts(container: AnyContainer) -> Iterator[str]:
    lifecycle = container.lifecycle
    handlers = [container.liveness_probe, container.readiness_probe, container.startup_probe]
    hooks = [lifecycle.post_start, lifecycle.pre_stop] if lifecycle else []
    for handler in (*handlers, *hooks):
        for action in (handler.http_get, handler.tcp_socket) if handler else ():
            if action is not None and action.host not in ("", "127.0.0.1", "::1", "localhost"):
                yield action.host


def _privileged(subject: Subject) -> Iterator[str]:
    found = [container.name for container, context in _containers(subject) if context.privileged]
    if found:
        yield f"{_several('container', found)} must not set securityContext.privileged=true"


def _proc_mount(subject: Subject) -> Iterator[str]:
    found = {
        container.name: context.proc_mount
        for container, context in _containers(subject)
        if context.proc_mount not in ("", "Default")
    }
    if found:
        values = _quoted(sorted(set(found.values())))
        yield f"{_several('container', found)} must not set securityContext.procMount to {values}"


def _selinux(subject: Subject) -> Iterator[str]:
    pod = subject.spec.security_context
    given = [("", pod.se_linux_options)] if pod else []
    given += [(container.name, context.se_linux_options) for container, context in _containers(subject)]
    who, types, user, role = [], set(), False, False
    for name, options in given:
        if options is None or not (options.type not in _SELINUX_TYPES or options.user or options.role):
            continue
        who.append(name)
        types |= {options.type} - _SELINUX_TYPES
        user, role = user or bool(options.user), role or bool(options.role)
    if not who:
        return
    named = [name for name in who if name]
    setters = [*(["pod"] if "" in who else []), *([_several("container", named)] if named else [])]
    wrong = [*([_several("type", sorted(types))] if types else [])]
    wrong += ["user may not be set"] * user + ["role may not be set"] * role
    yield f"{' and '.join(setters)} set forbidden securityContext.seLinuxOptions: {'; '.join(wrong)}"


def _profile_types(subject: Subject) -> tuple[str, dict[str, str]]:
    """Of the pod, and of each container, empty where none is set."""
    pod = subject.spec.security_context
    of_pod = pod.seccomp_profile.type if pod and pod.seccomp_profile else ""
    return of_pod, {
        container.name: context.seccomp_profile.type if context.seccomp_profile else ""
        for container, context in _containers(subject)
    }


def _seccomp(subject: Subject) -> Iterator[str]:
    of_pod, of_containers = _profile_types(subject)
    wrong = [name for name, type_ in of_containers.items() if type_ and type_ not in _PROFILES]
    values = {of_containers[name] for name in wrong}
    who = [_several("container", wrong)] if wrong else []
    if of_pod and of_pod not in _PROFILES:
        who.insert(0, "pod")
        values.add(of_pod)
    if who:
        said = _quoted(sorted(values))
        yield f"{' and '.join(who)} must not set securityContext.seccompProfile.type to {said}"


def _some_seccomp(subject: Subject) -> Iterator[str]:
    if any(found := list(_seccomp(subject))):
        yield from found
        return
    of_pod, of_containers = _profile_types(subject)
    unset = [name for name, type_ in of_containers.items() if not type_]
    if unset and not of_pod and not _is_windows(subject):
        must = 'must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'
        yield f"pod or {_several('container', unset)} {must}"


def _sysctls(subject: Subject) -> Iterator[str]:
    pod = subject.spec.security_context
    found = sorted({one.name for one in pod.sysctls} - SAFE) if pod else []
    if found:
        yield ", ".join(found)


def _windows(subject: Subject) -> Iterator[str]:
    pod = subject.spec.security_context
    who = ["pod"] if pod and pod.windows_options and pod.windows_options.host_process else []
    wrong = [
        container.name
        for container, context in _containers(subject)
        if context.windows_options and context.windows_options.host_process
    ]
    who += [_several("container", wrong)] if wrong else []
    if who:
        yield f"{' and '.join(who)} must not set securityContext.windowsOptions.hostProcess=true"


def _escalation(subject: Subject) -> Iterator[str]:
    found = [c.name for c, context in _containers(subject) if context.allow_privilege_escalation is not False]
    if found and not _is_windows(subject):
        yield f"{_several('container', found)} must set securityContext.allowPrivilegeEscalation=false"


def _is_windows(subject: Subject) -> bool:
    return subject.spec.os is not None and subject.spec.os.name == "windows"


def _volume_types(subject: Subject) -> Iterator[str]:
    types = {}
    for volume in subject.spec.volumes:
        fields = shape_of(type(volume)).fields
        given = {name for name, field in fields.items() if getattr(volume, field.attribute) is not None}
        types[volume.name] = given - _VOLUMES - {"name"}
    yield from _used("volume", types, "restricted volume type")


def _non_root(subject: Subject) -> Iterator[str]:
    pod = subject.spec.security_context
    of_pod = pod.run_as_non_root if pod else None
    found = [(container.name, context.run_as_non_root) for container, context in _containers(subject)]
    who = ["pod"] if of_pod is False else []
    wrong = [name for name, value in found if value is False]
    who += [_several("container", wrong)] if wrong else []
    unset = [name for name, value in found if value is None]
    if who:
        yield f"{' and '.join(who)} must not set securityContext.runAsNonRoot=false"
    elif unset and not of_pod:
        yield f"pod or {_several('container', unset)} must set securityContext.runAsNonRoot=true"


def _as_root(subject: Subject) -> Iterator[str]:
    pod = subject.spec.security_context
    who = ["pod"] if pod and pod.run_as_user == 0 else []
    wrong = [container.name for container, context in _containers(subject) if context.run_as_user == 0]
    who += [_several("container", wrong)] if wrong else []
    if who:
        yield f"{' and '.join(who)} must not set runAsUser=0"


BASELINE: Mapping[str, Check] = {
    "forbidden AppArmor profiles": _app_armor,
    "non-default capabilities": _default_capabilities,
    "host namespaces": _host_namespaces,
    "hostPath volumes": _host_paths,
    "hostPort": _host_ports,
    "probe or lifecycle host": _hosts_of_probes,
    "privileged": _privileged,
    "procMount": _proc_mount,
    "seLinuxOptions": _selinux,
    "seccompProfile": _seccomp,
    "forbidden sysctls": _sysctls,
    "hostProcess": _windows,
}
"""In the order of Kubernetes, each by the reason that it gives."""

RESTRICTED: Mapping[str, Check] = {
    "allowPrivilegeEscalation != false": _escalation,
    "unrestricted capabilities": _few_capabilities,
    "restricted volume types": _volume_types,
    "runAsNonRoot != true": _non_root,
    "runAsUser=0": _as_root,
    "seccompProfile": _some_seccomp,
}

OVERRIDDEN = frozenset((_default_capabilities, _host_paths, _seccomp))
"""Checks of the baseline that `RESTRICTED` has in a stricter form."""
