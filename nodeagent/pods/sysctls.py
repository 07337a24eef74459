"""Which sysctls a pod may set: those of its own namespaces that harm nobody else, and what the agent's owner allows.

https://kubernetes.io/docs/tasks/administer-cluster/sysctl-cluster/
"""

from collections.abc import Iterable, Iterator

from schemas.core.pod import Pod
from schemas.sysctls import SAFE

_IPC = ("kernel.sem", "kernel.shm", "kernel.msg", "fs.mqueue.")


def forbidden(pod: Pod, allowed: Iterable[str]) -> str:
    """Why the pod must not run here, in the kubelet's words; empty where it may."""
    spec = pod.spec
    patterns = [_dotted(pattern) for pattern in allowed]
    for sysctl in spec.security_context.sysctls if spec.security_context else ():
        name = _dotted(sysctl.name)
        space = namespace(name)
        if not (name in SAFE or any(_matches(name, pattern) for pattern in patterns)):
            return f'forbidden sysctl: "{name}" not allowlisted'
        if (space == "ipc" and spec.host_ipc) or (space == "net" and spec.host_network):
            return f'forbidden sysctl: "{name}" not allowed with host {space} enabled'
    return ""


def namespace(name: str) -> str:
    """`ipc` or `net`; empty for what belongs to the whole node."""
    if name.startswith("net."):
        return "net"
    return "ipc" if name.startswith(_IPC) else ""


def pattern_faults(patterns: Iterable[str]) -> Iterator[str]:
    """Patterns that would let a pod change what belongs to the whole node."""
    for pattern in patterns:
        stem = _dotted(pattern).removesuffix("*")
        if not namespace(stem) or "*" in stem:
            yield (
                f"allowedUnsafeSysctls: {pattern!r} is in no namespace of a pod: expected a name or a prefix with '*' "
                "below net., kernel.shm, kernel.msg, kernel.sem or fs.mqueue."
            )


def _matches(name: str, pattern: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


def _dotted(name: str) -> str:
    """The form with dots: `net/ipv4/conf/eth0.1/forwarding` and `net.ipv4.conf.eth0/1.forwarding` are one."""
    first = next((letter for letter in name if letter in "./"), ".")
    return name if first == "." else name.translate(str.maketrans("./", "/."))
