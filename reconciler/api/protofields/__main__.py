"""Reads field numbers and enumerations anew: `python -m reconciler.api.protofields API APIMACHINERY TAG`.

The first two are git repositories of `kubernetes/api` and `kubernetes/apimachinery`, the third a tag of both.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from reconciler.api.protofields import SCALARS, SPECIAL
from schemas.kinds import KINDS

_MACHINERY = {
    "k8s.io.apimachinery.pkg.apis.meta.v1": ("meta", "pkg/apis/meta/v1"),
    "k8s.io.apimachinery.pkg.runtime": ("runtime", "pkg/runtime"),
}
_GROUPS = {
    "authentication": "authentication.k8s.io",
    "authorization": "authorization.k8s.io",
    "coordination": "coordination.k8s.io",
    "discovery": "discovery.k8s.io",
    "events": "events.k8s.io",
    "networking": "networking.k8s.io",
    "node": "node.k8s.io",
    "rbac": "rbac.authorization.k8s.io",
    "scheduling": "scheduling.k8s.io",
    "storage": "storage.k8s.io",
}
_ROOTS = (
    "meta.DeleteOptions",
    "meta.ListMeta",
    "meta.Status",
    "runtime.Unknown",
    "v1.Binding",
    "autoscaling/v1.HorizontalPodAutoscaler",
    "autoscaling/v1.Scale",
    "policy/v1.Eviction",
    "events.k8s.io/v1.Event",
    "authentication.k8s.io/v1.SelfSubjectReview",
    "authentication.k8s.io/v1.TokenRequest",
    "authentication.k8s.io/v1.TokenReview",
    "authorization.k8s.io/v1.LocalSubjectAccessReview",
    "authorization.k8s.io/v1.SelfSubjectAccessReview",
    "authorization.k8s.io/v1.SelfSubjectRulesReview",
    "authorization.k8s.io/v1.SubjectAccessReview",
)
"""Beside the kinds that are stored."""
_TYPES = {"string": "string", "bytes": "bytes", "bool": "bool", "int32": "int32", "int64": "int"}
_SPECIAL = {
    "meta.Time": "time",
    "meta.MicroTime": "microtime",
    "meta.FieldsV1": "json",
    "meta.Verbs": "strings",
    "runtime.RawExtension": "json",
    "k8s.io.apimachinery.pkg.api.resource.Quantity": "quantity",
    "k8s.io.apimachinery.pkg.util.intstr.IntOrString": "intorstring",
}
_MESSAGE = re.compile(r"^message (\w+) \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_FIELD = re.compile(r"^  (optional|repeated|map<string, ([\w.]+)>)(?: ([\w.]+))? (\w+) = (\d+);", re.MULTILINE)
_STRUCT = re.compile(r"^type (\w+) struct \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_MEMBER = re.compile(r'(\S+) +`json:"(\w*)(,[\w,]+)?"(?: protobuf:"\w+,\d+,\w+(?:,casttype=[\w/.]+)?(?:,name=(\w+))?)?')
_ENUM = re.compile(r"^(?://.*\n)*// \+enum *\n(?://.*\n)*type (\w+) ", re.MULTILINE)
_CONSTANT = re.compile(r'^\s+\w+\s+(\w+)\s*=\s*"([^"]*)"', re.MULTILINE)
_USE = re.compile(r'(\S+) +`json:"(\w+)')

Messages = dict[str, dict[int, tuple[str, str]]]


def _show(repository: str, tag: str, path: str) -> str:
    command = ["git", "-C", repository, "show", f"{tag}:{path}"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _sources(api: str, machinery: str, tag: str) -> Iterator[tuple[str, str, str]]:
    """Prefix of the messages, text of the messages, text of the Go types."""
    for prefix, folder in _MACHINERY.values():
        types = "" if prefix == "runtime" else _show(machinery, tag, f"{folder}/types.go")
        yield prefix, _show(machinery, tag, f"{folder}/generated.proto"), types
    listed = subprocess.run(
        ["git", "-C", api, "ls-tree", "-r", "--name-only", tag], check=True, capture_output=True, text=True
    )
    for path in listed.stdout.splitlines():
        group, _, rest = path.partition("/")
        version, _, name = rest.partition("/")
        if name == "generated.proto" and not re.search("alpha|beta", version):
            types = _show(api, tag, f"{group}/{version}/types.go")
            yield _prefix(group, version), _show(api, tag, path), types


def _prefix(group: str, version: str) -> str:
    return version if group == "core" else f"{_GROUPS.get(group, group)}/{version}"


def _type(prefix: str, name: str) -> str:
    """A type as `messages.json` writes it."""
    if name in _TYPES:
        return _TYPES[name]
    package, _, message = name.lstrip(".").rpartition(".")
    if not package:
        full = f"{prefix}.{message}"
    elif package in _MACHINERY:
        full = f"{_MACHINERY[package][0]}.{message}"
    elif package.startswith("k8s.io.api."):
        full = f"{_prefix(*package.removeprefix('k8s.io.api.').split('.'))}.{message}"
    else:
        full = f"{package}.{message}"
    return "strings" if message == "ExtraValue" else _SPECIAL.get(full, full)


class _Member(NamedTuple):
    """A field of a Go struct; `name` is empty for an embedded one."""

    name: str
    drops_zero: bool


def _members(types: str) -> dict[tuple[str, str], _Member]:
    """The fields by struct and name in protobuf."""
    found = {}
    for struct, body in _STRUCT.findall(types):
        for type_, name, flags, theirs in _MEMBER.findall(body):
            plain = type_.rpartition(".")[2]
            own = theirs or name or plain[0].lower() + plain[1:]
            found[struct, own] = _Member(name, "omitempty" in flags and not type_.startswith("*"))
    return found


def read(api: str, machinery: str, tag: str) -> Messages:
    """Every message, its fields by number as name and type."""
    found: Messages = {}
    for prefix, text, types in _sources(api, machinery, tag):
        members = _members(types)
        for message, body in _MESSAGE.findall(text):
            fields = {}
            for label, value, type_, name, number in _FIELD.findall(body):
                own, drops_zero = members.get((message, name), _Member(name, False))
                plain = _type(prefix, value or type_)
                suffix = "{}" if value else "[]" if label == "repeated" else ""
                if drops_zero and plain in SCALARS and not suffix:
                    suffix = "-"
                fields[int(number)] = (own, plain + suffix)
            found[f"{prefix}.{message}"] = fields
    return found


def enumerations(api: str, machinery: str, tag: str, *, messages: Messages) -> dict[str, dict[str, list[str]]]:
    """Which texts a field of a message may hold: message → field → texts."""
    sources = [(prefix, types) for prefix, _, types in _sources(api, machinery, tag)]
    values: dict[str, list[str]] = {}
    for prefix, types in sources:
        for name in _ENUM.findall(types):
            values[f"{prefix}.{name}"] = sorted({text for type_, text in _CONSTANT.findall(types) if type_ == name})
    found: dict[str, dict[str, list[str]]] = {}
    for prefix, types in sources:
        for struct, body in _STRUCT.findall(types):
            for type_, name in _USE.findall(body):
                package, _, plain = type_.lstrip("*[]").rpartition(".")
                texts = values.get(f"{package or prefix}.{plain}")  # another package is that of the core group, `v1`
                if texts and f"{prefix}.{struct}" in messages:
                    found.setdefault(f"{prefix}.{struct}", {})[name] = texts
    return dict(sorted(found.items()))


def reached(messages: Messages) -> Messages:
    """Those that a body may hold."""
    queue = [*_ROOTS, *(f"{kind.api_version}.{kind.name}" for kind in KINDS)]
    found: Messages = {}
    while queue:
        name = queue.pop()
        if name in found:
            continue
        found[name] = messages[name]
        types = (type_.rstrip("[]{}-") for _, type_ in messages[name].values())
        queue += [type_ for type_ in types if type_ not in SCALARS + SPECIAL]
    return dict(sorted(found.items()))


def _short(message: str, type_: str) -> str:
    """Without the prefix, where it is that of the message."""
    return type_.removeprefix(message.rpartition(".")[0] + ".") if "." in type_ else type_


def main() -> None:
    messages = reached(read(*sys.argv[1:4]))
    lines = {
        message: " ".join(f"{number}:{name}:{_short(message, type_)}" for number, (name, type_) in sorted(all_.items()))
        for message, all_ in messages.items()
    }
    _write("messages.json", lines)
    _write("enums.json", enumerations(*sys.argv[1:4], messages=messages))


def _write(name: str, content: Mapping[str, object]) -> None:
    """One line for each message."""
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in content.items())
    Path(__file__).with_name(name).write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
