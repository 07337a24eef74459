"""Rules of the rights of pods and containers."""

import re

from schemas.core.security import AppArmorProfile, PodSecurityContext, SeccompProfile, SecurityContext
from schemas.faults import Path
from schemas.shape import Json
from schemas.validation.report import Faults, between, duplicate, forbidden, invalid, one_of, required

_SYSCTL_FORM = r"^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$"
_SYSCTL_SEGMENT = re.compile(r"[a-z0-9]([-_a-z0-9]*[a-z0-9])?", re.ASCII)
_LARGEST_ID = 2**31 - 1
_PROFILES = ("Localhost", "RuntimeDefault", "Unconfined")
_PROFILE_FIELDS = (("Type", "type"), ("LocalhostProfile", "localhost_profile"))


def pod(path: Path, context: PodSecurityContext, *, host_network: bool, host_ipc: bool) -> Faults:
    for field, number in (
        ("runAsUser", context.run_as_user),
        ("runAsGroup", context.run_as_group),
        ("fsGroup", context.fs_group),
    ):
        yield from between((*path, field), number, 0, _LARGEST_ID)
    for index, group in enumerate(context.supplemental_groups):
        yield from between((*path, "supplementalGroups", index), group, 0, _LARGEST_ID)
    yield from one_of((*path, "fsGroupChangePolicy"), context.fs_group_change_policy, ("Always", "OnRootMismatch"))
    yield from one_of((*path, "supplementalGroupsPolicy"), context.supplemental_groups_policy, ("Merge", "Strict"))
    yield from _profiles(path, context.seccomp_profile, context.app_armor_profile)
    yield from _sysctls((*path, "sysctls"), context, host_network=host_network, host_ipc=host_ipc)


def _sysctls(path: Path, context: PodSecurityContext, *, host_network: bool, host_ipc: bool) -> Faults:
    seen: set[str] = set()
    for index, sysctl in enumerate(context.sysctls):
        at = (*path, index, "name")
        name = sysctl.name
        if not name:
            yield required(at)
        elif len(name) > 253 or not all(map(_SYSCTL_SEGMENT.fullmatch, re.split(r"[./]", name))):
            yield invalid(at, name, f"must have at most 253 characters and match regex {_SYSCTL_FORM}")
        elif name in seen:
            yield duplicate(at, name)
        dotted = name.replace("/", ".")
        if host_network and dotted.startswith("net."):
            yield invalid(at, name, "may not be specified when 'hostNetwork' is true")
        if host_ipc and dotted.startswith(("kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue.")):
            yield invalid(at, name, "may not be specified when 'hostIPC' is true")
        seen.add(name)


def container(path: Path, context: SecurityContext) -> Faults:
    yield from between((*path, "runAsUser"), context.run_as_user, 0, _LARGEST_ID)
    yield from between((*path, "runAsGroup"), context.run_as_group, 0, _LARGEST_ID)
    yield from one_of((*path, "procMount"), context.proc_mount, ("Default", "Unmasked"))
    if context.allow_privilege_escalation is False:
        if context.privileged:
            yield invalid(
                path, _as_shown(context), "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
            )
        if context.capabilities is not None and "CAP_SYS_ADMIN" in context.capabilities.add:
            sentence = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"
            yield invalid(path, _as_shown(context), sentence)
    yield from _profiles(path, context.seccomp_profile, context.app_armor_profile)


def _as_shown(context: SecurityContext) -> dict[str, Json]:
    """By the names, and in the order, of the type inside the API server."""
    inner = {
        "Capabilities": (context.capabilities, (("Add", "add"), ("Drop", "drop"))),
        "SELinuxOptions": (
            context.se_linux_options,
            (("User", "user"), ("Role", "role"), ("Type", "type"), ("Level", "level")),
        ),
        "SeccompProfile": (context.seccomp_profile, _PROFILE_FIELDS),
        "AppArmorProfile": (context.app_armor_profile, _PROFILE_FIELDS),
        "WindowsOptions": (
            context.windows_options,
            (
                ("GMSACredentialSpecName", "gmsa_credential_spec_name"),
                ("GMSACredentialSpec", "gmsa_credential_spec"),
                ("RunAsUserName", "run_as_user_name"),
                ("HostProcess", "host_process"),
            ),
        ),
    }
    nested = {
        name: None if value is None else {theirs: getattr(value, ours) or None for theirs, ours in fields}
        for name, (value, fields) in inner.items()
    }
    return {
        "Capabilities": nested["Capabilities"],
        "Privileged": context.privileged,
        "SELinuxOptions": nested["SELinuxOptions"],
        "WindowsOptions": nested["WindowsOptions"],
        "RunAsUser": context.run_as_user,
        "RunAsGroup": context.run_as_group,
        "RunAsNonRoot": context.run_as_non_root,
        "ReadOnlyRootFilesystem": context.read_only_root_filesystem,
        "AllowPrivilegeEscalation": context.allow_privilege_escalation,
        "ProcMount": context.proc_mount or None,
        "SeccompProfile": nested["SeccompProfile"],
        "AppArmorProfile": nested["AppArmorProfile"],
    }


def _profiles(path: Path, seccomp: SeccompProfile | None, app_armor: AppArmorProfile | None) -> Faults:
    for field, profile in (("seccompProfile", seccomp), ("appArmorProfile", app_armor)):
        if profile is None:
            continue
        at = (*path, field)
        yield from one_of((*at, "type"), profile.type, _PROFILES)
        what = "seccomp" if field == "seccompProfile" else "AppArmor"
        if profile.type == "Localhost" and not profile.localhost_profile:
            yield required((*at, "localhostProfile"), f"must be set when {what} type is Localhost")
        if profile.type != "Localhost" and profile.localhost_profile:
            sentence = f"can only be set when {what} type is Localhost"
            yield forbidden((*at, "localhostProfile"), sentence)
