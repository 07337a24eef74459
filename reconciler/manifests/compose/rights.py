"""What a service's container may do: its user, capabilities, security options and the host's namespaces."""

from collections.abc import Iterator
from functools import partial

from msgspec.structs import replace

from reconciler.manifests.compose.faults import Report
from reconciler.manifests.compose.model import Rights
from reconciler.manifests.compose.nodes import Node
from reconciler.manifests.compose.reading import Fields, as_boolean, as_text, attempt
from reconciler.manifests.compose.syntax import pair
from schemas.faults import Path

_KNOWN_USERS = {"root": 0, "nobody": 65534, "nogroup": 65534}


def read_rights(fields: Fields) -> Rights:
    """What the container may do."""
    user, group = _user(fields)
    rights = Rights(
        user=user,
        group=group,
        groups=tuple(_groups(fields)),
        privileged=bool(fields.boolean("privileged")),
        read_only=bool(fields.boolean("read_only")),
        add=tuple(name.upper().removeprefix("CAP_") for name in fields.texts("cap_add")),
        drop=tuple(name.upper().removeprefix("CAP_") for name in fields.texts("cap_drop")),
        sysctls={name: value or "" for name, (_, value) in fields.pairs("sysctls").items()},
        host_network=_network_mode(fields) == "host",
        host_pid=_shared(fields, "pid"),
        host_ipc=_shared(fields, "ipc"),
    )
    for node, path in fields.items("security_opt"):
        rights = attempt(node, path, fields.report, partial(_with_option, rights, fields.report, path)) or rights
    return rights


def _user(fields: Fields) -> tuple[int | None, int | None]:
    text = fields.text("user")
    if not text.strip(":"):
        return None, None
    user, _, group = text.partition(":")
    numbers = [_number(part) if part else None for part in (user, group)]
    if any(number == -1 for number in numbers):
        message = (
            f"{text!r} is known inside the image only; write the numbers that its /etc/passwd has (UID or UID:GID)"
        )
        fields.error("user", message)
        return None, None
    return numbers[0], numbers[1]


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else _KNOWN_USERS.get(text, -1)


def _groups(fields: Fields) -> Iterator[int]:
    for node, path, text in fields.each("group_add"):
        if (number := _number(text)) >= 0:
            yield number
        else:
            fields.report.error(node, path, f"the group {text!r} has another number on every node; write the number")


def _network_mode(fields: Fields) -> str:
    mode = fields.text("network_mode")
    if mode == "none":
        fields.error("network_mode", "a pod is always on the network; write a NetworkPolicy against that")
    elif mode.startswith(("service:", "container:")):
        fields.error("network_mode", f"{mode} needs both in one pod; write a Pod or Deployment with two containers")
    elif mode not in ("", "host", "bridge", "default"):
        fields.error("network_mode", f"expected host or bridge, found {mode!r}")
    return mode


def _shared(fields: Fields, key: str) -> bool:
    mode = fields.text(key)
    if mode.startswith(("service:", "container:")):
        fields.error(key, f"{mode} needs both in one pod; write a Pod or Deployment with two containers")
    elif mode not in ("", "host", "private", "shareable", "none"):
        fields.error(key, f"expected host, found {mode!r}")
    return mode == "host"


def _with_option(rights: Rights, report: Report, path: Path, node: Node) -> Rights:
    name, value = pair(as_text(node), ":=")
    match name:
        case "no-new-privileges":
            return replace(rights, no_new_privileges=value is None or as_boolean(node.with_value(value)))
        case "seccomp" if value:
            return replace(rights, seccomp=value)
        case "apparmor" if value:
            return replace(rights, apparmor=value)
        case "systempaths":
            return replace(rights, unmasked=value == "unconfined")
        case "label" if value and any(sign in value for sign in ":="):
            key, what = pair(value, ":=")
            return replace(rights, se_linux={**rights.se_linux, key: what or ""})
        case "label":
            report.warning(node, path, "labels of SELinux are not set")
            return rights
        case _:
            raise ValueError(f"{name!r} is no security option that has a counterpart; take it out")
