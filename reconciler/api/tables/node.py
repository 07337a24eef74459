"""The columns of nodes."""

from datetime import datetime

from reconciler.api.tables.column import AGE, NAME, NONE, UNKNOWN, Cell, Column, Layout, age, joined, wide
from schemas.core.node import Node

_ROLE_PREFIX = "node-role.kubernetes.io/"
_ROLE_LABEL = "kubernetes.io/role"


def _status(node: Node) -> str:
    ready = next((condition.status for condition in node.status.conditions if condition.type == "Ready"), None)
    words = ["Unknown" if ready is None else "Ready" if ready == "True" else "NotReady"]
    if node.spec.unschedulable:
        words.append("SchedulingDisabled")
    return ",".join(words)


def _roles(node: Node) -> str:
    roles = {key.removeprefix(_ROLE_PREFIX) for key in node.metadata.labels if key.startswith(_ROLE_PREFIX)}
    roles.add(node.metadata.labels.get(_ROLE_LABEL, ""))
    return joined(sorted(roles - {""}))


def _address(node: Node, type_: str) -> str:
    return next((address.address for address in node.status.addresses if address.type == type_), NONE)


def _cells(node: Node, now: datetime) -> tuple[Cell, ...]:
    info = node.status.node_info
    kernel = (info.kernel_version if info else "") or UNKNOWN
    if info and info.kernel_version and info.architecture:
        kernel += f" ({info.architecture})"
    return (
        node.metadata.name,
        _status(node),
        _roles(node),
        age(node, now),
        info.kubelet_version if info else "",
        _address(node, "InternalIP"),
        _address(node, "ExternalIP"),
        (info.os_image if info else "") or UNKNOWN,
        kernel,
        (info.container_runtime_version if info else "") or UNKNOWN,
    )


NODE = Layout(
    (
        NAME,
        Column("Status", description="Whether the node can take pods"),
        Column("Roles", description="What the node is labelled for"),
        AGE,
        Column("Version", description="Version of the node agent"),
        wide("Internal-IP", description="Address within the fleet"),
        wide("External-IP", description="Address from outside"),
        wide("OS-Image", description="Operating system, as it names itself"),
        wide("Kernel-Version", description="Kernel, and architecture"),
        wide("Container-Runtime", description="Container runtime, and its version"),
    ),
    _cells,
)
