"""Several Compose files, or a service and what it extends, made one.

Pure. By the rules of the Compose Specification: maps are merged, lists joined, and what has to be unique (a mount's
target, a port, a variable) is replaced by the later one; `!override` replaces whole, `!reset` takes away.
"""

from collections.abc import Callable

from reconciler.manifests.compose.nodes import OVERRIDE, RESET, Node
from reconciler.manifests.compose.syntax import mount_target, port_key, short_port_key
from schemas.faults import Path

_REPLACED = (
    ("services", "*", "command"),
    ("services", "*", "entrypoint"),
    ("services", "*", "healthcheck", "test"),
)
_PAIRS = frozenset(("environment", "labels", "annotations", "sysctls"))
"""Maps that may be written as lists of `NAME=value`."""
_NAMES = frozenset(("depends_on", "networks"))
"""Maps that may be written as lists of names."""


def merged(before: Node, after: Node, path: Path = ()) -> Node:
    """The later over the earlier."""
    if after.tag == OVERRIDE or any(_fits(path, pattern) for pattern in _REPLACED):
        return after
    if len(path) == 3 and path[0] == "services":
        before, after = _alike(before, after, str(path[2]))
    if isinstance(before.value, dict) and isinstance(after.value, dict):
        if path[-1:] == ("logging",) and _other_driver(before, after):
            return after
        entries = dict(before.value)
        for key, value in after.value.items():
            if value.tag == RESET:
                entries.pop(key, None)
            elif key in entries and not key.startswith("x-"):
                entries[key] = merged(entries[key], value, (*path, key))
            else:
                entries[key] = value
        return after.with_value(entries)
    if isinstance(before.value, list) and isinstance(after.value, list):
        return after.with_value(_joined(before.value + after.value, path))
    if after.value is None and isinstance(before.value, dict):
        return before
    return after


def without_tags(node: Node) -> Node:
    """What is left when the last file is read: `!reset` takes away here, too."""
    if isinstance(node.value, dict):
        entries = {key: without_tags(child) for key, child in node.value.items() if child.tag != RESET}
        return node.with_value(entries)
    if isinstance(node.value, list):
        return node.with_value([without_tags(child) for child in node.value if child.tag != RESET])
    return node


def _fits(path: Path, pattern: tuple[str, ...]) -> bool:
    return len(path) == len(pattern) and all(want in ("*", step) for step, want in zip(path, pattern, strict=True))


def _other_driver(before: Node, after: Node) -> bool:
    drivers = [node.map["driver"].value for node in (before, after) if "driver" in node.map]
    return len(drivers) == 2 and drivers[0] != drivers[1]


def _alike(before: Node, after: Node, key: str) -> tuple[Node, Node]:
    """Both as maps, or both as lists, where the key may be written either way."""
    if key in _PAIRS:
        return _as_pairs(before), _as_pairs(after)
    if key in _NAMES and (isinstance(before.value, dict) or isinstance(after.value, dict)):
        return _as_names(before, key), _as_names(after, key)
    if isinstance(before.value, list) != isinstance(after.value, list) and key in (
        "env_file",
        "dns",
        "tmpfs",
        "dns_search",
    ):
        return _as_list(before), _as_list(after)
    return before, after


def _as_pairs(node: Node) -> Node:
    if not isinstance(node.value, list):
        return node
    entries: dict[str, Node] = {}
    for item in node.value:
        if not isinstance(item.value, str):
            return node
        name, equals, value = item.value.partition("=")
        entries[name] = item.with_value(value if equals else None)
    return node.with_value(entries)


def _as_names(node: Node, key: str) -> Node:
    if not isinstance(node.value, list):
        return node
    started = {"condition": node.with_value("service_started")} if key == "depends_on" else None
    return node.with_value({str(item.value): item.with_value(started) for item in node.value})


def _as_list(node: Node) -> Node:
    return node if isinstance(node.value, list) else node.with_value([node])


def _joined(items: list[Node], path: Path) -> list[Node]:
    key = _UNIQUE.get(str(path[2])) if len(path) == 3 and path[0] == "services" else None
    unique: dict[object, Node] = {}
    for index, item in enumerate(items):
        name = key(item) if key else _plain(item)
        unique[index if name is None else name] = item
    return list(unique.values())


def _plain(item: Node) -> str | None:
    return None if isinstance(item.value, dict | list) else f"{type(item.value).__name__}:{item.value}"


def _of_mount(item: Node) -> str | None:
    if isinstance(item.value, str):
        return mount_target(item.value).rstrip("/") or None
    target = item.map.get("target")
    return str(target.value).rstrip("/") if target else None


def _of_grant(folder: str) -> Callable[[Node], str | None]:
    def key(item: Node) -> str | None:
        if isinstance(item.value, str):
            return f"{folder}{item.value}"
        named = item.map.get("target") or item.map.get("source")
        text = str(named.value) if named else None
        return text if text is None or text.startswith("/") else f"{folder}{text}"

    return key


def _of_port(item: Node) -> str | None:
    fields = {name: child.value for name, child in item.map.items() if not isinstance(child.value, dict | list)}
    return port_key(fields) if fields else short_port_key(str(item.value))


_UNIQUE: dict[str, Callable[[Node], str | None]] = {
    "volumes": _of_mount,
    "secrets": _of_grant("/run/secrets/"),
    "configs": _of_grant("/"),
    "ports": _of_port,
    "expose": lambda item: str(item.value),
}
