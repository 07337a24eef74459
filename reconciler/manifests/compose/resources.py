"""Volumes, configs and secrets at the top of the file."""

from collections.abc import Mapping

from reconciler.manifests.compose.faults import Report
from reconciler.manifests.compose.files import Loaded
from reconciler.manifests.compose.model import Content, Place, Volume
from reconciler.manifests.compose.names import object_name
from reconciler.manifests.compose.nodes import Node
from reconciler.manifests.compose.paths import within
from reconciler.manifests.compose.reading import Fields, section
from reconciler.manifests.compose.source import Read
from schemas.faults import Path
from schemas.names import qualified_name

LARGEST_FILE = 1024 * 1024
"""Bytes that a ConfigMap or Secret may hold."""


def read_volumes(loaded: Loaded, project: str, report: Report) -> dict[str, Volume]:
    """Named volumes, by their name in the file."""
    return {
        name: _volume(name, Fields(node, ("volumes", name), report), project)
        for name, node in section(loaded.tree, "volumes", report).items()
    }


def _volume(name: str, fields: Fields, project: str) -> Volume:
    external = fields.get("external")
    given = _given_name(fields)
    own = Fields(fields.get("x-wherry") or fields.node.with_value(None), (*fields.path, "x-wherry"), fields.report)
    for key in own.node.map:
        if key not in ("size", "storageClass"):
            own.error(key, "unknown key: a volume's are `size` and `storageClass`")
    if (driver := fields.text("driver")) not in ("", "local"):
        message = f"the volume driver {driver} is Docker's; name a StorageClass with `x-wherry: {{storageClass: …}}`"
        fields.error("driver", message)
    host_path, memory = _driver_options(fields)
    return Volume(
        place=Place(fields.node, fields.path),
        claim=given if given else object_name(name if external else f"{project}-{name}"),
        external=_is_external(fields),
        size=own.text("size") or "1Gi",
        storage_class=own.text("storageClass"),
        annotations=annotations(fields, "labels"),
        host_path=host_path,
        memory=memory,
    )


def _given_name(fields: Fields) -> str:
    """`name`, or the old form `external: {name: …}`."""
    external = fields.get("external")
    if external is not None and "name" in external.map:
        return object_name(fields.below("external").text("name"))
    return object_name(fields.text("name"))


def _is_external(fields: Fields) -> bool:
    external = fields.get("external")
    if external is not None and isinstance(external.value, dict):
        return True
    return bool(fields.boolean("external"))


def _driver_options(fields: Fields) -> tuple[str, bool]:
    """The path of the node that a volume of the local driver binds, or whether it is in memory."""
    if fields.get("driver_opts") is None:
        return "", False
    options = fields.below("driver_opts")
    kind, device = options.text("type"), options.text("device")
    words = options.text("o").split(",")
    if kind == "tmpfs":
        return "", True
    if kind in ("none", "") and device.startswith("/") and ("bind" in words or "rbind" in words):
        return device, False
    if kind in ("none", "") and "bind" in words:
        options.error("device", f"expected an absolute path of the node, found {device!r}")
    else:
        fields.error("driver_opts", "mounts by a volume driver are not made; mount it on the nodes, and name the path")
    return "", False


def read_contents(kind: str, loaded: Loaded, project: str, read: Read, report: Report) -> dict[str, Content]:
    """Configs (`ConfigMap`) or secrets (`Secret`), by their name in the file."""
    key = "configs" if kind == "ConfigMap" else "secrets"
    return {
        name: _content(kind, name, Fields(node, (key, name), report), project, loaded.variables, read)
        for name, node in section(loaded.tree, key, report).items()
    }


def _content(kind: str, name: str, fields: Fields, project: str, variables: Mapping[str, str], read: Read) -> Content:
    external = _is_external(fields)
    given = _given_name(fields)
    sources = [key for key in ("file", "content", "environment") if fields.get(key) is not None]
    data = None
    if external and sources:
        fields.error(sources[0], "what is external has its content elsewhere; keep one of the two")
    elif not external and len(sources) != 1:
        message = f"expected one of `file`, `environment`{', `content`' if kind == 'ConfigMap' else ''} and `external`"
        fields.report.error(fields.node, fields.path, message)
    elif not external:
        data = _data(sources[0], fields, variables, read)
    return Content(
        place=Place(fields.node, fields.path),
        kind=kind,
        object_name=given or object_name(name if external else f"{project}-{name}"),
        key=name,
        data=data,
        annotations=annotations(fields, "labels"),
    )


def _data(source: str, fields: Fields, variables: Mapping[str, str], read: Read) -> bytes | None:
    text = fields.text(source)
    if source == "content":
        return text.encode()
    if source == "environment":
        if text not in variables:
            fields.error(source, f"the variable {text} is not set; set it in .env")
        return variables.get(text, "").encode()
    return file_content(fields.at(source), (*fields.path, source), text, read, fields.report)


def file_content(node: Node, path: Path, name: str, read: Read, report: Report) -> bytes | None:
    """The content of a file of the folder, small enough for a ConfigMap or Secret."""
    target = within(node.base, name)
    content = read(target) if target else None
    if content is None:
        where = "is outside of the folder" if target is None else "is not in the folder"
        report.error(node, path, f"{name} {where}; put it there, or make the object yourself and set `external: true`")
    elif len(content) > LARGEST_FILE:
        report.error(node, path, f"{name} has {len(content)} bytes, more than the {LARGEST_FILE} that an object holds")
        return None
    return content


def annotations(fields: Fields, key: str) -> dict[str, str]:
    """Docker's labels as annotations."""
    found = {}
    for name, (node, value) in fields.pairs(key).items():
        if complaints := qualified_name(name):
            fields.report.warning(
                node, (*fields.path, key), f"{name} is left out: it is no key of an annotation ({complaints[0]})"
            )
        else:
            found[name] = value or ""
    return found
