"""What confines a container beside its user: seccomp, AppArmor, SELinux. Its own words count before the pod's.

https://kubernetes.io/docs/tasks/configure-pod-container/security-context/,
https://kubernetes.io/docs/tutorials/security/seccomp/, https://kubernetes.io/docs/tutorials/security/apparmor/.
Without a word about it a container has the runtime's seccomp profile, as with the kubelet's `seccompDefault`.
"""

from pathlib import Path

from nodeagent.pods.resources import all_containers
from nodeagent.runtime.interface import Profile, SELinuxLabel
from schemas.core.container import Container
from schemas.core.pod import Pod
from schemas.core.security import (
    AppArmorProfile,
    PodSecurityContext,
    SeccompProfile,
    SecurityContext,
    SELinuxOptions,
)

RUNTIME_DEFAULT = Profile("RuntimeDefault")


def seccomp(pod: Pod, container: Container, profiles: Path) -> Profile:
    """`profiles`: the folder of the node's own ones."""
    own, of_pod = _rights(pod, container)
    found = own.seccomp_profile or of_pod.seccomp_profile
    if found is None:
        return RUNTIME_DEFAULT
    if found.type == "Localhost":
        return Profile("Localhost", str(profiles / found.localhost_profile))
    return _plain(found)


def apparmor(pod: Pod, container: Container) -> Profile | None:
    own, of_pod = _rights(pod, container)
    found = own.app_armor_profile or of_pod.app_armor_profile
    if found is None:
        return None
    return Profile("Localhost", found.localhost_profile) if found.type == "Localhost" else _plain(found)


def needs_apparmor(pod: Pod) -> bool:
    """Whether a node without AppArmor must not run the pod."""
    of_pod = pod.spec.security_context
    profiles = [of_pod.app_armor_profile if of_pod else None]
    profiles += [one.security_context.app_armor_profile for one in all_containers(pod) if one.security_context]
    return any(found is not None and found.type != "Unconfined" for found in profiles)


def selinux(pod: Pod, container: Container | None = None) -> SELinuxLabel | None:
    """Of a container, or of the pod's sandbox."""
    own, of_pod = _rights(pod, container)
    found: SELinuxOptions | None = own.se_linux_options or of_pod.se_linux_options
    return None if found is None else SELinuxLabel(found.user, found.role, found.type, found.level)


def has_strict_groups(pod: Pod) -> bool:
    rights = pod.spec.security_context
    return rights is not None and rights.supplemental_groups_policy == "Strict"


def _plain(profile: SeccompProfile | AppArmorProfile) -> Profile:
    return Profile("Unconfined") if profile.type == "Unconfined" else RUNTIME_DEFAULT


def _rights(pod: Pod, container: Container | None) -> tuple[SecurityContext, PodSecurityContext]:
    own = container.security_context if container is not None else None
    return own or SecurityContext(), pod.spec.security_context or PodSecurityContext()
